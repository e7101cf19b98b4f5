"""The best nets of a search, trained again: the losses of all their instances."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from lattice_ml.figures.archive import Arrays
from lattice_ml.figures.style import INK, PALETTE, WIDTH, styled, texts


@styled
def draw(arrays: Arrays) -> Figure:
    """One panel for each kind of loss, on one logarithmic axis: markers for instances, a bar at their median.

    ``names`` [f]; ``columns`` [c]: kinds of loss; ``losses`` [f, c, instance], nan where there is none; ``published``
    [f, c]: a cross there, nan where there is none.
    """
    names, columns = texts(arrays["names"]), texts(arrays["columns"])
    losses, published = arrays["losses"], arrays["published"]
    figure = Figure(figsize=(WIDTH, 1.0 + len(columns) * (0.5 + 0.26 * len(names))))
    panels = np.atleast_1d(figure.subplots(len(columns), 1, sharex=True))
    place = np.arange(len(names))
    for number, (ax, column) in enumerate(zip(panels, columns, strict=True)):
        for row, own in enumerate(losses[:, number]):
            there = own[np.isfinite(own)]
            if len(there):
                ax.plot(there, np.full(len(there), row), linestyle="none", marker="o", color=PALETTE[0], alpha=0.6)
                ax.plot([np.median(there)] * 2, [row - 0.35, row + 0.35], color=INK, linewidth=1.6)
        ax.plot(published[:, number], place, linestyle="none", marker="x", markersize=7, color=PALETTE[1])
        ax.set_yticks(place, names)
        ax.set_ylim(len(names) - 0.5, -0.5)
        ax.set_title(column, loc="left")
        ax.grid(axis="y", visible=False)
    finite = losses[np.isfinite(losses)]
    if len(finite) and (finite > 0).all():
        panels[-1].set_xscale("log")
        panels[-1].set_xlim(10 ** np.floor(np.log10(finite.min())), 10 ** np.ceil(np.log10(finite.max()) + 1e-9))
        panels[-1].xaxis.set_minor_formatter(NullFormatter())
    panels[-1].set_xlabel("loss")
    return figure
