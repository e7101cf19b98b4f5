"""Which features forests decide by: impurity decrease beside permutation importance, a column for each question."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lattice_ml.figures.archive import Arrays
from lattice_ml.figures.style import INK, PALETTE, WIDTH, styled, texts


@styled
def draw(arrays: Arrays) -> Figure:
    """Rows: impurity decrease, permutation importance of features, and of families of features; columns: questions.

    ``questions`` [q] text, such as "L|L+G". For each of ``impurity``, ``permutation`` and ``family``: ``<it>`` and
    ``<it>_error`` [q, bar], most important first, nan where there is none; ``<it>_names`` [q, bar] text;
    ``<it>_noise`` [q], the importance of a column that means nothing.
    """
    questions = texts(arrays["questions"])
    rows = {
        "impurity": "impurity decrease",
        "permutation": "fall of R², feature shuffled",
        "family": "fall, family shuffled",
    }
    bars = [arrays[name].shape[1] for name in rows]
    figure = Figure(figsize=(WIDTH * max(1, 0.8 * len(questions)), 1.2 + 0.19 * sum(bars)))
    axes = figure.subplots(len(rows), len(questions), squeeze=False, height_ratios=bars)
    for row, (name, label) in enumerate(rows.items()):
        for column in range(len(questions)):
            ax = axes[row, column]
            _bars(ax, arrays, name, column, PALETTE[row])
            ax.set_xlabel(label)
            if not row:
                ax.set_title(questions[column].replace("|", " | "))
    return figure


def _bars(ax: Axes, arrays: Arrays, name: str, column: int, colour: str) -> None:
    values, errors = arrays[name][column], arrays[f"{name}_error"][column]
    there = np.isfinite(values)
    place = -np.arange(int(there.sum()))
    ax.barh(place, values[there], xerr=np.nan_to_num(errors[there]), color=colour, height=0.7, ecolor=INK, capsize=2)
    ax.set_yticks(place, texts(arrays[f"{name}_names"][column][there]), fontsize=7)
    ax.axvline(float(arrays[f"{name}_noise"][column]), color=INK, linewidth=0.9, linestyle=":")
    ax.grid(False, axis="y")
