"""What a net draws while it trains is a function of (seed, epoch, batch, rank), whatever interrupted it."""

from __future__ import annotations

from typing import Any

import torch
from lightning import Callback, LightningModule, Trainer

from lattice_ml.data.dealing import NOISE, stream_seed


class BatchNoise(Callback):
    """Seeds torch before every training batch with a function of (seed, epoch, batch, rank).

    So dropout, or whatever else a net draws, is the same after a restart. Without it a net that draws random numbers
    would go on with the generator of a fresh process.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def on_train_batch_start(self, trainer: Trainer, pl_module: LightningModule, batch: Any, batch_idx: int) -> None:
        torch.manual_seed(stream_seed(self.seed, NOISE, trainer.current_epoch, batch_idx, trainer.global_rank))
