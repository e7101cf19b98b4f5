"""One training of several nets at once: from wherever it was interrupted to the end."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lattice_ml.ground.errors import UserError
from lattice_ml.runs.run import Run
from lattice_ml.runs.training import Training, next_epoch
from lattice_ml.tasks.members import MemberTask, load_members

if TYPE_CHECKING:
    from lightning import Callback, LightningDataModule
    from lightning.pytorch.loggers import Logger


def fit_members(
    training: Training,
    run: Run,
    folder: Path,
    task: MemberTask,
    data: LightningDataModule,
    loggers: list[Logger],
    callbacks: Sequence[Callback] = (),
) -> list[dict[str, float]]:
    """Train to the end and return the metrics of every epoch; ``task.best`` then holds each member's best weights.

    A readable ``<folder>/checkpoints/last.ckpt`` is gone on from; another is told of and replaced. Raises ``UserError``
    if the training diverged.
    """
    resume, last = None, folder / "checkpoints" / "last.ckpt"
    if last.exists():
        try:
            load_members(last, task).train()
            resume = last
            run.console.print(f"going on from {last}, epoch {next_epoch(last)}", highlight=False, soft_wrap=True)
        except UserError as error:
            run.console.print(f"starting anew: {error}", highlight=False, soft_wrap=True)
    history = training.fit(folder, task, data, loggers, resume, callbacks)
    if not np.isfinite(task.best_loss.cpu().numpy()).all():
        raise UserError(f"training diverged with task.lr = {task.lr:g}: give a smaller one, e.g. task.lr=1e-3.")
    return history
