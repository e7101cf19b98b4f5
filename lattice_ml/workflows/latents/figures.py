"""The pictures of workflows that look into an encoder: which arrays go into each, and its caption."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lattice_ml.figures import save
from lattice_ml.figures.captions import caption

if TYPE_CHECKING:
    from lattice_ml.explain.latents import Information
    from lattice_ml.systems.base import System


def draw_training(folder: Path, history: Sequence[dict[str, float]], logarithmic: bool) -> None:
    """Loss and KL divergence by epoch; ``logarithmic`` where the loss is a squared error."""
    from lattice_ml.figures.nets import objective

    columns = {key: [row.get(key.replace("_", "/", 1), np.nan) for row in history] for key in KEYS}
    best = int(np.argmin(columns["val_loss"]))
    save(
        folder,
        "training",
        {"epoch": np.arange(len(history)), **columns, "best_epoch": best, "logarithmic": logarithmic},
        objective.draw,
    )
    caption(
        folder,
        "training",
        "Training",
        "What is minimised, on training and validation replicas, and the information that the latents hold of a "
        "configuration (KL divergence from the prior). The weights of the best validation loss are kept. The loss of "
        "the validation is taken at the posterior's mean where answers are asked for.",
        f"Loss and KL divergence over {len(history)} epochs; best epoch {best}.",
    )


KEYS = ("train_loss", "val_loss", "val_kl")


def draw_information(
    folder: Path, name: str, table: Information, title: str, text: str, below: Information | None = None
) -> None:
    """A table of mutual information, and another of the same columns set apart from it."""
    from lattice_ml.figures.latents import information_table

    both = table if below is None else table.above(below)
    arrays = {key: getattr(both, key) for key in ("rows", "columns", "value", "error")}
    arrays["apart"] = 0 if below is None else len(table.rows)
    save(folder, name, arrays, information_table.draw)
    shown = np.where(np.isfinite(table.value), table.value, -1)
    row, column = np.unravel_index(np.argmax(shown), shown.shape)
    caption(
        folder,
        name,
        title,
        text,
        f"Table of {len(table.columns)} by {len(table.rows)}; the largest is {shown[row, column]:.2f} nats, between "
        f"{table.rows[row]} and {table.columns[column]}.",
    )


def draw_plane(
    folder: Path, plane: np.ndarray, axes: Sequence[str], latents: np.ndarray, names: Sequence[str], text: str
) -> None:
    """Latents ``[n, latent]`` over a plane ``[n, 2]`` of two known quantities."""
    from lattice_ml.figures.latents import latent_plane

    arrays = {"plane": plane, "axes": list(axes), "latents": latents, "names": list(names)}
    save(folder, "latent_plane", arrays, latent_plane.draw)
    caption(
        folder,
        "latent_plane",
        "What the latents are",
        text,
        f"{latents.shape[1]} latents as colours over {axes[0]} and {axes[1]}.",
    )


def draw_answers(
    folder: Path,
    query: np.ndarray,
    truth: np.ndarray,
    answer: np.ndarray,
    titles: Sequence[str],
    outputs: Sequence[str],
    axis: str,
    text: str,
    seen: float = np.nan,
) -> None:
    """Answers beside the truth, both ``[observation, question, output]``."""
    from lattice_ml.figures.latents import answers

    arrays = {
        "query": query,
        "truth": truth,
        "answer": answer,
        "titles": list(titles),
        "outputs": list(outputs),
        "axis": axis,
        "seen": seen,
    }
    save(folder, "answers", arrays, answers.draw)
    caption(
        folder, "answers", "Questions answered", text, f"Curves for {len(titles)} observations: {', '.join(titles)}."
    )


def draw_traversals(
    folder: Path, fields: np.ndarray, steps: np.ndarray, names: Sequence[str], channels: Sequence[str]
) -> None:
    """What the decoder expects, ``fields`` ``[latent, step, channel, x, y]``, as each latent is turned."""
    from lattice_ml.figures.latents import traversals

    arrays = {"fields": fields[:, :, 0], "steps": steps, "names": list(names), "channel": channels[0]}
    save(folder, "traversals", arrays, traversals.draw)
    caption(
        folder,
        "traversals",
        "Each latent turned by itself",
        f"Expected {channels[0]} as one latent goes from {steps[0]:g} to {steps[-1]:g} standard deviations and "
        "the others stay in the middle, by falling KL.",
        f"Maps for {len(names)} latents at {len(steps)} values.",
    )


def draw_interpolation(
    folder: Path, ends: np.ndarray, walk: np.ndarray, system: System, control: Sequence[float]
) -> None:
    """Two configurations ``[2, channel, x, y]`` and what the decoder expects between them ``[step, channel, x, y]``."""
    from lattice_ml.figures.latents import traversals

    fields = np.concatenate((ends[:1], walk, ends[1:]))[None, :, 0]
    steps = [f"{system.control} = {control[0]:g}", *(f"{share:g}" for share in np.linspace(0, 1, len(walk)))]
    steps.append(f"{system.control} = {control[1]:g}")
    arrays = {"fields": fields, "steps": steps, "names": ["walk"], "channel": system.channels[0]}
    save(folder, "interpolation", arrays, traversals.draw)
    caption(
        folder,
        "interpolation",
        "From one configuration to another",
        "Two held-out configurations (first and last) and what the decoder expects on the straight line between their "
        "latents.",
        "A row of maps.",
    )


def draw_prior(
    folder: Path,
    system: System,
    true: np.ndarray,
    drawn: np.ndarray,
    lowest: Sequence[int],
    highest: Sequence[int],
    tests: dict[str, Any],
) -> None:
    """Histograms of the species and structure factors of the channels: the ensemble's and the prior's."""
    from lattice_ml.explain.prior import structure_factors
    from lattice_ml.figures.latents import prior

    low, high = min(lowest), max(highest)
    bins = np.arange(low, high + 2) - 0.5
    histograms = np.array(
        [[np.histogram(part[:, s], bins, density=True)[0] for part in (true, drawn)] for s in range(true.shape[1])]
    )
    factors = [structure_factors(system, part)[:, :, 0] for part in (true, drawn)]
    save(
        folder,
        "prior",
        {
            "numbers": np.arange(low, high + 1),
            "histograms": histograms,
            "species": list(system.species),
            "factors": np.stack([own.mean(0) for own in factors], axis=1),
            "errors": np.stack([own.std(0, ddof=1) / np.sqrt(len(own)) for own in factors], axis=1),
            "channels": list(system.channels),
        },
        prior.draw,
    )
    said = "; ".join(
        f"{name}: p = {found['prior']['p']:.3g} (posteriors instead: {found['posteriors']['p']:.3g}, halves "
        f"of the ensemble: {found['halves_of_the_ensemble']['p']:.2g})"
        for name, found in tests.items()
        if isinstance(found, dict)
    )
    caption(
        folder,
        "prior",
        "Configurations drawn from the prior",
        f"Above, the share of sites with n of each species; below, structure factors along x: {len(true)} held-out "
        f"configurations (solid) and as many drawn from the prior (dashed). Energy-distance tests: {said}.",
        "Histograms and structure factors of the ensemble and of the prior.",
    )


def draw_dimensions(folder: Path, rows: Sequence[dict[str, Any]], label: str) -> None:
    """Loss, latents in use and information against the number of latents."""
    from lattice_ml.figures.latents import dimensions

    names = list(rows[0]["information"])
    save(
        folder,
        "dimensions",
        {
            "latents": [row["latents"] for row in rows],
            "loss": [row["loss"] for row in rows],
            "in_use": [row["in_use"] for row in rows],
            "information": [[row["information"][name]["value"] for row in rows] for name in names],
            "errors": [[row["information"][name]["error"] for row in rows] for name in names],
            "names": names,
            "label": label,
        },
        dimensions.draw,
    )
    caption(
        folder,
        "dimensions",
        "How many latents",
        "Validation loss, latents in use, and the most that any single latent tells of each quantity (ksg), against "
        "the number of latents that the net was given.",
        f"Curves for {len(rows)} numbers of latents.",
    )
