"""The training table: one row an epoch, carried by the checkpoint, never half written."""

from __future__ import annotations

import csv
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch

from lattice_ml.runs.history import History


def trainer(epoch: int, **metrics: float) -> Any:
    values = {name.replace("_", "/"): torch.tensor(value) for name, value in metrics.items()}
    return SimpleNamespace(
        callback_metrics=values, current_epoch=epoch, global_step=10 * (epoch + 1), is_global_zero=True
    )


def test_rows_survive_a_restart_and_a_repeated_epoch_is_not_doubled(tmp_path: Path) -> None:
    first = History(tmp_path / "metrics.csv")
    first.on_train_epoch_end(trainer(0, train_loss=1.0), None)  # type: ignore[arg-type]
    saved = first.state_dict()
    saved = {"rows": [dict(row) for row in saved["rows"]]}
    first.on_train_epoch_end(trainer(1, train_loss=0.5, val_acc=0.75), None)  # type: ignore[arg-type]

    resumed = History(tmp_path / "metrics.csv")
    resumed.load_state_dict(saved)  # the checkpoint of epoch 0; epoch 1 is done again
    resumed.on_train_epoch_end(trainer(1, train_loss=0.5, val_acc=0.75), None)  # type: ignore[arg-type]
    with (tmp_path / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["epoch"], row["train/loss"], row["val/acc"]) for row in rows] == [
        ("0", "1.0", ""),
        ("1", "0.5", "0.75"),
    ]
    assert list(tmp_path.iterdir()) == [tmp_path / "metrics.csv"]
