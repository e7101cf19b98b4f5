"""The pictures of the step that names phases without labels: which arrays go into each, and its caption."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lattice_ml.ensembles.store import points_of
from lattice_ml.figures import save
from lattice_ml.figures.captions import caption
from lattice_ml.phases.scan import place_of, standard_error
from lattice_ml.systems.channels import channels_of

if TYPE_CHECKING:
    import xarray as xr

    from lattice_ml.phases.embed import Embedding
    from lattice_ml.phases.label import Labels
    from lattice_ml.systems.base import Point, System

DRAWN_COMPONENTS = 5
OBSERVABLES = {
    "order": r"order parameter $\langle|\bar m|\rangle$",
    "band_amplitude": "band amplitude",
    "energy": "energy per site",
}
"""Those that are drawn of a system that has them."""


def draw_components(folder: Path, ratios: np.ndarray, components: np.ndarray, floor: np.ndarray | None = None) -> None:
    """Principal components and their ratios; ``floor`` [component]: those of noise, if known.

    components: ``[component, x, y]``, or ``[component, channel, x, y]``, whose channels stand side by side along x.
    """
    from lattice_ml.figures.phases import pca

    drawn = components.reshape(len(components), -1, components.shape[-1])[:DRAWN_COMPONENTS]
    save(
        folder,
        "pca",
        {
            "ratios": ratios,
            "profiles": drawn.mean(axis=2),
            "spread": drawn.std(axis=2),
            **({} if floor is None else {"floor": floor}),
        },
        pca.draw,
    )
    caption(
        folder,
        "pca",
        "Principal components",
        "Share of the variance of each principal component of the embedded channels, of all variance including the "
        "components not kept; below, the leading components averaged over y, with a band of three standard deviations "
        "over y. What may stand anywhere along x, such as a travelling band, appears as pairs of waves of periods L, "
        "L/2, L/3." + ("" if floor is None else " Dashed: the spectrum that counted particles have without any order."),
        f"Explained-variance ratios of {len(ratios)} principal components, and the x-profiles of the first "
        f"{DRAWN_COMPONENTS}.",
    )


def draw_plane(
    folder: Path,
    system: System,
    ensemble: xr.Dataset,
    embedding: Embedding,
    phase: np.ndarray,
    names: Sequence[str] = (),
) -> None:
    """The UMAP plane; ``phase`` [configuration]: indices into ``names``, by default the system's phases, -1 where there
    is none (yet)."""
    from lattice_ml.figures.phases import embedding as plane

    control = np.asarray(ensemble[system.control].values)
    save(
        folder,
        "embedding",
        {
            "umap": embedding.plane,
            "control_name": system.control,
            "control": np.repeat(control, len(phase) // len(control)),
            "phase": phase,
            "phases": list(names or system.phases),
            **place(points_of(ensemble)[0], system.control),
        },
        plane.draw,
    )
    caption(
        folder,
        "embedding",
        "Phases without labels",
        "Every configuration as a point in the UMAP plane of its principal components, coloured by "
        f"{system.control} (left) and by the phase that its cluster was named (right). No label was given: the "
        "clusters were found by how densely points lie, and named by the mean observables of their configurations.",
        f"UMAP plane of {len(phase)} configurations, coloured by {system.control} and by phase.",
    )


def draw_labels(folder: Path, system: System, ensemble: xr.Dataset, labels: Labels) -> None:
    """What the clusters say: the observables along the scan, and one configuration of each phase."""
    from lattice_ml.figures.phases import order_parameter

    control = np.asarray(ensemble[system.control].values)
    points = points_of(ensemble)
    values = [system.observables(ensemble["configurations"][k].to_numpy(), points[k]) for k in range(len(control))]
    known = {name: label for name, label in OBSERVABLES.items() if name in values[0]}
    shown = known or {name: name for name in values[0]}
    replicas = {name: np.stack([point[name].mean(axis=-1) for point in values]) for name in shown}
    found = [row for row in labels.transitions if row["value"] is not None]
    order = np.argsort(control)
    save(
        folder,
        "order_parameter",
        {
            "control": control[order],
            "control_name": system.control,
            "means": [replicas[name].mean(axis=1)[order] for name in shown],
            "errors": [standard_error(replicas[name])[order] for name in shown],
            "names": list(shown.values()),
            "transitions": [row["transition"] for row in found],
            "transition_value": [row["value"] for row in found],
            "transition_error": [row["error"] or 0.0 for row in found],
            **place(points[0], system.control),
        },
        order_parameter.draw,
    )
    caption(
        folder,
        "order_parameter",
        "Order parameter",
        f"{'; '.join(shown.values())}: means with one standard error over replicas. The band amplitude is that of the "
        "lowest magnetisation mode along the drift. Vertical lines: transitions read off the clusters."
        if "band_amplitude" in shown
        else f"{'; '.join(shown.values())}: means with one standard error over replicas. Vertical lines: transitions "
        "read off the clusters.",
        f"Observables against {system.control} with the transitions of the clusters.",
    )

    draw_configurations(
        folder, system, ensemble, [labels.middle(control, phase) for phase in range(len(system.phases))]
    )


def draw_configurations(folder: Path, system: System, ensemble: xr.Dataset, shown: Sequence[int]) -> None:
    """One configuration of each phase, in their order; ``shown``: numbers of the points."""
    from lattice_ml.figures.phases import configurations

    fields = np.stack([channels_of(system, ensemble["configurations"][k, 0, -1].to_numpy()).numpy() for k in shown])
    save(
        folder,
        "configurations",
        {
            "fields": fields,
            "channels": system.channels,
            "phases": system.phases,
            "control": np.asarray(ensemble[system.control].values)[list(shown)],
            "control_name": system.control,
            **place(points_of(ensemble)[0], system.control),
        },
        configurations.draw,
    )
    caption(
        folder,
        "configurations",
        "Typical configurations",
        "The last sample of the first replica at one point of each phase.",
        f"Maps of {' and '.join(system.channels)} of one configuration of each phase.",
    )


def place(point: Point, control: str) -> dict[str, Any]:
    """What a figure is told of where a scan lies: the value and the name of the parameter beside the control."""
    others = place_of(point, control)
    return {"place": others[0][1], "place_name": others[0][0]} if others else {}
