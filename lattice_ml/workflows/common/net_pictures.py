"""Pictures of nets by themselves, for any workflow: their steps, and the kernels that they begin with."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lattice_ml.figures import save
from lattice_ml.figures.captions import caption

if TYPE_CHECKING:
    from torch import nn

    from lattice_ml.systems.base import Point, System


def draw_architecture(folder: Path, net: nn.Module, in_channels: int, extents: tuple[int, int], title: str) -> None:
    """The steps of a net on one torus, as ``architecture.png``."""
    from lattice_ml.figures.nets import architecture
    from lattice_ml.nets.outline import outline, total, units

    steps = outline(net, in_channels, extents)
    save(
        folder,
        "architecture",
        {
            "operations": [step.operation for step in steps],
            "shapes": [" × ".join(map(str, step.shape)) for step in steps],
            "activations": [", ".join(step.activations) for step in steps],
            "parameters": [step.parameters for step in steps],
            "units": [units(step) for step in steps],
            "title": title,
        },
        architecture.draw,
    )
    caption(
        folder,
        "architecture",
        "Architecture",
        "What the net does with a configuration, from the input down, drawn from the net itself: the shape that each "
        "step hands on, the function applied to it, and the parameters that the step takes.",
        f"{title}: {len(steps) - 1} steps, {total(steps):,} parameters.",
    )


def draw_saliency_nets(
    folder: Path,
    system: System,
    states: np.ndarray,
    maps: Mapping[str, np.ndarray],
    phase: str,
    point: Point,
    name: str = "saliency_nets",
) -> None:
    """Saliency maps ``[channel, x, y]`` of several nets, by their names, beside the configuration
    ``[species, x, y]``."""
    from lattice_ml.explain.edges import edge_overlap, profile_along_x, slope_along_x
    from lattice_ml.figures.explain import saliency_nets
    from lattice_ml.systems.channels import channels_of
    from lattice_ml.workflows.phase_diagram.label_figures import place

    fields = channels_of(system, states).numpy()
    density = fields[system.channels.index("density")][None]
    save(
        folder,
        name,
        {
            "fields": fields,
            "channels": system.channels,
            "nets": list(maps),
            "saliency": np.stack(list(maps.values())),
            "columns": np.stack([profile_along_x(np.abs(own).sum(axis=0)) for own in maps.values()]),
            "slope": slope_along_x(density)[0],
            "score": [edge_overlap(own[None], density).score for own in maps.values()],
            "phase": phase,
            "control": point[system.control],
            "control_name": system.control,
            **place(point, system.control),
        },
        saliency_nets.draw,
    )
    caption(
        folder,
        name,
        "Where the nets looked",
        f"A configuration and the saliency |dS/dI| of the score of {phase}, of each net on a scale of its own. Below: "
        "both channels together, averaged over y, beside the slope of the density, which is large at the edges of the "
        "band.",
        f"Saliency maps of {', '.join(maps)} beside the configuration.",
    )


def draw_kernels(
    folder: Path, weights: Mapping[str, np.ndarray], channels: tuple[str, ...], name: str = "kernels"
) -> dict[str, dict[str, Any]]:
    """The strong kernels of the first layers of several nets, and ``judge_kernels`` of each net, by its name.

    weights: first-layer weights ``[filter, channel, kx, ky]``. channels: what the system calls them.
    """
    from lattice_ml.explain.kernels import STRONG, judge_kernels, strong_kernels
    from lattice_ml.figures import lattice_map
    from lattice_ml.figures.nets import kernels

    arrays: dict[str, Any] = {"nets": list(weights)}
    for number, weight in enumerate(weights.values()):
        found = strong_kernels(weight)
        arrays[f"kernels_{number}"] = found.weights
        arrays[f"share_{number}"] = found.share
        arrays[f"names_{number}"] = np.array(
            [
                f"{f}, {lattice_map.SYMBOLS.get(channels[c], channels[c])}"
                for f, c in zip(found.filter, found.channel, strict=True)
            ],
            dtype=str,
        )
    save(folder, name, arrays, kernels.draw)
    caption(
        folder,
        name,
        "First-layer kernels",
        f"Kernels whose largest weight is above {STRONG:g} of the largest of the layer, strongest first, each on its "
        "own scale. Above each: filter and channel, its largest weight, and the share of its squared weights that lies "
        "in a first derivative along some direction; random kernels have about a tenth.",
        f"Strong first-layer kernels of {', '.join(weights)}.",
    )
    return {net: judge_kernels(weight) for net, weight in weights.items()}
