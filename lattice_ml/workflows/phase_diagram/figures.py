"""The pictures of the steps that train, predict and explain: which arrays go into each, and its caption."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lattice_ml.figures import save
from lattice_ml.figures.captions import caption
from lattice_ml.systems.channels import channels_of
from lattice_ml.workflows.phase_diagram.label_figures import place

if TYPE_CHECKING:
    from lattice_ml.phases.scan import Scan
    from lattice_ml.systems.base import Point, System

STORY = (
    "phase_diagram",
    "probabilities",
    "configurations",
    "pca",
    "embedding",
    "order_parameter",
    "training",
    "confusion",
    "saliency",
)
"""Figures in the order of the report: the answer first, then how it came about."""


def draw_training(folder: Path, rows: list[dict[str, float]], counts: np.ndarray, phases: tuple[str, ...]) -> None:
    """Curves of the training, and the confusion matrix of the test replicas."""
    from lattice_ml.figures.nets import training
    from lattice_ml.figures.phases import confusion

    columns = {"train_loss": "train/loss", "val_loss": "val/loss", "train_acc": "train/acc", "val_acc": "val/acc"}
    arrays: dict[str, Any] = {
        key: [row.get(name, np.nan) for row in rows]
        for key, name in columns.items()
        if any(name in row for row in rows)
    }
    epochs = [row["epoch"] for row in rows]
    best = epochs[int(np.argmin([row["val/loss"] for row in rows]))]
    save(folder, "training", {"epoch": epochs, "best_epoch": best, **arrays}, training.draw)
    caption(
        folder,
        "training",
        "Training",
        "Cross-entropy with its L2 term and accuracy at the end of every epoch. The weights of the best "
        "validation loss are kept.",
        f"Training and validation curves over {len(rows)} epochs; the best is epoch {best}.",
    )
    save(folder, "confusion", {"counts": counts, "phases": phases}, confusion.draw)
    caption(
        folder,
        "confusion",
        "Confusion matrix",
        "Configurations of the test replicas, whose trajectories the net has never seen: label against prediction.",
        "Confusion matrix of the test replicas.",
    )


def draw_predictions(
    folder: Path, system: System, scans: list[Scan], rows: list[dict[str, Any]], trained: Sequence[Point]
) -> None:
    """Class probabilities of every scan and, where scans differ in a parameter, the phase diagram in it.

    rows: contract 4's boundaries. trained: the places of the training data, the parameters beside the control.
    """
    draw_probabilities(folder, system, scans, rows)
    if scans[0].place:
        draw_phase_diagram(folder, system, scans, rows, trained)


def draw_probabilities(folder: Path, system: System, scans: list[Scan], rows: list[dict[str, Any]]) -> None:
    """Class probabilities of every scan, with the boundaries in them."""
    from lattice_ml.figures.phases import probabilities

    longest = max(len(scan.control) for scan in scans)

    def stacked(arrays: list[np.ndarray]) -> np.ndarray:
        out = np.full((len(arrays), longest, *arrays[0].shape[1:]), np.nan)
        for row, array in zip(out, arrays, strict=True):
            row[: len(array)] = array
        return out

    save(
        folder,
        "probabilities",
        {
            **places([scan.place for scan in scans]),
            "control": stacked([scan.control for scan in scans]),
            "control_name": system.control,
            "probability": stacked([scan.mean for scan in scans]),
            "error": np.nan_to_num(stacked([scan.error for scan in scans])),
            "phases": system.phases,
            "boundary_scan": [number_of(row, scans) for row in rows],
            **boundary_arrays(rows),
        },
        probabilities.draw,
    )
    caption(
        folder,
        "probabilities",
        "Class probabilities",
        f"Mean probability of each phase against {system.control}, with one standard error over replicas: of the "
        "ensemble of the training on replicas that the net was not trained on, and of what it has never seen. "
        "Boundaries lie where the probabilities of neighbouring phases cross.",
        f"Class probabilities against {system.control}, a panel per scan.",
    )


def boundary_arrays(rows: Sequence[dict[str, Any]]) -> dict[str, list[float]]:
    """Values and errors of boundaries as arrays, nan where there is none."""
    return {
        "boundary_value": [np.nan if row["value"] is None else row["value"] for row in rows],
        "boundary_error": [np.nan if row["error"] is None else row["error"] for row in rows],
    }


def draw_phase_diagram(
    folder: Path, system: System, scans: list[Scan], rows: list[dict[str, Any]], trained: Sequence[Point]
) -> None:
    """The boundaries in the plane of the control parameter and the parameter in which the scans differ."""
    from lattice_ml.figures.phases import phase_diagram

    control = np.concatenate([scan.control for scan in scans])
    found = boundary_arrays(rows)
    save(
        folder,
        "phase_diagram",
        {
            **places([scans[number_of(row, scans)].place for row in rows]),
            "value": found["boundary_value"],
            "control_name": system.control,
            "error": found["boundary_error"],
            "transition": [row["transition"] for row in rows],
            "method": [row["method"] for row in rows],
            "phases": system.phases,
            "trained": places(trained)["place"],
            "control_range": [control.min(), control.max()],
        },
        phase_diagram.draw,
    )
    caption(
        folder,
        "phase_diagram",
        "Phase diagram",
        "Boundaries from the crossings of the class probabilities of a single net. Errors are those of the "
        f"configurations (bootstrap over replicas) and of the grid in {system.control}; the spread between nets "
        "trained from other seeds is not in them.",
        f"Phase diagram: boundaries in {system.control} against one other parameter.",
    )


def draw_saliency(
    folder: Path, system: System, states: np.ndarray, saliency: np.ndarray, phase: str, point: Point
) -> None:
    """A configuration beside the magnitude of the gradient of its class score."""
    from lattice_ml.figures.explain import saliency as picture

    save(
        folder,
        "saliency",
        {
            "fields": channels_of(system, states).numpy(),
            "saliency": saliency,
            "channels": system.channels,
            "phase": phase,
            "control": point[system.control],
            "control_name": system.control,
            **place(point, system.control),
        },
        picture.draw,
    )
    caption(
        folder,
        "saliency",
        "Where the net looked",
        "Saliency |dS/dI| of the class score S of a configuration of the test replicas: how much the score "
        "changes with what each site holds.",
        f"A configuration of {phase} and the saliency map of its class score, per channel.",
    )


def places(points: Sequence[Point]) -> dict[str, Any]:
    """What a figure is told of several places: the values of the one parameter in which they may differ."""
    names = list(points[0])
    return {"place": [point[names[0]] for point in points], "place_name": names[0]} if names else {}


def number_of(row: dict[str, Any], scans: list[Scan]) -> int:
    """The scan that a boundary was found on."""
    return next(k for k, scan in enumerate(scans) if all(row[name] == value for name, value in scan.place.items()))
