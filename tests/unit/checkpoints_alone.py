"""What a checkpoint must bring back for a resumed training to be the uninterrupted one."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from lightning import LightningModule, Trainer
from torch import Tensor, nn
from torch.utils.data import DataLoader

from lattice_ml.ground.checkpoints import AtomicCheckpointIO, FolderCheckpoint, LastingEarlyStopping
from lattice_ml.runs.batch_noise import BatchNoise
from lattice_ml.runs.history import History

SCORES = (1.0, 0.5, 0.7, 0.6, 0.8, 0.9, 0.4)
"""Validation losses of the epochs: the best of the first four is that of epoch 1."""


class Noisy(LightningModule):
    """A net that draws its own random numbers, and losses that are written above."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.5), nn.Linear(8, 1))

    def training_step(self, batch: Tensor) -> Tensor:
        return self.net(batch).square().mean()

    def validation_step(self, batch: Tensor) -> None:
        self.log("val/loss", torch.tensor(SCORES[self.current_epoch]))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=0.1)


def fit(folder: Path, epochs: int, resume: bool = False, patience: int = 100, noise: bool = True) -> Trainer:
    """Train in a process whose generator stands anywhere, as that of a fresh process does."""
    torch.manual_seed(0)
    module = Noisy()
    torch.seed()
    named = {"save_on_train_epoch_end": True, "enable_version_counter": False}
    trainer = Trainer(
        callbacks=[
            History(folder / "metrics.csv"),
            *([BatchNoise(3)] if noise else []),
            LastingEarlyStopping("val/loss", patience=patience),
            FolderCheckpoint(folder, "best", monitor="val/loss", **named),
            FolderCheckpoint(folder, "last", **named),
        ],
        plugins=[AtomicCheckpointIO()],
        **{"max_epochs": epochs, "accelerator": "cpu", "logger": False, "num_sanity_val_steps": 0},
        **{"enable_progress_bar": False, "enable_model_summary": False, "default_root_dir": folder},
    )
    data = DataLoader(torch.arange(24.0).reshape(6, 4) / 24, batch_size=2)  # type: ignore[arg-type]
    trainer.fit(module, data, data, ckpt_path=folder / "last.ckpt" if resume else None, weights_only=True)
    return trainer


def weights(folder: Path, name: str = "last") -> dict[str, Tensor]:
    return torch.load(folder / f"{name}.ckpt", weights_only=True)["state_dict"]


def same(first: dict[str, Tensor], second: dict[str, Tensor]) -> bool:
    return all(torch.equal(first[name], second[name]) for name in first)


def test_a_net_with_dropout_resumes_to_the_same_bits(tmp_path: Path) -> None:
    fit(tmp_path / "whole", 4)
    fit(tmp_path / "halves", 2)
    fit(tmp_path / "halves", 4, resume=True)
    for name in ("best", "last"):
        assert same(weights(tmp_path / "whole", name), weights(tmp_path / "halves", name))
    tables = [(tmp_path / run / "metrics.csv").read_text() for run in ("whole", "halves")]
    assert tables[0] == tables[1]
    assert len(tables[0].splitlines()) == 5


def test_without_the_seed_of_its_batch_it_would_not(tmp_path: Path) -> None:
    for run in ("first", "second"):
        fit(tmp_path / run, 1, noise=False)
    assert not same(weights(tmp_path / "first"), weights(tmp_path / "second"))


def test_a_moved_folder_keeps_its_best_checkpoint(tmp_path: Path) -> None:
    """Epochs 2 and 3 are worse than epoch 1, which is known from the folder's own old place alone."""
    fit(tmp_path / "old", 3)
    shutil.move(tmp_path / "old", tmp_path / "new")
    fit(tmp_path / "new", 4, resume=True)
    assert torch.load(tmp_path / "new" / "best.ckpt", weights_only=True)["epoch"] == 1
    assert torch.load(tmp_path / "new" / "last.ckpt", weights_only=True)["epoch"] == 3
    assert not (tmp_path / "old").exists()


def test_a_training_that_stopped_has_stopped(tmp_path: Path) -> None:
    """Two epochs without a better loss end it after epoch 3; epoch 6 would be better again."""
    fit(tmp_path, 7, patience=2)
    stopped = weights(tmp_path)
    assert fit(tmp_path, 7, resume=True, patience=2).current_epoch == 4
    assert same(weights(tmp_path), stopped)
    assert len((tmp_path / "metrics.csv").read_text().splitlines()) == 5


def test_a_write_that_fails_leaves_the_checkpoint_that_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "last.ckpt"
    AtomicCheckpointIO().save_checkpoint({"epoch": 1}, path)

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("lattice_ml.ground.files.os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        AtomicCheckpointIO().save_checkpoint({"epoch": 2}, path)
    assert torch.load(path, weights_only=True) == {"epoch": 1}
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(TypeError, match="no storage options"):
        AtomicCheckpointIO().save_checkpoint({}, path, storage_options={})


def test_what_numba_does_to_the_threads_is_undone() -> None:
    """In a process of its own, with the first layer that is there: OpenMP's reaches into torch, others do not."""
    code = """
import numba, numpy, torch
from lattice_ml.ground.checkpoints import keep_threads
@numba.njit(parallel=True)
def work(x):
    for i in numba.prange(len(x)):
        x[i] += 1
torch.set_num_threads(3)
with keep_threads():
    work(numpy.zeros(100))
    print("inside", torch.get_num_threads())
print("outside", torch.get_num_threads())
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.splitlines()[-1] == "outside 3"
