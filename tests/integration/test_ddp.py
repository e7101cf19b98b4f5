"""Two processes train one net as one process does: same batches, same labels, same curves within float error."""

from __future__ import annotations

import csv
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from lattice_ml.phases.label import Labels
from lattice_ml.phases.label_file import load_labels, save_labels

ROOT = Path(__file__).resolve().parents[2]
COMMAND = [
    *("experiment=aim_toy", "logger=csv", "callbacks.progress=null", "run.id=mine", "trainer.accelerator=cpu"),
    *("data.batch_size=7", "trainer.max_epochs=5", "task.lr=0.01"),  # 27 configurations: four batches, 7 + 7 + 7 + 6
    *("ensemble.name=ddp", "ensemble.samples=3", "ensemble.protocol.waiting=200", "ensemble.protocol.spacing=50"),
    *("ensemble.protocol.cold_spacing=50", "survey.name=ddp_survey", "survey.protocol.waiting=10"),
    *("survey.grid.T=[0.3,0.7]", "survey.replicas=1", "survey.samples=1"),
]
TWO = ["trainer=ddp", "trainer.accelerator=cpu", "name=two"]
TOLERANCE = 2e-5
"""Relative: 20 steps in float32 (eps = 6e-8) whose sums over a batch run in another order. Adam divides by the root of
its second moment, so that a rounding error of a gradient that is itself near zero may be a hundred times as large."""


def start(folder: Path, *overrides: str, command: tuple[str, ...] = (), **environment: str) -> subprocess.Popen[str]:
    settings = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "120", **environment}
    words = [sys.executable, *command, str(ROOT / "train.py"), *COMMAND, *overrides]
    return subprocess.Popen(
        words, cwd=folder, env=settings, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


def finish(process: subprocess.Popen[str]) -> str:
    printed, _ = process.communicate(timeout=240)
    assert process.returncode == 0, printed
    return printed


def curves(run: Path) -> dict[str, np.ndarray]:
    with (run / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    return {name: np.array([float(row[name]) for row in rows]) for name in rows[0]}


def assert_like_one_process(two: Path, one: Path) -> None:
    """Losses of every epoch, labels, and what is predicted in the end."""
    mine, theirs = load_labels(two / "labels.npz"), load_labels(one / "labels.npz")
    assert mine is not None
    assert theirs is not None
    np.testing.assert_array_equal(mine.labels, theirs.labels)
    found, expected = curves(two), curves(one)
    assert found.keys() == expected.keys()
    for name in ("epoch", "step", "val/acc"):
        np.testing.assert_array_equal(found[name], expected[name])
    for name in ("train/loss", "val/loss", "val/cross_entropy"):
        assert expected[name][0] - expected[name][-1] > 100 * TOLERANCE  # or nothing would have been trained
        np.testing.assert_allclose(found[name], expected[name], rtol=TOLERANCE)
    metrics = [json.loads((run / "results.json").read_text())["metrics"] for run in (two, one)]
    assert metrics[0]["test_accuracy"] == metrics[1]["test_accuracy"]
    assert metrics[0]["best_epoch"] == metrics[1]["best_epoch"]


def label(run: Path) -> None:
    """Labels by temperature, as a run would have found them; saves it UMAP, which no rank but the first runs anyway."""
    phase = np.broadcast_to(np.repeat([0, 1, 2], 3)[:, None, None], (9, 3, 3)).astype(np.int64)
    shares = np.eye(3)[phase[:, 0, 0]]
    save_labels(run / "labels.npz", Labels(("L", "L+G", "G"), phase, phase, phase, phase, shares, [], {}))


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which one process trained."""
    folder = tmp_path_factory.mktemp("one")
    label(folder / "runs/one/mine")
    finish(start(folder, "name=one"))
    return folder


@pytest.fixture
def begun(one: Path, tmp_path: Path) -> Path:
    """A folder with the ensembles, and the labels of the run that two processes will train."""
    (tmp_path / "stores").symlink_to(one / "stores")
    label(tmp_path / "runs/two/mine")
    return tmp_path


def test_two_processes_train_as_one_and_rank_0_alone_reports(one: Path, begun: Path) -> None:
    printed = finish(start(begun, *TWO, "trainer.devices=2"))
    assert printed.count("report: ") == 1
    assert printed.count("training the classifier") == 1
    assert [path.name for path in (begun / "runs/two").iterdir() if path.is_dir()] == ["mine"]
    names = {str(path.relative_to(begun / "runs/two")) for path in (begun / "runs/two").rglob("*")}
    assert names == {str(path.relative_to(one / "runs/one")) for path in (one / "runs/one").rglob("*")}
    assert_like_one_process(begun / "runs/two/mine", one / "runs/one/mine")


@pytest.mark.slow
def test_two_processes_that_are_killed_go_on_to_the_same_bits(begun: Path) -> None:
    """The leader gets a SIGKILL, its follower ends with it, and the same command goes on."""
    words = [*TWO, "trainer.devices=2", "trainer.max_epochs=40"]
    run = begun / "runs/two/mine"
    finish(start(begun, *words))
    straight = torch.load(run / "checkpoints/last.ckpt", weights_only=True)
    table = (run / "metrics.csv").read_text()
    shutil.rmtree(run)
    label(run)

    leader = start(begun, *words)
    while not (run / "metrics.csv").exists() or len((run / "metrics.csv").read_text().splitlines()) < 4:
        assert leader.poll() is None, leader.communicate()[0]
        time.sleep(0.01)
    followers = Path(f"/proc/{leader.pid}/task/{leader.pid}/children").read_text().split()
    assert len(followers) == 1
    leader.kill()
    leader.wait()
    leader.communicate()  # ends when the last of them has closed the pipe
    assert not Path(f"/proc/{followers[0]}/exe").exists()
    assert len((run / "metrics.csv").read_text().splitlines()) < 40
    printed = finish(start(begun, *words))
    assert "going on from" in printed
    resumed = torch.load(run / "checkpoints/last.ckpt", weights_only=True)
    assert (run / "metrics.csv").read_text() == table
    for name, weight in straight["state_dict"].items():
        assert torch.equal(weight, resumed["state_dict"][name]), name


@pytest.mark.slow
def test_two_nodes_find_each_other_by_the_usual_variables(one: Path, begun: Path) -> None:
    """One command a node. The second one starts first and waits for the first, which samples anew."""
    (begun / "stores").unlink()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        meeting = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free.getsockname()[1])}
    nodes = ["trainer.num_nodes=2", "trainer.devices=1"]
    second = start(begun, *TWO, *nodes, **meeting, NODE_RANK="1")
    first = start(begun, *TWO, *nodes, **meeting, NODE_RANK="0")
    assert finish(first).count("report: ") == 1
    assert "report: " not in finish(second)
    assert_like_one_process(begun / "runs/two/mine", one / "runs/one/mine")


@pytest.mark.slow
def test_torchrun_starts_them_all_at_once(one: Path, begun: Path) -> None:
    launcher = ("-m", "torch.distributed.run", "--nproc-per-node=2", "--standalone")
    assert finish(start(begun, *TWO, "trainer.devices=2", command=launcher)).count("report: ") == 1
    assert_like_one_process(begun / "runs/two/mine", one / "runs/one/mine")


@pytest.mark.slow
def test_a_leader_that_fails_takes_its_followers_along(begun: Path) -> None:
    """The mistake is one that only the leader finds: the store was written for other parameters."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        meeting = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free.getsockname()[1])}
    nodes = ["trainer.num_nodes=2", "trainer.devices=1", "ensemble.samples=4", "ensemble.path=stores/ddp-seed0.zarr"]
    second = start(begun, *TWO, *nodes, **meeting, NODE_RANK="1")
    first = start(begun, *TWO, *nodes, **meeting, NODE_RANK="0")
    said = [process.communicate(timeout=120)[0] for process in (first, second)]
    assert (first.returncode, second.returncode) == (2, 2), said
    assert "was written for samples = 3" in said[0]
    assert "has lost the leader" in said[1]


def test_nodes_without_a_meeting_point_are_one_sentence(tmp_path: Path, forked) -> None:
    ended = forked("train.py", *COMMAND, *TWO, "trainer.num_nodes=2", "trainer.devices=1", folder=tmp_path)
    assert ended.returncode == 2
    assert ended.stderr.strip().splitlines() == [ended.stderr.strip()]
    assert ended.stdout == ""
    assert "needs MASTER_ADDR, MASTER_PORT, NODE_RANK in the environment" in ended.stderr
