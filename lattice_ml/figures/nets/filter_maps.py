"""Pictures of one kind in rows with names: maps of layers, or what filters wait for."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from lattice_ml.figures import lattice_map
from lattice_ml.figures.archive import Arrays
from lattice_ml.figures.style import WIDTH, styled, texts


@styled
def draw(arrays: Arrays) -> Figure:
    """``rows`` [r] text; for each, ``maps_<number>`` [picture, x, y] on one scale, and the names of its pictures
    ``names_<number>`` [picture] text. ``title`` text."""
    rows = texts(arrays["rows"])
    most = max(len(arrays[f"maps_{number}"]) for number in range(len(rows)))
    panel = (WIDTH * 1.5 - 0.4) / most
    height = min(max(lattice_map.panel_height(arrays["maps_0"], panel), 0.3), 2.5)
    figure = Figure(figsize=(WIDTH * 1.5, 0.4 + (height + 0.25) * len(rows)))
    axes = figure.subplots(len(rows), most, squeeze=False)
    for ax in axes.flat:
        ax.set_visible(False)
    for number, name in enumerate(rows):
        pictures, names = arrays[f"maps_{number}"], texts(arrays[f"names_{number}"])
        top = float(np.percentile(np.abs(pictures), 99.5)) or 1.0
        for column, (picture, own) in enumerate(zip(pictures, names, strict=True)):
            ax = axes[number, column]
            ax.set_visible(True)
            lattice_map.show(ax, picture, ("RdBu_r", -top, top))
            ax.set_xticks([])
            ax.set_yticks([])
            ax.set_title(own, fontsize=7, pad=2)
        axes[number, 0].set_ylabel(name, fontsize=8)
    figure.suptitle(texts(arrays["title"])[0], fontsize=10)
    return figure
