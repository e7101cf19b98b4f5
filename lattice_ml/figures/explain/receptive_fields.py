"""Receptive fields: how strongly the centre of every layer depends on every site."""

from __future__ import annotations

import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from lattice_ml.figures import lattice_map
from lattice_ml.figures.archive import Arrays
from lattice_ml.figures.style import WIDTH, styled, texts

LOWEST = 1e-5
"""Of the strongest gradient: what is weaker is drawn in the palest colour."""


@styled
def draw(arrays: Arrays) -> Figure:
    """``strength`` [layer, x, y]: gradients over the strongest, 0 to 1; ``names`` [layer]."""
    strength, names = arrays["strength"], texts(arrays["names"])
    columns = min(len(names), 4)
    rows = -(-len(names) // columns)
    height = min(max(lattice_map.panel_height(strength, WIDTH / columns), 0.5), 2.5)
    figure = Figure(figsize=(WIDTH, 0.6 + (height + 0.35) * rows))
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    image = None
    for ax, own, name in zip(axes, strength, names, strict=False):
        shown = np.ma.masked_equal(np.where(own > 0, np.maximum(own, LOWEST), 0.0), 0.0)
        image = ax.imshow(shown.T, origin="lower", cmap="YlGnBu", norm=LogNorm(LOWEST, 1.0), interpolation="nearest")
        ax.set_aspect("auto")  # a ribbon would be a line
        ax.set_title(name, fontsize=7, pad=2)
        ax.set_xticks([])
        ax.set_yticks([])
        ax.grid(False)
        for spine in ax.spines.values():
            spine.set_visible(True)
    for ax in axes[len(names) :]:
        ax.set_visible(False)
    assert image is not None
    figure.colorbar(image, ax=list(axes), location="bottom", label="gradient over the strongest", aspect=40, pad=0.04)
    return figure
