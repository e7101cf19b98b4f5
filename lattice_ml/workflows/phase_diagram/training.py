"""The training of one net on named phases: what it learns, from wherever it was interrupted, and how well it did."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lattice_ml.data.settings import DataSettings
from lattice_ml.ground.errors import UserError
from lattice_ml.ground.recipe import Recipe
from lattice_ml.runs.run import Run
from lattice_ml.runs.training import Training, next_epoch

if TYPE_CHECKING:
    import xarray as xr
    from lightning import Callback
    from lightning.pytorch.loggers import Logger
    from torch import nn

    from lattice_ml.data.datamodule import EnsembleData
    from lattice_ml.phases.label import Labels
    from lattice_ml.systems.base import System
    from lattice_ml.tasks.classify_phase import ClassifyPhase


def build_net(model: Recipe[nn.Module], system: System) -> nn.Module:
    """The net for the system's channels, torus and phases."""
    return model(in_channels=len(system.channels), extents=system.extents, classes=len(system.phases))


def label_by_point(
    settings: DataSettings, system: System, ensemble: xr.Dataset, labels: Labels, seed: int
) -> EnsembleData:
    """The ensemble with one label a point, found on all configurations or on some."""
    return label(settings, system, ensemble, labels.labels[:, :1, :1], seed)


def label(settings: DataSettings, system: System, ensemble: xr.Dataset, labels: np.ndarray, seed: int) -> EnsembleData:
    """The labelled ensemble, split by replica: on the training device, or streamed where ``settings.memory`` is less.

    labels: numbers of classes, integer ``[point, replica, sample]`` or broadcast to it. seed: of split and batches.
    """
    from lattice_ml.data.datamodule import EnsembleData

    shape = [ensemble.sizes[name] for name in ("point", "replica", "sample")]
    assert settings.split is not None  # checked before any work
    return EnsembleData(
        ensemble,
        system,
        np.broadcast_to(labels, shape),
        batch_size=settings.batch_size or 64,
        split=list(settings.split),
        augment=settings.augmentation(),
        seed=seed,
        memory=settings.memory,
    )


def train(
    training: Training,
    recipe: Recipe[ClassifyPhase],
    run: Run,
    data: EnsembleData,
    net: nn.Module,
    loggers: list[Logger],
    samples: int,
    callbacks: Sequence[Callback] = (),
) -> ClassifyPhase:
    """Fit to the named phases and return the classifier of the best validation loss; goes on where it was killed.

    samples: of one trajectory, for the error of the test accuracy. ``callbacks`` are told of the training beside those
    of the configuration.
    """
    from lattice_ml.tasks.classify_phase import load_classifier
    from lattice_ml.workflows.phase_diagram import figures as phase_figures

    resume = resume_point(run.checkpoints, net, data.system)
    if resume is not None:
        run.console.print(f"going on from {resume}, epoch {next_epoch(resume)}", highlight=False, soft_wrap=True)
    task = recipe(net=net, system=data.system)
    history = training.fit(run.folder, task, data, loggers, resume, callbacks)
    losses = [row["val/loss"] for row in history]
    if not np.isfinite(losses).all():
        raise UserError(f"training diverged with task.lr = {task.lr:g}: give a smaller one, e.g. task.lr=1e-3.")
    best = load_classifier(run.checkpoints / "best.ckpt", net, data.system).to(data.device)

    truth = data.labels.cpu()[data.index["test"]].numpy()
    predicted = np.concatenate([best.probabilities(states).argmax(axis=1) for states in data.parts("test")])
    counts = np.zeros((data.classes, data.classes), dtype=np.int64)
    np.add.at(counts, (truth, predicted), 1)
    phase_figures.draw_training(run.figures, history, counts, data.system.phases)

    run.results["metrics"] = {
        "test_accuracy": accuracy((truth == predicted).reshape(-1, samples)),
        "validation_loss": {"value": min(losses), "error": None, "n": len(data.index["val"])},
        "parameters": {"value": sum(p.numel() for p in net.parameters()), "error": None},
        "epochs": {"value": len(losses), "error": None},
        "best_epoch": {"value": int(np.argmin(losses)), "error": None},
    }
    return best


def resume_point(checkpoints: Path, net: nn.Module, system: System) -> Path | None:
    """The newest readable checkpoint of an interrupted training; a damaged one is passed over."""
    from lattice_ml.tasks.classify_phase import load_classifier

    for path in (checkpoints / "last.ckpt", checkpoints / "best.ckpt"):
        try:
            load_classifier(path, net, system)
        except UserError:
            continue
        return path
    return None


def accuracy(correct: np.ndarray) -> dict[str, Any]:
    """Share of correct configurations ``[trajectory, sample]``; its error from the spread between trajectories."""
    shares = correct.mean(axis=1)
    error = float(shares.std(ddof=1) / np.sqrt(len(shares))) if len(shares) > 1 else None
    return {"value": float(correct.mean()), "error": error, "n": correct.size}
