"""What nets do with a configuration, as maps over the lattice: the equivariance error, and feature maps."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lattice_ml.figures import save
from lattice_ml.figures.captions import caption

if TYPE_CHECKING:
    import torch

    from lattice_ml.nets.lattice_cnn import LatticeCNN


def draw_equivariance(folder: Path, errors: Mapping[str, np.ndarray], torus: str) -> None:
    """errors: by the name of the architecture, ``[dt, dx]``."""
    from lattice_ml.figures.nets import equivariance

    save(
        folder,
        "equivariance",
        {"architectures": list(errors), "error": np.stack(list(errors.values()))},
        equivariance.draw,
    )
    caption(
        folder,
        "equivariance",
        "Equivariance error",
        f"Largest change of the output of the first instance under a translation of configurations of {torus}, in "
        "units of the typical output: rounding for EQ, even shifts alone for a pool of stride 2.",
        "Maps of the equivariance error over all translations.",
    )


def first_maps(net: LatticeCNN, x: torch.Tensor, layers: int = 4) -> dict[str, np.ndarray]:
    """Feature maps ``[channel, t, x]`` of one configuration ``[1, channel, t, x]`` after each of the first layers."""
    import torch

    found: dict[str, np.ndarray] = {}
    with torch.no_grad():
        for number, layer in enumerate(list(net.layers)[:layers], start=1):
            x = layer(x)
            if x.ndim != 4:
                break
            found[f"layer {number}: {type(layer).__name__}"] = x[0].numpy()
    return found


def standing_out(maps: np.ndarray, broken: np.ndarray) -> np.ndarray:
    """How clearly each of ``maps`` ``[channel, t, x]`` shows the ends of worms, where ``broken`` ``[t, x]`` is not 0.

    The largest deviation from the map's median within one site of them, in units of the mean deviation elsewhere.
    """
    near = np.zeros(broken.shape, dtype=bool)
    for shift in np.ndindex(3, 3):
        near |= np.roll(broken != 0, (shift[0] - 1, shift[1] - 1), axis=(0, 1))
    deviation = np.abs(maps - np.median(maps, axis=(1, 2), keepdims=True))
    if not near.any() or near.all():
        return deviation.max(axis=(1, 2))
    rest = deviation[:, ~near].mean(axis=1)
    return deviation[:, near].max(axis=1) / (rest + 1e-6 * deviation.max(axis=(1, 2)) + 1e-30)


def draw_feature_maps(folder: Path, state: np.ndarray, layers: Mapping[str, np.ndarray], name: str) -> None:
    """state: fluxes ``[species, t, x]`` with an open worm; layers: maps ``[channel, t, x]`` by the layer's name."""
    from lattice_ml.figures.nets import feature_maps
    from lattice_ml.systems.complex_scalar.fluxes import divergence

    shape = state.shape[1:]
    layers = {name: maps for name, maps in layers.items() if maps.shape[1:] == shape}  # before a pool
    if not layers:
        return
    channels = min(6, max(len(maps) for maps in layers.values()))
    maps, broken = np.full((len(layers), channels, *shape), np.nan), divergence(state)
    for row, own in zip(maps, layers.values(), strict=True):
        clearest = np.argsort(-standing_out(own, broken))[:channels]
        row[: len(clearest)] = own[clearest]
    arrays = {"divergence": broken, "maps": maps, "layers": list(layers)}
    save(folder, "feature_maps", arrays, feature_maps.draw)
    caption(
        folder,
        "feature_maps",
        "Feature maps at a violation",
        f"Divergence of the flux (the ends of the open worm ringed) and the {channels} feature maps of each "
        f"of the first layers of {name} in which the ends and the sites beside them stand out most.",
        "Feature maps of the first layers around a flux violation.",
    )
