"""A workflow whose trials train nothing, for sweep.py: named by workflow._target_, with trust=true."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from lattice_ml.data.settings import DataSettings
from lattice_ml.ground.recipe import Recipe
from lattice_ml.runs.training import Training
from lattice_ml.search.outcome import Infeasible, Outcome
from lattice_ml.workflows.workflow import Workflow

EPOCHS = 5


@dataclass(frozen=True, kw_only=True)
class Stub(Workflow):
    """It has no ensembles, so that none is sampled."""

    data: DataSettings
    model: Recipe[Any]
    task: Recipe[Any]
    training: Training

    trial_reads = ("ensemble",)

    def try_once(self, place, watch, limit):
        """Epochs of SECONDS / 5; each is a line in the run folder, which is its checkpoint and its witness at once."""
        lr = self.task.settings["lr"]
        if lr > 0.02:
            raise Infeasible("the learning rate has too many parameters.")
        if lr > float(os.environ.get("NAN_ABOVE", "1")):
            watch.on_train_epoch_end(epoch(0, float("nan")), None)
        if lr > float(os.environ.get("ERROR_ABOVE", "1")):
            raise RuntimeError("CUDA out of memory.\nTried to allocate everything")
        place.folder.mkdir(parents=True, exist_ok=True)
        path = place.folder / "epochs"
        done = len(path.read_text().splitlines()) if path.exists() else 0
        for number in range(done, EPOCHS):
            time.sleep(float(os.environ.get("SECONDS_EACH", "0.1")) / EPOCHS)
            watch.on_train_epoch_end(epoch(number, lr * (1 + 1 / (1 + number))), None)
            with path.open("a") as file:
                file.write(f"{number} {os.getpid()}\n")
        return Outcome(validation=lr, parameters=len(self.model.settings["layers"]), test=2 * lr)


def epoch(number, loss):
    import torch

    return SimpleNamespace(callback_metrics={"val/loss": torch.tensor(loss)}, current_epoch=number)
