"""One training of a workflow: from wherever it was interrupted to the end, then the weights of the best epoch."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from lattice_ml.ground.errors import UserError
from lattice_ml.runs.run import Run
from lattice_ml.runs.training import Training, next_epoch

if TYPE_CHECKING:
    from lightning import LightningDataModule, LightningModule
    from lightning.pytorch.loggers import Logger

Task = TypeVar("Task", bound="LightningModule")


def fit_best(
    training: Training, run: Run, folder: Path, task: Task, data: LightningDataModule, loggers: list[Logger]
) -> tuple[Task, list[dict[str, float]]]:
    """The task with the weights of the best validation loss, and the metrics of every epoch.

    A readable ``<folder>/checkpoints/last.ckpt`` is gone on from; a damaged one is told of and replaced. Raises
    ``UserError`` if the training diverged.
    """
    from lattice_ml.tasks.saved import load_into

    resume, last = None, folder / "checkpoints" / "last.ckpt"
    if last.exists():
        try:
            load_into(last, copy.deepcopy(task))
            resume = last
            run.console.print(f"going on from {last}, epoch {next_epoch(last)}", highlight=False, soft_wrap=True)
        except UserError as error:
            run.console.print(f"starting anew: {error}", highlight=False, soft_wrap=True)
    folder.mkdir(parents=True, exist_ok=True)
    history = training.fit(folder, task, data, loggers, resume)
    if not np.isfinite([row["val/loss"] for row in history]).all():
        raise UserError(f"training diverged with task.lr = {task.lr:g}: give a smaller one, e.g. task.lr=1e-3.")
    return load_into(folder / "checkpoints" / "best.ckpt", task), history
