"""The pictures of the workflow without labels: which arrays go into each, and its caption."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lattice_ml.ensembles.store import points_of
from lattice_ml.figures import load, save
from lattice_ml.figures.captions import caption
from lattice_ml.workflows.phase_diagram import label_figures
from lattice_ml.workflows.unsupervised.numbers import CLAIM
from lattice_ml.workflows.unsupervised.transitions import ALLOWED

if TYPE_CHECKING:
    import xarray as xr

    from lattice_ml.phases.label import Labels
    from lattice_ml.systems.base import System
    from lattice_ml.workflows.unsupervised.numbers import CurveNumbers, Projection, ShareNumbers
    from lattice_ml.workflows.unsupervised.transitions import TransitionNumbers

STORY = (
    "pca",
    "shot_noise",
    "principal_planes",
    "principal_curves",
    "groups",
    "embedding",
    "transitions",
    "order_parameter",
    "configurations",
    "back_projection",
)
"""Figures in the order of the paper: its figure 1, what stands behind it, figure 2, 5 and 6."""

ORIENTED = ("", ", mirrored", ", third", ", fourth")
"""What tells the oriented groups of one phase apart in a legend."""


def draw_groups(folder: Path, system: System, labels: Labels) -> None:
    """The plane of ``embedding.npz`` coloured by the groups that the mirror of the rules tells apart."""
    from lattice_ml.figures.phases import embedding

    arrays = load(folder / "embedding.npz")
    names, numbers = [], np.full(labels.group.shape, -1)
    for k, phase in enumerate(labels.phases):
        for place, group in enumerate(np.unique(labels.group[labels.phase == k])):
            numbers[(labels.group == group) & (labels.phase == k)] = len(names)
            names.append(phase + (ORIENTED[place] if place < len(ORIENTED) else f", {place + 1}"))
    save(folder, "groups", {**arrays, "phase": numbers.ravel(), "phases": names}, embedding.draw)
    caption(
        folder,
        "groups",
        "Groups without labels",
        "Every configuration in the UMAP plane of its principal components, coloured by "
        f"{system.control} (left) and by the "
        "group that it was found in (right). Clusters are found by how densely points lie; those that translations map "
        "onto one another are one group, and those that the mirror of the rules maps onto one another are a phase and "
        "its mirrored twin.",
        f"UMAP plane of {labels.phase.size} configurations in {len(names)} groups: {', '.join(names)}.",
    )


def draw_spectrum(
    folder: Path, ratios: np.ndarray, weights: np.ndarray, shares: ShareNumbers, ensemble: xr.Dataset, system: System
) -> None:
    """Figure 1 of the paper with the floor, and the whole spectrum with what smoothing leaves."""
    from lattice_ml.figures.phases import shot_noise
    from lattice_ml.phases.shot_noise import noise_spectrum

    errors = [row["linear"]["error"] for row in shares.rows]
    noise = noise_spectrum(shares.density, shares.samples, shares.sites)
    fields = weights.reshape(-1, *system.extents)
    label_figures.draw_components(folder, ratios, fields, noise[: len(ratios)] / shares.eigenvalues.sum())
    save(
        folder,
        "shot_noise",
        {
            "eigenvalues": shares.eigenvalues,
            "noise": noise,
            "level": shares.density,
            "blocks": [row["averaged over"] for row in shares.rows],
            "missing": [1 - row["linear"]["value"] for row in shares.rows],
            "missing_error": [np.nan if error is None else error for error in errors],
            "missing_noise": [row["shot_noise"] for row in shares.rows],
            "components": shares.components,
            "claim": CLAIM,
            **_place(ensemble, system),
        },
        shot_noise.draw,
    )
    caption(
        folder,
        "shot_noise",
        "Shot noise in the spectrum",
        f"Above: all eigenvalues of the covariance of {shares.samples:,} configurations of {shares.sites:,} sites, "
        "beside those of particles that are counted and nothing else: the variance of the magnetisation of a site is "
        "its mean number of particles, and with fewer configurations than sites the eigenvalues spread out (Marchenko "
        f"and Pastur). Below: the variance that {shares.components} components leave out, when the magnetisation is "
        "first averaged over b × b sites or over y. The paper's claim is that they leave out at most "
        f"{1 - CLAIM:.1%}.",
        "Spectrum of the covariance beside that of shot noise; variance beyond the leading components against the size "
        "of the blocks averaged over.",
    )


def draw_planes(folder: Path, principal: np.ndarray, ensemble: xr.Dataset, system: System) -> None:
    """Figure 2, scatters."""
    from lattice_ml.figures.phases import principal_planes

    control = np.asarray(ensemble[system.control].values)
    arrays = {"principal": principal[:, :3], "control": np.repeat(control, len(principal) // len(control))}
    save(folder, "principal_planes", {**arrays, **_place(ensemble, system)}, principal_planes.draw)
    caption(
        folder,
        "principal_planes",
        "Leading principal components",
        "Every configuration in the planes of its first three principal components. The first is the total "
        "magnetisation: gas in the middle, the liquids of both signs at the ends. The second and third are the wave of "
        "period L along x: a band anywhere makes a ring.",
        f"Scatter plots of {len(principal)} configurations, p1-p2, p1-p3 and p2-p3, coloured by {system.control}.",
    )


def draw_curves(folder: Path, curves: CurveNumbers, ensemble: xr.Dataset, system: System) -> None:
    """Figure 2, curves."""
    from lattice_ml.figures.phases import principal_curves

    save(
        folder,
        "principal_curves",
        {"control": curves.control, **curves.arrays, **_place(ensemble, system)},
        principal_curves.draw,
    )
    caption(
        folder,
        "principal_curves",
        "What the leading components measure",
        "Above: the mean modulus of the first principal component per particle, and the order parameter of the same "
        "configurations. Middle: the amplitude of the second and third, and that of a box-shaped band of the measured "
        "liquid fraction f and magnetisation m_h. Below: f, the share of columns whose y-averaged density lies above "
        "the middle of the two plateaus, and what the lever rule makes of the plateaus. The paper reads the maximum of "
        "the amplitude as f = 1/2; dotted lines with their errors (replicas resampled) show both places.",
        f"Principal amplitudes and the liquid fraction against {system.control}.",
    )


def draw_typical(folder: Path, system: System, ensemble: xr.Dataset, shown: Sequence[int]) -> None:
    """Figure 5."""
    label_figures.draw_configurations(folder, system, ensemble, shown)


def draw_projection(folder: Path, found: Projection, point: int, ensemble: xr.Dataset, system: System) -> None:
    """Figure 6."""
    from lattice_ml.figures.phases import back_projection

    save(
        folder,
        "back_projection",
        {
            "field": found.field,
            "projected": found.projected,
            "components": found.components,
            "control": float(ensemble[system.control].values[point]),
            **_place(ensemble, system),
        },
        back_projection.draw,
    )
    caption(
        folder,
        "back_projection",
        "A configuration from its principal components",
        "The magnetisation of one configuration, and what its first principal components make of it again: the band "
        "stays, the noise of counted particles on single sites goes.",
        f"Raw map, and the maps from {', '.join(map(str, found.components))} components.",
    )


def draw_transitions(folder: Path, found: TransitionNumbers, ensemble: xr.Dataset, system: System) -> None:
    """Clusters beside the truth."""
    from lattice_ml.figures.phases import transitions

    pairs = list(dict.fromkeys(row["transition"] for row in found.rows))[: found.resampled.shape[1]]

    def column(method: str, key: str) -> list[float]:
        known = {row["transition"]: row for row in found.rows if row["method"] == method}
        values = [known.get(pair, {}).get(key) for pair in pairs]
        return [np.nan if value is None else float(value) for value in values]

    save(
        folder,
        "transitions",
        {
            "transitions": pairs,
            "found": column("umap", "value"),
            "found_error": column("umap", "error"),
            "truth": column("band", "value"),
            "truth_error": column("band", "error"),
            "resampled": found.resampled,
            "bar": ALLOWED,
            **_place(ensemble, system),
        },
        transitions.draw,
    )
    caption(
        folder,
        "transitions",
        "Transitions without labels, beside the truth",
        "Where the shares of two phases cross: by the clusters, and by whether a band is there, which nothing learned. "
        f"The strip is {ALLOWED:g} on both sides of the truth. Small dots: the clusters of every resampling of the "
        "replicas, embedded anew.",
        "Transitions of clusters and of the truth, with errors and resamplings.",
    )


def _place(ensemble: xr.Dataset, system: System) -> dict[str, Any]:
    """Along which control parameter the scan lies, and where."""
    return {"control_name": system.control, **label_figures.place(points_of(ensemble)[0], system.control)}
