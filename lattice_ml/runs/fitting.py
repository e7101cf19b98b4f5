"""Training to the end of the configured epochs, in a folder, from wherever it was interrupted."""

from __future__ import annotations

import signal
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from omegaconf import DictConfig

from lattice_ml.cli.runtime import build_trainer

if TYPE_CHECKING:
    from lightning import Callback, LightningDataModule, LightningModule
    from lightning.pytorch.loggers import Logger


def fit(
    config: DictConfig,
    folder: Path,
    task: LightningModule,
    data: LightningDataModule,
    loggers: list[Logger],
    resume: Path | None,
    callbacks: Sequence[Callback] = (),
) -> list[dict[str, float]]:
    """Train to the end of the configured epochs, from ``resume`` on if there is one; return the metrics of each epoch.

    Checkpoints go into ``<folder>/checkpoints``, the metrics into ``<folder>/metrics.csv``; ``callbacks`` are told
    of the training beside those of the configuration.
    Raises ``KeyboardInterrupt`` on Ctrl-C and ``SystemExit(143)`` on SIGTERM, which Lightning both ends quietly.
    """
    from lattice_ml.ground.checkpoints import BatchNoise
    from lattice_ml.runs.history import History

    history = History(folder / "metrics.csv")
    trainer = build_trainer(config, folder, [history, BatchNoise(config.seed), *callbacks], loggers)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*LeafSpec.*", FutureWarning)  # between Lightning and torch alone
            warnings.filterwarnings("ignore", ".*exists and is not empty")  # of a run that goes on
            trainer.fit(task, datamodule=data, ckpt_path=resume, weights_only=True)
    except SystemExit:
        if trainer.received_sigterm:
            print("Stopped by SIGTERM; the same command goes on from here.", file=sys.stderr)
            raise SystemExit(128 + signal.SIGTERM) from None  # else the job would count as done
        if trainer.interrupted:
            raise KeyboardInterrupt from None
        raise
    return history.rows


def next_epoch(checkpoint: Path) -> int:
    """The epoch, counted from 0, that a training goes on with from this checkpoint."""
    import torch

    return torch.load(checkpoint, weights_only=True)["epoch"] + 1
