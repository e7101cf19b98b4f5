"""Mutual information as a table whose cells are coloured: which latent tells what."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from lattice_ml.figures.archive import Arrays
from lattice_ml.figures.style import INK, WIDTH, styled, texts


@styled
def draw(arrays: Arrays) -> Figure:
    """``value``, ``error`` [row, column] in nats (nan: not asked); ``rows`` [row], ``columns`` [column]: names;
    ``apart``: rows before a line, 0 for none."""
    value, error = arrays["value"], arrays["error"]
    rows, columns = texts(arrays["rows"]), texts(arrays["columns"])
    # Quantities run downwards: their names are long, those of latents short.
    figure = Figure(figsize=(WIDTH, 1.1 + 0.36 * len(columns)))
    ax = figure.subplots()
    top = max(float(np.nanmax(value, initial=0.0)), 1e-9)
    ax.imshow(value.T, cmap="BuPu", vmin=0, vmax=1.3 * top, aspect="auto")
    ax.grid(False)
    for (row, column), number in np.ndenumerate(value):
        if np.isfinite(number):
            deviation = f"\n± {error[row, column]:.2f}" if np.isfinite(error[row, column]) else ""
            colour = "white" if number > 0.85 * top else INK
            ax.text(row, column, f"{number:.2f}{deviation}", ha="center", va="center", fontsize=7, color=colour)
    if arrays["apart"]:
        ax.axvline(float(arrays["apart"]) - 0.5, color=INK, linewidth=1.5)
    ax.set_xticks(range(len(rows)), rows)
    ax.set_yticks(range(len(columns)), columns)
    ax.set_xlabel("mutual information in nats")
    return figure
