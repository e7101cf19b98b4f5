"""The pictures of a net's inside: which arrays go into each, and its caption."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lattice_ml.figures import save
from lattice_ml.figures.captions import caption

if TYPE_CHECKING:
    from lattice_ml.workflows.explanations.explained import Explained


def draw_planes(folder: Path, layer: str, laid: Mapping[str, np.ndarray], colours: Mapping[str, np.ndarray]) -> None:
    """laid: ``[n, 2]`` of every plane; colours: ``[n]`` of every quantity."""
    from lattice_ml.figures.latents import planes

    save(
        folder,
        "planes",
        {
            "planes": list(laid),
            "positions": np.stack(list(laid.values())),
            "colours": list(colours),
            "values": np.stack(list(colours.values())),
        },
        planes.draw,
    )
    caption(
        folder,
        "planes",
        f"Activations of {layer}",
        f"Held-out configurations by the activations of {layer}, in the plane of its two principal components, by "
        "UMAP and by t-SNE, coloured by physical quantities. Neighbourhoods mean something in the last two, axes "
        "and lengths do not.",
        f"Planes of the activations of {layer}, coloured by {', '.join(colours)}.",
    )


def draw_maps(folder: Path, found: Explained, fields: np.ndarray, layers: Mapping[str, np.ndarray], most: int) -> None:
    """fields: ``[channel, x, y]``; layers: maps ``[filter, x, y]`` of every convolution."""
    from lattice_ml.figures.nets import filter_maps

    arrays: dict[str, Any] = {"rows": ["input", *layers], "title": "maps of one configuration"}
    arrays |= {"maps_0": fields, "names_0": found.system.channels}
    for number, own in enumerate(layers.values(), start=1):
        arrays |= {f"maps_{number}": own[:most], f"names_{number}": [f"filter {k}" for k in range(len(own[:most]))]}
    save(folder, "maps", arrays, filter_maps.draw)
    caption(
        folder,
        "maps",
        "What each layer makes of a configuration",
        f"A held-out configuration and the outputs of the first {most} filters of every convolution, before any "
        "ReLU; a scale for each row.",
        "Feature maps of every convolution.",
    )


def draw_filters(
    folder: Path, found: Explained, pictures: Mapping[str, np.ndarray], values: Mapping[str, Sequence[float]]
) -> None:
    """pictures: ``[filter, channel, x, y]`` of every convolution; values: the activations that they reach."""
    from lattice_ml.figures.nets import filter_maps

    arrays: dict[str, Any] = {"rows": [], "title": "what filters wait for"}
    for layer, own in pictures.items():
        reached = [f"filter {k}: {value:.3g}" for k, value in enumerate(values[layer])]
        for number, channel in enumerate(found.system.channels):
            row = len(arrays["rows"])
            arrays["rows"].append(f"{layer}\n{channel}")
            arrays |= {f"maps_{row}": own[:, number], f"names_{row}": reached if number == 0 else [""] * len(own)}
    save(folder, "filters", arrays, filter_maps.draw)
    caption(
        folder,
        "filters",
        "What the filters wait for",
        "Input that excites a filter at the centre of the lattice most, found by gradient ascent, as far as the filter "
        "sees, with the activation that it reaches; a scale for each row. The channels are relaxed: real numbers on "
        "every site within the range of the ensemble, so this is what a filter is, and no configuration that can "
        "occur.",
        f"Maximising inputs of filters of {', '.join(pictures)}.",
    )


def draw_fields(folder: Path, seen: Mapping[str, np.ndarray], told: Mapping[str, Any]) -> None:
    """seen: strongest gradients ``[x, y]`` of every convolution; told: its row of ``results["receptive_fields"]``."""
    from lattice_ml.figures.explain import receptive_fields

    far = max((own.get("beyond", 0.0) for own in told.values()), default=0.0)
    names = [f"{name}: {_extents(told[name])}" for name in seen]
    top = [own / max(float(own.max()), 1e-300) for own in seen.values()]
    save(folder, "receptive_fields", {"strength": np.stack(top), "names": names}, receptive_fields.draw)
    caption(
        folder,
        "receptive_fields",
        "How far the layers see",
        "Sites on which the centre of a layer depends, for some of several configurations, with the extents of the box "
        "that holds them: the strongest gradient at each site over the strongest of all, white where there is none."
        + (
            f" Beyond the reach of convolutions and pools it is at most {far:.1g} of that: the net divides by a mean "
            "over the whole configuration, in which every site has a part; extents are those of convolutions and pools."
            if far > 0
            else ""
        ),
        f"Receptive fields: {'; '.join(names)}.",
    )


def _extents(told: Mapping[str, Any]) -> str:
    """Of the box that holds what a layer sees; of the arithmetic's, where a little is seen from everywhere."""
    return " × ".join(map(str, told["arithmetic" if told.get("beyond", 0.0) > 0 else "measured"]))
