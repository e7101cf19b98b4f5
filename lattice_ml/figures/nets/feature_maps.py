"""What the first layers of a net make of a flux violation."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from lattice_ml.figures.archive import Arrays
from lattice_ml.figures.style import INK, WIDTH, styled, texts


@styled
def draw(arrays: Arrays) -> Figure:
    """The divergence of the flux, and below it the feature maps of one layer in a row for each layer.

    ``divergence`` [t, x]: sum of the fluxes out of a site; ``maps`` [layer, channel, t, x], nan where a layer has fewer
    channels; ``layers`` [layer]: names. Every map has its own scale, symmetric about zero.
    """
    maps, layers = arrays["maps"], texts(arrays["layers"])
    figure = Figure(figsize=(WIDTH, 1.05 * (len(layers) + 1)))
    axes = figure.subplots(len(layers) + 1, maps.shape[1], squeeze=False)
    for ax in axes.ravel():
        ax.set_axis_off()
    ends = np.argwhere(arrays["divergence"] != 0)
    _show(axes[0, 0], arrays["divergence"], ends)
    axes[0, 0].set_title("divergence", fontsize=8)
    for row, name, layer in zip(axes[1:], layers, maps, strict=True):
        for ax, field in zip(row, layer, strict=True):
            if np.isfinite(field).all():
                _show(ax, field, ends)
        row[0].set_title(name, fontsize=8, loc="left")
    return figure


def _show(ax, field: np.ndarray, ends: np.ndarray) -> None:
    """The field on the torus, space upwards and time to the right, the ends of worms ringed."""
    scale = max(float(np.abs(field).max()), 1e-30)
    ax.imshow(field.T, origin="lower", cmap="RdBu_r", vmin=-scale, vmax=scale)
    ax.plot(ends[:, 0], ends[:, 1], "o", markersize=6, markerfacecolor="none", markeredgecolor=INK, markeredgewidth=0.8)
