"""What makes a resumed training the uninterrupted one, bit for bit.

A checkpoint is written at the end of an epoch and holds everything that the next epoch depends on: weights, the
optimiser's moments, the best loss so far, the epochs that early stopping has waited, the table of metrics. Order and
augmentation of batches are functions of (seed, epoch, batch) and need no state; here torch's own generator becomes one
too. An epoch that was cut short is done again from its beginning.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from lightning import LightningModule, Trainer
from lightning.fabric.plugins import TorchCheckpointIO
from lightning.pytorch import callbacks
from lightning.pytorch.callbacks.early_stopping import EarlyStoppingReason

from lattice_ml.ground.errors import UserError
from lattice_ml.ground.files import write_file


@contextmanager
def keep_threads() -> Iterator[None]:
    """Leave torch with as many threads as it had.

    numba's parallel code (UMAP) sets the number of threads of the OpenMP library that torch shares with it, and the
    number decides the order of sums: a process that has embedded would train to other last digits than one that
    resumes.
    """
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


class AtomicCheckpointIO(TorchCheckpointIO):
    """A checkpoint appears under its name when it is whole and on the disk, and not before.

    Lightning's own writes into the system's temporary folder and moves the file, which is a copy, and half of one after
    a kill, where that folder lies on another file system.
    """

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None) -> None:
        if storage_options is not None:
            raise TypeError(f"{type(self).__name__} has no storage options")
        content = io.BytesIO()
        torch.save(checkpoint, content)
        write_file(Path(path), content.getvalue())


class FolderCheckpoint(callbacks.ModelCheckpoint):
    """ModelCheckpoint that knows its files by name, so that a run folder may be moved and still knows its best loss."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        def here(path: str) -> str:
            return str(Path(str(self.dirpath), Path(path).name)) if path else path

        moved = {
            **state_dict,
            "dirpath": self.dirpath,
            "best_k_models": {here(path): score for path, score in state_dict["best_k_models"].items()},
            **{key: here(state_dict[key]) for key in ("best_model_path", "kth_best_model_path", "last_model_path")},
        }
        super().load_state_dict(moved)


class LastingEarlyStopping(callbacks.EarlyStopping):
    """EarlyStopping whose decision outlives the process.

    Lightning's remembers how long it has waited, but not that it has stopped: killed after its last epoch, a run would
    train for one more when it resumes.
    """

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if self.stopping_reason is not EarlyStoppingReason.NOT_STOPPED:
            trainer.should_stop = True


def read_checkpoint(path: str | Path) -> Any:
    """What a file of ``torch.save`` holds, without executing anything in it; ``UserError`` if that fails."""
    if not Path(path).is_file():
        raise UserError(f"there is no checkpoint {path}: give one from the checkpoints/ folder of a run.")
    try:
        with warnings.catch_warnings():  # torch warns of foreign pickles, which it then refuses
            warnings.simplefilter("ignore")
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file raises anything from EOFError to UnicodeDecodeError
        raise UserError(
            f"{path} cannot be read as a checkpoint (damaged, or not tensors and plain values): give another, e.g. "
            "checkpoints/last.ckpt of the run."
        ) from error
