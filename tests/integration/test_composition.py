"""The composition matrix: every system × every task that makes sense on it × every explainer, at toy size.

What makes no sense is refused in one sentence, which is tested too; the README shows the matrix.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ISING = (
    "experiment=ising_phases",
    "ensemble.extents=[9,9]",
    "ensemble.grid.T=[1.6,1.8,2.0,2.2,2.4,2.6,2.8,3.0]",
    "ensemble.samples=10",
    "ensemble.protocol.waiting=200",
    "ensemble.protocol.spacing=100",
    "ensemble.protocol.cold_spacing=100",
    "trainer.max_epochs=6",
)
ENCODER = ("latents.dimensions=null", "name=composed")
LEARNT = ("task.lr=0.03", "trainer.max_epochs=30")
NETS = {
    "active_ising: classify_phase": ("experiment=aim_toy", "trainer.max_epochs=12"),
    "active_ising: classify_committee": ("experiment=aim_boundaries_toy", *LEARNT),
    "active_ising: classify_committee, flattening": (
        "experiment=aim_boundaries_toy", "model=phase_cnn", "~model.cell", "committee.l2=[0.0001]", *LEARNT,
    ),
    "active_ising: autoencoder": ("experiment=aim_vae_toy", "task=autoencoder", *ENCODER),
    "active_ising: vae": ("experiment=aim_vae_toy", *ENCODER),
    "active_ising: beta_vae": ("experiment=aim_vae_toy", "task=beta_vae", *ENCODER),
    "active_ising: answer_queries": ("experiment=aim_ive_toy", *ENCODER),
    "ising: classify_phase": ISING,
    "ising: autoencoder": ("experiment=ising_vae_toy", "task=autoencoder", *ENCODER),
    "ising: vae": ("experiment=ising_vae_toy", *ENCODER),
    "ising: beta_vae": ("experiment=ising_vae_toy", "task=beta_vae", *ENCODER),
    "ising: answer_queries": ("experiment=ising_vae_toy", "task=answer_queries", "question=correlation", *ENCODER),
    "complex_scalar: regress_observables": ("experiment=flux_toy", "data.sizes=[400]"),
    "complex_scalar: detect_violations": (
        "experiment=flux_detection_quick", "ensemble=flux_toy_worms", "~ensemble@survey", "data.members=2",
        "trainer.max_epochs=1",
    ),
    "complex_scalar: count_violations": (
        "experiment=flux_counting_quick", "ensemble=flux_toy_worms", "~ensemble@survey", "data.members=2",
        "trainer.max_epochs=1",
    ),
    "complex_scalar: autoencoder": ("experiment=flux_vae_toy", "task=autoencoder", *ENCODER),
    "complex_scalar: vae": ("experiment=flux_vae_toy", *ENCODER),
    "complex_scalar: beta_vae": ("experiment=flux_vae_toy", "task=beta_vae", *ENCODER),
    "complex_scalar: answer_queries": ("experiment=flux_vae_toy", "task=answer_queries", *ENCODER),
}  # fmt: skip
WHITE_BOXES = {
    "active_ising": ("experiment=aim_white_boxes_toy",),
    "ising": (
        "experiment=ising_white_boxes",
        "ensemble=ising_toy",
        "white_boxes.kinds=[linear,tree]",
        "white_boxes.forests=2",
    ),
    "complex_scalar": ("experiment=flux_white_boxes_toy", "white_boxes.kinds=[linear,tree]"),
}
EXPLAINERS = {
    "attribution": ("methods=[saliency,occlusion]", "configurations=1"),
    "features": ("kinds=[linear,tree]", "forests=1"),
    "hidden": (),
}
SENSELESS = {
    "the Ising model has no chemical potential": ("experiment=flux_toy", "system=ising"),
    "phases are found along a temperature": ("experiment=flux_toy", "workflow=phase_diagram"),
    "there are no worms in flocks": ("experiment=aim_toy", "task=count_violations", "workflow=compare_nets"),
}


def command(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *words], cwd=folder, text=True, timeout=900, capture_output=True,
        env={**os.environ, "COLUMNS": "120"},
    )  # fmt: skip


def trained(folder: Path, *words: str) -> Path:
    """The folder of the run that these words make."""
    ended = command(folder, str(ROOT / "train.py"), "logger=csv", *words)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    (run,) = (folder / "runs").glob("*/001")
    assert (run / "report.html").is_file()
    assert json.loads((run / "results.json").read_text())["metrics"]
    return run


@pytest.mark.slow
@pytest.mark.parametrize("words", NETS.values(), ids=NETS)
def test_every_task_of_every_system_is_explained_by_every_method(tmp_path: Path, words: tuple[str, ...]) -> None:
    run = trained(tmp_path, *words)
    for method, settings in EXPLAINERS.items():
        ended = command(tmp_path, "-m", "lattice_ml.explain", str(run), f"method={method}", *settings)
        assert ended.returncode == 0, f"{method}: {ended.stdout}{ended.stderr}"
        assert (run / "explain" / method / "report.html").is_file()
        assert list((run / "explain" / method / "figures").glob("*.png"))


@pytest.mark.slow
@pytest.mark.parametrize("words", WHITE_BOXES.values(), ids=WHITE_BOXES)
def test_white_boxes_of_every_system_are_their_own_explanation(tmp_path: Path, words: tuple[str, ...]) -> None:
    run = trained(tmp_path, *words)
    ended = command(tmp_path, "-m", "lattice_ml.explain", str(run), "method=attribution")
    assert ended.returncode == 2
    assert "trained no net" in ended.stderr


@pytest.mark.slow
@pytest.mark.parametrize("words", SENSELESS.values(), ids=SENSELESS)
def test_what_makes_no_sense_is_one_sentence(tmp_path: Path, words: tuple[str, ...]) -> None:
    ended = command(tmp_path, str(ROOT / "train.py"), "logger=csv", *words)
    assert ended.returncode == 2
    assert ended.stderr.startswith("error: ")
    assert len(ended.stderr.splitlines()) == 1
