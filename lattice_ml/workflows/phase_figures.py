"""The pictures of a phase-diagram run: which arrays go into each, and its caption."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from lattice_ml.figures import save
from lattice_ml.run import Run, write_text

if TYPE_CHECKING:
    import xarray as xr

    from lattice_ml.phases.embed import Embedding
    from lattice_ml.phases.label import Labels
    from lattice_ml.systems.base import Point, System

DRAWN_COMPONENTS = 5
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


@dataclass(frozen=True)
class Scan:
    """Class probabilities along the control parameter at one density, averaged over the configurations.

    T [point]; mean and error [point, class], the error from the spread over replicas (nan for a single one).
    """

    rho0: float
    T: Float[np.ndarray, " point"]
    mean: Float[np.ndarray, "point class"]
    error: Float[np.ndarray, "point class"]


def draw_components(run: Run, embedding: Embedding) -> None:
    """Principal components, before any name is given."""
    from lattice_ml.figures import pca

    save(
        run.folder / "figures",
        "pca",
        {"ratios": embedding.ratios, "profiles": embedding.components[:DRAWN_COMPONENTS].mean(axis=2)},
        pca.draw,
    )
    caption(
        run,
        "pca",
        "Principal components",
        "Share of the variance of each principal component of the magnetisation matrix, of all variance including the "
        "components not kept; below, the leading components averaged over y. A band travelling along x "
        "appears as pairs "
        "of waves of periods L, L/2, L/3.",
        f"Explained-variance ratios of {len(embedding.ratios)} principal components, and the x-profiles of the first "
        f"{DRAWN_COMPONENTS}.",
    )


def draw_labels(run: Run, system: System, ensemble: xr.Dataset, embedding: Embedding, labels: Labels) -> None:
    """What the clusters say: the plane, the observables along the scan, one configuration of each phase."""
    from lattice_ml.figures import configurations, order_parameter
    from lattice_ml.figures import embedding as plane

    folder, rho0 = run.folder / "figures", float(ensemble["rho0"].values[0])
    control = np.asarray(ensemble["T"].values)
    save(
        folder,
        "embedding",
        {
            "umap": embedding.plane,
            "T": np.repeat(control, labels.phase[0].size),
            "phase": labels.phase.ravel(),
            "phases": system.phases,
            "rho0": rho0,
        },
        plane.draw,
    )
    caption(
        run,
        "embedding",
        "Phases without labels",
        "Every configuration as a point in the UMAP plane of its principal components, coloured by "
        "temperature (left) and by "
        "the phase that its cluster was named (right). No label was given: the clusters were found by density "
        "and named "
        "by their mean order and density modulation.",
        f"UMAP plane with {int(labels.cluster.max()) + 1} clusters named {', '.join(system.phases)}.",
    )

    shown = {"order": r"$\langle|\bar m|\rangle$", "band_amplitude": "band amplitude"}
    values = [system.observables(ensemble["configurations"][k].to_numpy()) for k in range(len(control))]
    replicas = {name: np.stack([point[name].mean(axis=-1) for point in values]) for name in shown}
    found = [row for row in labels.transitions if row["T"] is not None]
    order = np.argsort(control)
    save(
        folder,
        "order_parameter",
        {
            "T": control[order],
            "means": [replicas[name].mean(axis=1)[order] for name in shown],
            "errors": [standard_error(replicas[name])[order] for name in shown],
            "names": list(shown.values()),
            "transitions": [row["transition"] for row in found],
            "transition_T": [row["T"] for row in found],
            "transition_error": [row["error"] or 0.0 for row in found],
            "rho0": rho0,
        },
        order_parameter.draw,
    )
    caption(
        run,
        "order_parameter",
        "Order parameter",
        "Order parameter and amplitude of the lowest magnetisation mode along the drift (non-zero where a "
        "band stands), "
        "with one standard error over replicas. Vertical lines: transition temperatures read off the clusters.",
        "Order parameter and band amplitude against temperature with the transition temperatures of the clusters.",
    )

    middles = [middle_point(labels, ensemble, phase) for phase in range(len(system.phases))]
    fields = np.stack([channels_of(system, ensemble["configurations"][k, 0, -1].to_numpy()) for k in middles])
    save(
        folder,
        "configurations",
        {
            "fields": fields,
            "channels": system.channels,
            "phases": system.phases,
            "T": control[middles],
            "rho0": rho0,
        },
        configurations.draw,
    )
    caption(
        run,
        "configurations",
        "Typical configurations",
        "The last sample of the first replica at the middle temperature of each phase. The drift is along x.",
        "Magnetisation and density maps of one configuration of each phase.",
    )


def draw_training(run: Run, rows: list[dict[str, float]], counts: np.ndarray, phases: tuple[str, ...]) -> None:
    """Curves of the training, and the confusion matrix of the test replicas."""
    from lattice_ml.figures import confusion, training

    folder = run.folder / "figures"
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
        run,
        "training",
        "Training",
        "Cross-entropy with its L2 term and accuracy at the end of every epoch. The weights of the best "
        "validation loss are kept.",
        f"Training and validation curves over {len(rows)} epochs; the best is epoch {best}.",
    )
    save(folder, "confusion", {"counts": counts, "phases": phases}, confusion.draw)
    caption(
        run,
        "confusion",
        "Confusion matrix",
        "Configurations of the test replicas, whose trajectories the net has never seen: label against prediction.",
        "Confusion matrix of the test replicas.",
    )


def draw_predictions(run: Run, phases: tuple[str, ...], scans: list[Scan], trained: list[float]) -> None:
    """Class probabilities at every density, and the phase diagram from their crossings."""
    from lattice_ml.figures import phase_diagram, probabilities

    folder, rows = run.folder / "figures", run.results["boundaries"]
    boundary_T = [np.nan if row["T"] is None else row["T"] for row in rows]
    boundary_error = [np.nan if row["error"] is None else row["error"] for row in rows]
    longest = max(len(scan.T) for scan in scans)

    def stacked(arrays: list[np.ndarray]) -> np.ndarray:
        out = np.full((len(arrays), longest, *arrays[0].shape[1:]), np.nan)
        for row, array in zip(out, arrays, strict=True):
            row[: len(array)] = array
        return out

    save(
        folder,
        "probabilities",
        {
            "rho0": [scan.rho0 for scan in scans],
            "T": stacked([scan.T for scan in scans]),
            "probability": stacked([scan.mean for scan in scans]),
            "error": np.nan_to_num(stacked([scan.error for scan in scans])),
            "phases": phases,
            "boundary_rho0": [row["rho0"] for row in rows],
            "boundary_T": boundary_T,
            "boundary_error": boundary_error,
        },
        probabilities.draw,
    )
    caption(
        run,
        "probabilities",
        "Class probabilities",
        "Mean probability of each phase against temperature, with one standard error over replicas, at the "
        "density of the "
        "training (on replicas that the net was not trained on) and at densities that it has never seen. "
        "Boundaries lie "
        "where the probabilities of neighbouring phases cross.",
        "Class probabilities against temperature, a panel per density.",
    )
    control = np.concatenate([scan.T for scan in scans])
    save(
        folder,
        "phase_diagram",
        {
            "rho0": [row["rho0"] for row in rows],
            "T": boundary_T,
            "error": boundary_error,
            "transition": [row["transition"] for row in rows],
            "method": [row["method"] for row in rows],
            "phases": phases,
            "trained_rho0": trained,
            "T_range": [control.min(), control.max()],
        },
        phase_diagram.draw,
    )
    caption(
        run,
        "phase_diagram",
        "Phase diagram",
        "Boundaries of the (density, temperature) plane from the crossings of the class probabilities of a "
        "single net. Errors "
        "are those of the configurations (bootstrap over replicas) and of the temperature grid; the spread "
        "between nets "
        "trained from other seeds is not in them.",
        "Phase diagram in the plane of density and temperature.",
    )


def draw_saliency(
    run: Run, system: System, states: np.ndarray, saliency: np.ndarray, phase: str, T: float, rho0: float
) -> None:
    """A configuration beside the magnitude of the gradient of its class score."""
    from lattice_ml.figures import saliency as picture

    save(
        run.folder / "figures",
        "saliency",
        {
            "fields": channels_of(system, states),
            "saliency": saliency,
            "channels": system.channels,
            "phase": phase,
            "T": T,
            "rho0": rho0,
        },
        picture.draw,
    )
    caption(
        run,
        "saliency",
        "Where the net looked",
        "Saliency |dS/dI| of the class score S of a configuration of the test replicas: how much the score "
        "changes with "
        "the magnetisation and the density of each site.",
        f"A configuration of {phase} and the saliency map of its class score, per channel.",
    )


def order_captions(run: Run) -> None:
    """Put the figures into the order in which the report tells the story."""
    path = run.folder / "figures" / "captions.json"
    captions = json.loads(path.read_text(encoding="utf-8"))
    story = [name for name in STORY if name in captions]
    write_text(path, json.dumps({name: captions[name] for name in story}, indent=2) + "\n")


def caption(run: Run, name: str, title: str, text: str, alt: str) -> None:
    """Add a figure to ``figures/captions.json``, which the report reads."""
    path = run.folder / "figures" / "captions.json"
    captions = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    captions[name] = {"title": title, "caption": text, "alt": alt}
    write_text(path, json.dumps(captions, indent=2) + "\n")


def channels_of(system: System, states: np.ndarray) -> np.ndarray:
    """What the net sees of one configuration: float32 ``[channel, x, y]``."""
    import torch

    return system.to_channels(torch.from_numpy(states.astype(np.int32))).numpy()


def middle_point(labels: Labels, ensemble: xr.Dataset, phase: int) -> int:
    """The point nearest to the middle of a phase's temperature range."""
    control = np.asarray(ensemble["T"].values)
    own = control[labels.labels[:, 0, 0] == phase]
    return int(np.argmin(np.abs(control - (own.min() + own.max()) / 2)))


def scans_of(points: Sequence[Point], probabilities: Float[np.ndarray, "point replica sample class"]) -> list[Scan]:
    """The scans of an ensemble, one per density, each sorted by temperature."""
    scans = []
    for rho0 in sorted({point["rho0"] for point in points}):
        members = sorted((k for k, point in enumerate(points) if point["rho0"] == rho0), key=lambda k: points[k]["T"])
        replicas = probabilities[members].mean(axis=2)
        control = np.array([points[k]["T"] for k in members])
        scans.append(Scan(rho0, control, replicas.mean(axis=1), standard_error(replicas)))
    return scans


def standard_error(replicas: Float[np.ndarray, "point replica *rest"]) -> Float[np.ndarray, "point *rest"]:
    """Standard error of the mean over replicas, nan for a single one."""
    count = replicas.shape[1]
    if count == 1:
        return np.full_like(replicas[:, 0], np.nan)
    return replicas.std(axis=1, ddof=1) / np.sqrt(count)
