"""A run that is killed and started again by the same command ends as the uninterrupted one does, bit for bit."""

from __future__ import annotations

import csv
import json
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).resolve().parents[2]
EPOCHS = 4  # of four batches each
COMMAND = [
    *("experiment=aim_toy", "logger=csv", "callbacks.progress=null", "run.id=mine"),
    *("data.batch_size=8", f"trainer.max_epochs={EPOCHS}", "trainer.accelerator=cpu"),
    *("ensemble.name=restart", "ensemble.samples=3", "ensemble.protocol.waiting=200", "ensemble.protocol.spacing=50"),
    *("ensemble.protocol.cold_spacing=50", "survey.name=restart_survey", "survey.protocol.waiting=10"),
    *("survey.grid.T=[0.3,0.7]", "survey.replicas=1", "survey.samples=1"),
]
RUN = Path("runs/aim_toy/mine")
JOB = {
    **{"SLURM_JOB_ID": "4711", "SLURM_JOB_NAME": "train", "SLURM_NTASKS": "1", "SLURM_NTASKS_PER_NODE": "1"},
    **{"SLURM_PROCID": "0", "SLURM_LOCALID": "0", "SLURM_NODEID": "0", "SLURM_NODELIST": "localhost"},
}
"""What srun says to the one task of a job."""

Train = Callable[..., tuple[int, str]]
"""(folder, moment of the kill or None) -> return code, what was printed."""


@pytest.fixture(scope="module")
def train() -> Iterator[Train]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "120"}
    command = [sys.executable, str(ROOT / "tests/integration/warm.py")]
    server = subprocess.Popen(command, env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert server.stdin is not None
    assert server.stdout is not None
    assert server.stdout.readline() == "warm\n"

    def train(
        folder: Path,
        kill: list | None = None,
        *overrides: str,
        signal: str = "SIGKILL",
        environment: dict[str, str] | None = None,
    ) -> tuple[int, str]:
        log = folder / "log"
        request = {"cwd": str(folder), "arguments": [*COMMAND, *overrides], "kill": kill, "log": str(log)}
        request |= {"signal": signal, "environment": environment or {}}
        assert server.stdin is not None
        assert server.stdout is not None
        print(json.dumps(request), file=server.stdin, flush=True)
        return int(server.stdout.readline()), log.read_text()

    yield train
    server.stdin.close()
    server.wait(timeout=20)


@pytest.fixture(scope="module")
def whole(train: Train, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the uninterrupted run."""
    folder = tmp_path_factory.mktemp("whole")
    code, printed = train(folder)
    assert code == 0, printed
    return folder


@pytest.fixture
def fresh(whole: Path, tmp_path: Path) -> Path:
    """A folder with the sampled ensembles and nothing else."""
    (tmp_path / "stores").symlink_to(whole / "stores")
    return tmp_path


@pytest.fixture
def labelled(whole: Path, fresh: Path) -> Path:
    """A folder as a kill leaves it between the labels and the training."""
    shutil.copytree(whole / RUN, fresh / RUN)
    for path in (fresh / RUN).iterdir():
        if path.name in ("metrics.csv", "results.json", "report.html"):
            path.unlink()
    for path in (fresh / RUN / "checkpoints").iterdir():
        path.unlink()
    return fresh


def checkpoint(folder: Path, name: str) -> dict:
    return torch.load(folder / RUN / "checkpoints" / f"{name}.ckpt", weights_only=True)


def flat(state: object, where: str = "") -> dict[str, object]:
    """Every tensor (as its bytes) and plain value of a nested state by its name."""
    if isinstance(state, dict | list | tuple):
        items = state.items() if isinstance(state, dict) else enumerate(state)
        return {key: leaf for name, value in items for key, leaf in flat(value, f"{where}.{name}").items()}
    return {where: state.contiguous().numpy().tobytes() if isinstance(state, torch.Tensor) else state}


def assert_same(folder: Path, whole: Path) -> None:
    """Weights, the optimiser's state, counters, curves and results are those of the uninterrupted run."""
    for name in ("best", "last"):
        mine, theirs = checkpoint(folder, name), checkpoint(whole, name)
        for part in ("state_dict", "optimizer_states", "epoch", "global_step", "hyper_parameters"):
            assert flat(mine[part]) == flat(theirs[part]), (name, part)
        scores = [
            {key: value for key, value in flat(found["callbacks"]).items() if not key.endswith(("path", "dirpath"))}
            for found in (mine, theirs)
        ]
        assert [value for key, value in scores[0].items() if "best_k" not in key] == [
            value for key, value in scores[1].items() if "best_k" not in key
        ]
    for name in ("labels.npz", "metrics.csv"):
        assert (folder / RUN / name).read_bytes() == (whole / RUN / name).read_bytes(), name
    mine, theirs = (json.loads((place / RUN / "results.json").read_text()) for place in (folder, whole))
    for result in (mine, theirs):
        del result["timings"], result["finished"]
    assert mine == theirs
    assert [path.name for path in (folder / "runs/aim_toy").iterdir() if path.is_dir()] == ["mine"]
    left = {str(path.relative_to(folder)) for path in (folder / RUN).rglob("*")}
    assert left == {str(path.relative_to(whole)) for path in (whole / RUN).rglob("*")}


def test_a_run_that_is_killed_five_times_is_the_uninterrupted_one(train: Train, whole: Path, fresh: Path) -> None:
    moments = [
        ["embed"],
        ["half", "last.ckpt", 1],  # epoch 0 is in best.ckpt alone
        ["batch", 2, 2],
        ["epoch", 2],
        ["after", "last.ckpt", 2],  # after the last epoch
    ]
    for moment in moments:
        code, printed = train(fresh, moment)
        assert code == -9, (moment, printed)
        assert not (fresh / RUN / "report.html").exists()
    assert checkpoint(fresh, "last")["epoch"] == EPOCHS - 1
    code, printed = train(fresh, None, "ckpt_path=last")  # is implied, and may be said
    assert code == 0, printed
    assert f"last.ckpt, epoch {EPOCHS}" in printed
    assert_same(fresh, whole)


def test_a_run_that_stopped_early_does_not_train_on(train: Train, labelled: Path) -> None:
    """Killed after the epoch that was to be the last one, which nothing but the callback's own state knows."""
    settings = ["callbacks.early_stopping.patience=2", "+callbacks.early_stopping.min_delta=10", "name=early"]
    (labelled / "runs/early/mine").mkdir(parents=True)
    shutil.copy(labelled / RUN / "labels.npz", labelled / "runs/early/mine")
    assert train(labelled, ["after", "last.ckpt", 3], *settings)[0] == -9
    code, printed = train(labelled, None, *settings)
    assert code == 0, printed
    assert "epoch 3" in printed
    with (labelled / "runs/early/mine/metrics.csv").open() as file:
        assert [row["epoch"] for row in csv.DictReader(file)] == ["0", "1", "2"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "moment",
    [
        ["half", "config.yaml", 1],
        ["half", "best.ckpt", 1],
        ["half", "best.ckpt", 3],
        ["before", "last.ckpt", 3],
        ["after", "best.ckpt", 3],
        ["half", "metrics.csv", 2],
        ["batch", 0, 0],
        ["batch", 3, 3],
        ["after", "last.ckpt", EPOCHS],
        ["half", "results.json", 1],
        ["half", "report.html", 1],
    ],
    ids=lambda moment: "-".join(map(str, moment)),
)
def test_killed_at_any_one_moment(train: Train, whole: Path, labelled: Path, moment: list) -> None:
    code, printed = train(labelled, moment)
    assert code == -9, printed
    code, printed = train(labelled)
    assert code == 0, printed
    assert_same(labelled, whole)


@pytest.mark.slow
def test_labels_that_were_half_written_are_found_again(train: Train, whole: Path, fresh: Path) -> None:
    assert train(fresh, ["half", "labels.npz", 1])[0] == -9
    code, printed = train(fresh)
    assert code == 0, printed
    assert_same(fresh, whole)


@pytest.mark.slow
@pytest.mark.parametrize(("signal", "code"), [("SIGUSR1", -10), ("SIGTERM", 143)])
def test_slurm_ends_a_job_and_the_requeued_one_goes_on(
    train: Train, whole: Path, labelled: Path, signal: str, code: int
) -> None:
    """Lightning's own requeueing, which goes on from the middle of an epoch, stays out of it."""
    ended, printed = train(labelled, ["batch", 2, 1], signal=signal, environment=JOB)
    assert ended == code, printed
    assert not list((labelled / RUN).rglob("hpc_ckpt*"))
    ended, printed = train(labelled, environment=JOB | {"SLURM_RESTART_COUNT": "1"})
    assert ended == 0, printed
    assert_same(labelled, whole)


@pytest.mark.slow
def test_killed_at_random_moments_by_hand(whole: Path, fresh: Path) -> None:
    """Plain commands in cold processes, killed from outside: while they embed, between the labels and the first epoch,
    and in the midst of the training, each a moment after the mark of that part, which nobody chose."""
    chance = random.Random(7)
    command = [sys.executable, str(ROOT / "train.py"), *COMMAND]
    alone = {**os.environ, "OMP_NUM_THREADS": "1"}
    marks = [fresh / RUN / name for name in ("config.yaml", "labels.npz", "checkpoints/best.ckpt")]
    for mark in marks:
        with (fresh / "log").open("w") as log:
            process = subprocess.Popen(command, cwd=fresh, stdout=log, stderr=log, env=alone)
            while not mark.exists():
                assert process.poll() is None, (fresh / "log").read_text()
                time.sleep(0.002)
            time.sleep(chance.uniform(0, 0.05))  # less than is left of any part
            process.kill()
            assert process.wait() == -9, (fresh / "log").read_text()
        assert not (fresh / RUN / "report.html").exists()
    ended = subprocess.run(
        command, cwd=fresh, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert_same(fresh, whole)


@pytest.mark.slow
def test_a_streamed_run_that_is_killed_is_the_uninterrupted_one(train: Train, whole: Path, fresh: Path) -> None:
    """An ensemble of 615 KiB, one byte a count, in 429 KiB, from the labels to the report."""
    words = ["ensemble.name=streamed", "ensemble.replicas=48", "ensemble.samples=1", "data.memory=0.0004"]
    ended = []
    for name, kills in (("straight", []), ("killed", [["batch", 1, 2], ["epoch", 2], ["after", "last.ckpt", 1]])):
        run = fresh / "runs" / name / "mine"
        run.mkdir(parents=True)
        shutil.copy(whole / RUN / "labels.npz", run)  # of the same points: labels are one a point
        for kill in kills:
            code, printed = train(fresh, kill, *words, f"name={name}")
            assert code == -9, printed
        code, printed = train(fresh, None, *words, f"name={name}")
        assert code == 0, printed
        assert "measuring the ensemble" in printed
        assert (run / "report.html").exists()
        ended.append(run)
    states = [torch.load(run / "checkpoints/last.ckpt", weights_only=True) for run in ended]
    for part in ("state_dict", "optimizer_states", "epoch", "global_step"):
        assert flat(states[0][part]) == flat(states[1][part]), part
    assert ended[0].joinpath("metrics.csv").read_bytes() == ended[1].joinpath("metrics.csv").read_bytes()
    found = [json.loads((run / "results.json").read_text()) for run in ended]
    assert found[0]["boundaries"] == found[1]["boundaries"]
    assert found[0]["metrics"] == found[1]["metrics"]
