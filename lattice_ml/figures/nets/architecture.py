"""A net as a column of boxes, drawn from what the net itself says it does."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from lattice_ml.figures.archive import Arrays
from lattice_ml.figures.style import INK, MUTED, PALETTE, WIDTH, styled, texts


@styled
def draw(arrays: Arrays) -> Figure:
    """``operations``, ``shapes`` and ``activations`` [step] text, ``parameters`` and ``units`` [step]; ``title`` text.

    A box is as wide as the logarithm of the numbers that the step hands on, and coloured where it has parameters."""
    operations, shapes, activations = (texts(arrays[name]) for name in ("operations", "shapes", "activations"))
    parameters, units = arrays["parameters"], arrays["units"]
    figure = Figure(figsize=(WIDTH, 0.6 + 0.42 * len(operations)))
    ax = figure.subplots()
    ax.set_axis_off()
    ax.set_xlim(0, 1)
    ax.set_ylim(-len(operations) - 0.6, 0.6)
    width = 0.16 + 0.4 * np.log1p(units) / np.log1p(units).max()
    for k, operation in enumerate(operations):
        colour = PALETTE[0] if parameters[k] else MUTED
        box = FancyBboxPatch(
            (0.28 - width[k] / 2, -k - 0.3), width[k], 0.6, boxstyle="round,pad=0,rounding_size=0.02", linewidth=0.8,
            facecolor=colour, edgecolor=colour, alpha=0.25,
        )  # fmt: skip
        ax.add_patch(box)
        ax.text(0.28, -k, operation, ha="center", va="center", fontsize=8, color=INK)
        ax.text(0.6, -k, shapes[k] + (f"  {activations[k]}" if activations[k] else ""), va="center", fontsize=8)
        if parameters[k]:
            ax.text(1.0, -k, f"{int(parameters[k]):,}", va="center", ha="right", fontsize=8)
        if k:
            ax.annotate(
                "", (0.28, -k + 0.3), (0.28, -k + 0.7), arrowprops={"arrowstyle": "-", "color": MUTED, "linewidth": 0.8}
            )
    ax.text(1.0, -len(operations), f"{int(parameters.sum()):,} parameters", va="center", ha="right", weight="bold")
    ax.set_title(texts(arrays["title"])[0])
    return figure
