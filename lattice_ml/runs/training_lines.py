"""How far a training is, in a log file: a line now and then where there is no terminal to draw a bar on."""

from __future__ import annotations

import sys
import time
from typing import Any

from lightning import Callback, LightningModule, Trainer

from lattice_ml.report.numbers import duration


class TrainingLines(Callback):
    """Prints ``training: epoch 31 of 180, val/loss 1.2e-06, at most 52 min left``, at most every ``every`` s.

    The time left is that to ``trainer.max_epochs``, at the speed since this process began; a training may stop earlier.
    """

    def __init__(self, every: float = 30.0) -> None:
        self.every = every
        self._began = self._printed = 0.0
        self._first = 0

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._began = self._printed = time.monotonic()
        self._first = trainer.global_step

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        now = time.monotonic()
        if now - self._printed < self.every or not trainer.is_global_zero or sys.stdout.isatty():
            return
        self._printed = now
        print(f"training: {self._where(trainer)}{self._left(trainer, now - self._began)}", flush=True)

    def _where(self, trainer: Trainer) -> str:
        epochs = "" if trainer.max_epochs in (None, -1) else f" of {trainer.max_epochs}"
        loss = trainer.callback_metrics.get("val/loss")
        return f"epoch {trainer.current_epoch + 1}{epochs}" + ("" if loss is None else f", val/loss {float(loss):.3g}")

    def _left(self, trainer: Trainer, seconds: float) -> str:
        total, done = float(trainer.estimated_stepping_batches), trainer.global_step
        if total == float("inf") or done <= self._first:
            return ""
        return f", at most {duration(seconds * (total - done) / (done - self._first))} left"
