"""What a log file says of a training while it lasts."""

import sys

import lightning as L
import pytest
from lightning.pytorch.demos.boring_classes import BoringModel

from lattice_ml.runs.training_lines import TrainingLines


class Scored(BoringModel):
    def validation_step(self, batch, batch_idx):
        self.log("val/loss", 0.125)


def train(epochs: int, every: float) -> None:
    L.Trainer(
        accelerator="cpu", max_epochs=epochs, limit_train_batches=4, limit_val_batches=1, logger=False,
        callbacks=[TrainingLines(every)], enable_progress_bar=False, enable_model_summary=False,
        enable_checkpointing=False, num_sanity_val_steps=0,
    ).fit(Scored())  # fmt: skip


def test_lines_say_epoch_loss_and_time_left(capsys):
    train(2, every=0)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 8
    assert lines[0].startswith("training: epoch 1 of 2, at most ")
    assert lines[-1] == "training: epoch 2 of 2, val/loss 0.125, at most 0.0 s left"


@pytest.mark.parametrize(("every", "terminal"), [(3600, False), (0, True)])
def test_short_trainings_and_terminals_get_none(capsys, monkeypatch, every, terminal):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal)
    train(2, every)
    assert capsys.readouterr().out == ""


def test_a_training_without_an_end_says_no_time(capsys):
    model = Scored()
    model.on_train_epoch_end = lambda: setattr(model.trainer, "should_stop", model.current_epoch == 1)
    L.Trainer(
        accelerator="cpu", max_epochs=-1, limit_train_batches=2, limit_val_batches=1, logger=False,
        callbacks=[TrainingLines(0)], enable_progress_bar=False, enable_model_summary=False, enable_checkpointing=False,
        num_sanity_val_steps=0,
    ).fit(model)  # fmt: skip
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "training: epoch 1"
    assert lines[-1] == "training: epoch 2, val/loss 0.125"
