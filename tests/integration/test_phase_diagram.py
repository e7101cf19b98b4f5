"""The main job on a toy torus, as a user runs it: the run folder of contract 4, and going on after a SIGKILL."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

ROOT = Path(__file__).resolve().parents[2]
TOY = ["experiment=aim_toy", "name=toy", "ensemble.name=toy", "survey.name=toy_survey"]


def start(folder: Path, *overrides: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "WANDB_MODE": "offline", "COLUMNS": "120"}
    command = [sys.executable, str(ROOT / "train.py"), *TOY, *overrides]
    return subprocess.Popen(
        command, cwd=folder, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


@pytest.fixture(scope="module")
def finished(toy: tuple[Path, str]) -> tuple[Path, str]:
    """A finished run: the folder it was started in, and what it printed."""
    return toy


@pytest.fixture(scope="module")
def run_folder(finished: tuple[Path, str]) -> Path:
    return finished[0] / "runs" / "toy" / "001"


def test_it_ends_with_the_boundaries_and_the_path_of_the_report(finished: tuple[Path, str], run_folder: Path) -> None:
    printed = finished[1]
    assert "L+G|G" in printed
    assert "time: sample" in printed
    assert printed.strip().splitlines()[-1].startswith("report: ")
    assert (run_folder / "report.html").exists()


def test_results_hold_an_entry_for_every_transition_and_the_labels_in_order(run_folder: Path) -> None:
    results = json.loads((run_folder / "results.json").read_text())
    found = {(row["rho0"], row["transition"]) for row in results["boundaries"]}
    assert found >= {(rho0, transition) for rho0 in (2.0, 3.0) for transition in ("L|L+G", "L+G|G")}
    for row in results["boundaries"]:
        assert row["method"] == "cnn"
        assert (row["T"] is None) == (row["error"] is None) or "reason" in row
        assert row["T"] is not None or row["reason"]
    low, high = (row["T"] for row in results["labels"]["transitions"])
    assert 0.2 < low < high < 0.8
    assert results["metrics"]["test_accuracy"]["n"] == 9 * 4
    assert {"sample", "embed", "train", "predict", "explain", "report", "total"} == set(results["timings"])
    assert results["protocol"]["ensemble"]["waiting"] == 600
    assert results["protocol"]["ensemble"]["start"] == "band"
    assert results["protocol"]["ensemble"]["tori"] == "81x9"
    judged = results["independence"]["toy"]["order"]
    assert len(judged["lag_one"]) == 9
    assert bool(judged["not_independent"]) == any("order parameter" in sentence for sentence in results["warnings"])
    assert results["versions"]["torch"] == torch.__version__


def test_every_figure_has_its_arrays_and_its_caption(run_folder: Path) -> None:
    figures = run_folder / "figures"
    names = {path.stem for path in figures.glob("*.png")}
    assert names >= {"phase_diagram", "probabilities", "embedding", "order_parameter", "saliency", "training"}
    assert (
        names
        == {path.stem for path in figures.glob("*.npz")}
        == set(json.loads((figures / "captions.json").read_text()))
    )
    for path in figures.glob("*.npz"):
        with np.load(path, allow_pickle=False) as arrays:
            assert arrays.files


def test_the_report_is_one_file_without_a_network(run_folder: Path) -> None:
    page = (run_folder / "report.html").read_text()
    assert page.count("data:image/png;base64,") == len(list((run_folder / "figures").glob("*.png")))
    assert not re.search(r"""(src|href)\s*=\s*["']?https?:""", page)
    assert "Phase boundaries" in page


def test_config_checkpoints_metrics_and_wandb(run_folder: Path) -> None:
    config = yaml.safe_load((run_folder / "config.yaml").read_text())
    assert config["ensemble"]["extents"] == [81, 9]
    for name in ("best", "last"):
        assert torch.load(run_folder / "checkpoints" / f"{name}.ckpt", weights_only=True)["state_dict"]
    with (run_folder / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["epoch"]) for row in rows] == [0, 1, 2]
    assert all(np.isfinite(float(row["val/loss"])) for row in rows)
    stored = list((run_folder / "wandb").glob("offline-run-*"))
    assert len(stored) == 1
    assert list(stored[0].rglob("*phase_diagram*.png"))
    assert list(stored[0].rglob("boundaries*.table.json"))


@pytest.mark.slow
def test_a_run_killed_in_training_goes_on_where_it_was(finished: tuple[Path, str]) -> None:
    folder = finished[0]
    overrides = ["name=killed", "trainer.max_epochs=40", "logger=csv"]
    table = folder / "runs" / "killed" / "001" / "metrics.csv"
    process = start(folder, *overrides)
    deadline = time.monotonic() + 200
    while time.monotonic() < deadline and not (table.exists() and len(table.read_text().splitlines()) > 3):
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    reached = torch.load(table.parent / "checkpoints" / "last.ckpt", weights_only=True)["epoch"]
    assert reached >= 1
    before = table.read_text().splitlines()[:-1]  # the last row may be ahead of the last checkpoint
    assert len(before) >= 3
    assert not (table.parent / "report.html").exists()

    again = start(folder, *overrides)
    printed, _ = again.communicate(timeout=300)
    assert again.returncode == 0, printed
    assert f"going on from runs/killed/001/checkpoints/last.ckpt, epoch {reached + 1}" in printed
    after = table.read_text().splitlines()
    assert after[: len(before)] == before
    assert [int(line.split(",")[0]) for line in after[1:]] == list(range(40))
    assert not (folder / "runs" / "killed" / "002").exists()
    _goes_on_from_a_damaged_checkpoint(folder)


def _goes_on_from_a_damaged_checkpoint(folder: Path) -> None:
    """A kill while last.ckpt is being moved into place leaves half of it: the best one serves."""
    run = folder / "runs" / "killed" / "001"
    (run / "report.html").unlink()
    last = run / "checkpoints" / "last.ckpt"
    last.write_bytes(last.read_bytes()[:3000])
    process = start(folder, "name=killed", "trainer.max_epochs=40", "logger=csv")
    printed, _ = process.communicate(timeout=300)
    assert process.returncode == 0, printed
    assert "going on from runs/killed/001/checkpoints/best.ckpt" in printed
    with (run / "metrics.csv").open() as file:
        assert [int(row["epoch"]) for row in csv.DictReader(file)] == list(range(40))


def test_a_damaged_last_checkpoint_is_passed_over(run_folder: Path, tmp_path: Path) -> None:
    """As a kill in the middle of a copy leaves it; a whole run does this in the test above, which is slow."""
    from lattice_ml.nets.phase_cnn import PhaseCNN
    from lattice_ml.systems.active_ising.physics import ActiveIsing
    from lattice_ml.workflows.phase_diagram.training import resume_point

    for name in ("best", "last"):
        shutil.copy(run_folder / "checkpoints" / f"{name}.ckpt", tmp_path)
    system = ActiveIsing((81, 9))
    assert resume_point(tmp_path, PhaseCNN(2, (81, 9), 3), system) == tmp_path / "last.ckpt"
    (tmp_path / "last.ckpt").write_bytes((tmp_path / "last.ckpt").read_bytes()[:3000])
    assert resume_point(tmp_path, PhaseCNN(2, (81, 9), 3), system) == tmp_path / "best.ckpt"


def test_a_store_of_other_parameters_is_refused(finished: tuple[Path, str], forked) -> None:
    words = ["name=other", "ensemble.samples=5", "ensemble.path=stores/toy-seed0.zarr"]
    ended = forked("train.py", *TOY, *words, folder=finished[0])
    assert ended.returncode == 2
    assert "was written for samples = 4, not for 5" in ended.stderr.strip().splitlines()[-1]


def test_an_unreadable_checkpoint_is_refused_before_any_work(finished: tuple[Path, str], forked) -> None:
    folder = finished[0]
    broken = folder / "broken.ckpt"
    broken.write_bytes((folder / "runs/toy/001/checkpoints/best.ckpt").read_bytes()[:2000])
    ended = forked("train.py", *TOY, "name=other", f"ckpt_path={broken}", folder=folder)
    assert ended.returncode == 2
    assert ended.stderr.strip().splitlines() == [ended.stderr.strip()]
    assert ended.stdout == ""
    assert "cannot be read as a checkpoint" in ended.stderr
    assert not (folder / "runs" / "other").exists()


@pytest.mark.slow
def test_the_demo_finds_the_boundaries_in_order(tmp_path: Path) -> None:
    """What `make demo` runs: at every density L | L+G lies below L+G | G, and the net agrees with the labels."""
    command = [sys.executable, str(ROOT / "train.py"), "experiment=aim_quick", "logger=csv"]
    subprocess.run(command, cwd=tmp_path, check=True, timeout=900)
    results = json.loads((tmp_path / "runs" / "aim_quick" / "001" / "results.json").read_text())
    found = {(row["rho0"], row["transition"]): row for row in results["boundaries"]}
    for rho0 in (2.0, 3.0, 5.0):
        assert found[rho0, "L|L+G"]["T"] < found[rho0, "L+G|G"]["T"]
    for label in results["labels"]["transitions"]:
        net = found[3.0, label["transition"]]
        assert abs(net["T"] - label["T"]) < 3 * np.hypot(net["error"], label["error"])
