"""Which parameters of a search tell the better trials from the others."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from lattice_ml.figures.archive import Arrays
from lattice_ml.figures.style import PALETTE, WIDTH, styled, texts


@styled
def draw(arrays: Arrays) -> Figure:
    """A bar for each parameter, the largest on top; ``names``, ``importance`` [p], in falling order, summing to 1 or
    less."""
    names, importance = texts(arrays["names"]), np.atleast_1d(arrays["importance"])
    figure = Figure(figsize=(WIDTH, 1.0 + 0.28 * len(names)))
    ax = figure.subplots()
    place = np.arange(len(names))
    ax.barh(place, importance, color=PALETTE[0], height=0.7)
    ax.set_yticks(place, names)
    ax.invert_yaxis()
    ax.set_xlabel("importance")
    ax.grid(axis="y", visible=False)
    return figure
