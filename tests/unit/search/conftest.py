"""A small study on a journal, and processes that are not there any more."""

from __future__ import annotations

import subprocess
import sys

import optuna
import pytest

from lattice_ml.search.address import open_storage
from lattice_ml.search.claims import Claims, Pace
from lattice_ml.search.sampling import build_sampler
from lattice_ml.search.study import open_study


def draw(trial):
    return [f"x={trial.suggest_float('x', 0.0, 1.0)}", f"n={trial.suggest_int('n', 1, 9)}"]


class Worker(Claims):
    """A worker with its own view of the study, as another process has it."""

    def __init__(self, address, folder, n_trials=3, objectives=1, pruner=None, **pace):
        storage = open_storage(str(address), "s")
        pruner = pruner or optuna.pruners.NopPruner()
        study = open_study(storage, "s", {"space": "x"}, objectives, pruner, folder / "runs")
        sampler = lambda number: build_sampler("random", 7, number)  # noqa: E731
        super().__init__(study, storage, n_trials, draw, sampler, Pace(**pace))

    @property
    def states(self):
        return [trial.state.name for trial in self.study.trials]


@pytest.fixture
def worker(tmp_path):
    """Makes workers on one journal."""
    return lambda *words, **settings: Worker(tmp_path / "study.journal", tmp_path, *words, **settings)


@pytest.fixture(scope="session")
def gone():
    """The number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@pytest.fixture
def as_another(monkeypatch, gone):
    """Within ``as_another(pid)``, workers take trials as the process of that number; without one, as a dead one."""

    def become(pid=gone, **changed):
        import lattice_ml.search.claims as module
        from lattice_ml.search.owners import identify

        monkeypatch.setattr(module, "identify", lambda: {**identify(), "pid": pid, "born": "1", **changed})
        monkeypatch.setattr(module, "is_this_process", lambda owner: owner.get("pid") == pid)

    return become
