"""The composition matrix: every system × every task that makes sense on it × every explainer, at toy size.

What makes no sense is refused in one sentence, which is tested too; the README shows the matrix.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from pathlib import Path

import pytest
from toy_experiment import TRAIN, train

from lattice_ml.cli.explain import explain

AIM = (  # trained until it names more than one phase: else there is nothing to imitate
    "experiment=aim_toy",
    "trainer.max_epochs=30",
    "task.lr=3e-3",
    "data.batch_size=8",
)
ISING = ("experiment=ising_phases", "trainer.max_epochs=6")  # a smaller torus does not show its phases
ENCODER = ("latents.dimensions=null", "name=composed")
SPINS = (  # two replicas of ten are held out, to be imitated
    "experiment=ising_vae_toy",
    "ensemble.name=ising_toy_ten",
    "ensemble.replicas=10",
    *ENCODER,
)
LEARNT = ("task.lr=0.03", "trainer.max_epochs=30")
NETS = {
    "active_ising: classify_phase": AIM,
    "active_ising: classify_committee": (
        "experiment=aim_boundaries_toy", "extrapolation=null", "committee.l2=[0.0001]", *LEARNT,
    ),
    "active_ising: classify_committee, flattening": (
        "experiment=aim_boundaries_toy", "extrapolation=null", "model=phase_cnn", "~model.cell",
        "committee.l2=[0.0001]", *LEARNT,
    ),
    "active_ising: autoencoder": ("experiment=aim_vae_toy", "task=autoencoder", *ENCODER),
    "active_ising: vae": ("experiment=aim_vae_toy", *ENCODER),
    "active_ising: beta_vae": ("experiment=aim_vae_toy", "task=beta_vae", *ENCODER),
    "active_ising: answer_queries": ("experiment=aim_ive_toy", *ENCODER),
    "ising: classify_phase": ISING,
    "ising: classify_committee": (
        *ISING, "ensemble@survey=ising_phases", "survey.name=again", "survey.seed=1", "survey.replicas=2",
        "survey.samples=2", "callbacks=members", "model=phase_equivariant",
        "model.cell=1", "task=classify_committee", "workflow=phase_committee", "committee.members=2",
        "committee.l2=[0.0001]", *LEARNT,
    ),
    "ising: autoencoder": (*SPINS, "task=autoencoder"),
    "ising: vae": SPINS,
    "ising: beta_vae": (*SPINS, "task=beta_vae"),
    "ising: answer_queries": (*SPINS, "task=answer_queries", "question=correlation"),
    "complex_scalar: regress_observables": ("experiment=flux_toy", "models=null", "data.sizes=[400]"),
    "complex_scalar: detect_violations": (
        "experiment=flux_detection_quick", "models=null", "workflow.own_task=null", "ensemble=flux_toy_worms",
        "ensemble@survey=flux_toy_worms", "survey.seed=1", "data.members=2", "trainer.max_epochs=1",
    ),
    "complex_scalar: count_violations": (
        "experiment=flux_counting_quick", "models=null", "ensemble=flux_toy_worms", "ensemble@survey=flux_toy_worms",
        "survey.seed=1", "data.members=2", "trainer.max_epochs=1",
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


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder of toy ensembles for all cases: what one samples, the next opens."""
    return tmp_path_factory.mktemp("stores")


@pytest.fixture(scope="module")
def explainer() -> Iterator[Executor]:
    """A process that explains one run after the other, because compiling UMAP takes longer than all the rest."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as process:
        yield process


def command(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *words], cwd=folder, text=True, timeout=900, capture_output=True,
        env={**os.environ, "COLUMNS": "120"},
    )  # fmt: skip


def trained(folder: Path, stores: Path, *words: str) -> Path:
    """The folder of the run that these words make."""
    train(folder, "logger=csv", f"paths.stores={stores}", *words)
    (run,) = (folder / "runs").glob("*/001")
    assert (run / "report.html").is_file()
    assert json.loads((run / "results.json").read_text())["metrics"]
    return run


@pytest.mark.slow
@pytest.mark.parametrize("words", NETS.values(), ids=NETS)
def test_every_task_of_every_system_is_explained_by_every_method(
    tmp_path: Path, stores: Path, explainer: Executor, words: tuple[str, ...]
) -> None:
    run = trained(tmp_path, stores, *words)
    for method, settings in EXPLAINERS.items():
        explainer.submit(explain, [str(run), f"method={method}", *settings]).result(timeout=900)
        assert (run / "explain" / method / "report.html").is_file()
        assert list((run / "explain" / method / "figures").glob("*.png"))


@pytest.mark.slow
@pytest.mark.parametrize("words", WHITE_BOXES.values(), ids=WHITE_BOXES)
def test_white_boxes_of_every_system_are_their_own_explanation(
    tmp_path: Path, stores: Path, words: tuple[str, ...]
) -> None:
    run = trained(tmp_path, stores, *words)
    ended = command(tmp_path, "-m", "lattice_ml.explain", str(run), "method=attribution")
    assert ended.returncode == 2
    assert "trained no net" in ended.stderr


@pytest.mark.slow
@pytest.mark.parametrize("words", SENSELESS.values(), ids=SENSELESS)
def test_what_makes_no_sense_is_one_sentence(tmp_path: Path, words: tuple[str, ...]) -> None:
    ended = command(tmp_path, *TRAIN[1:], "logger=csv", *words)
    assert ended.returncode == 2
    assert ended.stderr.startswith("error: ")
    assert len(ended.stderr.splitlines()) == 1
