"""The training curves, one row an epoch: kept in the checkpoint, written to ``metrics.csv``.

Lightning's CSVLogger deletes the rows of an interrupted run when it starts again. Here the rows travel with the
checkpoint, so that after any interruption the table is exactly that of the epochs the weights have seen.
"""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

from lightning import Callback, LightningModule, Trainer

from lattice_ml.ground.files import write_file


class History(Callback):
    """Collects every logged metric at the end of each epoch.

    rows: ``[{"epoch": 0, "step": 38, "train/loss": …, "val/loss": …, "val/acc": …}, …]``.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.rows: list[dict[str, float]] = []

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        metrics = {name: float(value) for name, value in trainer.callback_metrics.items()}
        self.rows.append({"epoch": trainer.current_epoch, "step": trainer.global_step, **metrics})
        if trainer.is_global_zero:
            self._write()

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Once more at the end: a run that resumes after its last epoch may find no table, or a longer one."""
        if trainer.is_global_zero and self.rows:
            self._write()

    def _write(self) -> None:
        names = list(dict.fromkeys(name for row in self.rows for name in row))
        text = io.StringIO(newline="")
        table = csv.DictWriter(text, fieldnames=names)
        table.writeheader()
        table.writerows(self.rows)
        write_file(self.path, text.getvalue().encode())

    def state_dict(self) -> dict[str, Any]:
        return {"rows": self.rows}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.rows = list(state_dict["rows"])
