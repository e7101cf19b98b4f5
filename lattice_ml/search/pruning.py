"""What a trial's training tells its study after every epoch, and why it may end there."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from lightning import Callback

from lattice_ml.search.claims import Claim, ClaimLost, Claims

if TYPE_CHECKING:
    from lightning import LightningModule, Trainer

MONITOR = "val/loss"
"""The metric that every task logs and that trials are compared by on the way."""


class Diverged(Exception):
    """A loss is no finite number any more; nothing that follows would be one."""


class Watch(Callback):
    """Reports the validation loss of every epoch; ends a training that is pruned, has diverged, or is another's."""

    def __init__(self, claims: Claims, claim: Claim) -> None:
        self._claims, self._claim = claims, claim

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Raises ``Diverged``, ``ClaimLost`` or ``optuna.TrialPruned``; none before the epoch is reported."""
        from optuna import TrialPruned

        losses = {name: float(value) for name, value in trainer.callback_metrics.items() if name.endswith("/loss")}
        for name, loss in losses.items():
            if not math.isfinite(loss):
                raise Diverged(f"{name} is {loss:g} at epoch {trainer.current_epoch}")
        if MONITOR not in losses:  # an epoch without validation
            return
        hopeless = self._claims.report(self._claim, trainer.current_epoch, losses[MONITOR])
        if self._claim.lost.is_set():
            raise ClaimLost
        if hopeless:
            raise TrialPruned
