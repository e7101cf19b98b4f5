"""A task with the weights that a checkpoint holds."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from lightning import LightningModule

from lattice_ml.ground.checkpoints import read_checkpoint
from lattice_ml.ground.errors import UserError

Task = TypeVar("Task", bound=LightningModule)


def load_into(path: str | Path, task: Task) -> Task:
    """``task`` with the weights and buffers of a checkpoint of its own kind; on the CPU, in evaluation mode.

    Nothing in the file is executed (``weights_only=True``). Raises ``UserError`` if it is missing, unreadable or of
    another net.
    """
    checkpoint = read_checkpoint(path)
    try:
        task.load_state_dict(checkpoint["state_dict"])
    except (KeyError, RuntimeError, TypeError, AttributeError) as error:
        raise UserError(
            f"{path} does not hold the weights of this {type(task).__name__}: give the model and task of its run, "
            "which stand in the config.yaml beside checkpoints/."
        ) from error
    return task.cpu().eval()
