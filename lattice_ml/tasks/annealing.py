"""What changes with the epochs of a training that has a fixed end: the learning rate, the price of a latent."""

from __future__ import annotations

from typing import Any

import torch
from lightning import LightningModule


def one_cycle(task: LightningModule, lr: float) -> dict[str, Any]:
    """Adam whose rate rises to ``lr`` in the first twentieth of all steps and then falls to 0 as a cosine.

    The rate is a function of the step alone and its place is part of the checkpoint, so a restarted training goes on as
    the uninterrupted one. Source: L. N. Smith & N. Topin, arXiv:1708.07120.
    """
    optimizer = torch.optim.Adam(task.parameters(), lr=lr, fused=True)
    steps = max(1, int(task.trainer.estimated_stepping_batches))
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=steps, pct_start=min(0.5, 1 / 20))
    return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


def risen(task: LightningModule, warmup: float) -> float:
    """How far a weight has risen in the current epoch: from 0 to 1 in the first ``warmup`` of all epochs, then 1."""
    rising = warmup * (task.trainer.max_epochs or 1)
    return min(1.0, (task.current_epoch + 1) / rising) if rising > 0 else 1.0
