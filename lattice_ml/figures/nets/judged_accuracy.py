"""Accuracy of several judges, where they were trained and elsewhere."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from lattice_ml.figures.archive import Arrays
from lattice_ml.figures.style import AXES, INK, MARKERS, PALETTE, WIDTH, styled, symbol, texts


@styled
def draw(arrays: Arrays) -> Figure:
    """``judges`` [j] text; ``place`` [p], values of the parameter ``place_name`` (text); ``accuracy`` and ``error``
    [j, p], nan where there is none; ``trained`` [k]: places of the training. Judges are drawn side by side at every
    place."""
    judges, place = texts(arrays["judges"]), arrays["place"]
    name = texts(arrays["place_name"])[0]
    figure = Figure(figsize=(WIDTH, 3.8))
    ax = figure.subplots()
    offset = np.linspace(-0.3, 0.3, len(judges)) if len(judges) > 1 else np.zeros(1)
    for number, judge in enumerate(judges):
        ax.errorbar(
            np.arange(len(place)) + offset[number], arrays["accuracy"][number], np.nan_to_num(arrays["error"][number]),
            fmt=MARKERS[number % len(MARKERS)], color=PALETTE[number % len(PALETTE)], capsize=2, elinewidth=1,
            label=judge,
        )  # fmt: skip
    trained = np.isin(place, np.atleast_1d(arrays["trained"]))
    ticks = [f"{value:.3g}" + ("\ntrained" if known else "") for value, known in zip(place, trained, strict=True)]
    ax.set_xticks(np.arange(len(place)), ticks)
    for between in np.arange(len(place) - 1) + 0.5:
        ax.axvline(between, color=INK, linewidth=0.4)
    ax.grid(False, axis="x")
    ax.set_xlabel(AXES.get(name, f"${symbol(name)}$") if name else "")
    ax.set_ylabel("accuracy")
    figure.legend(loc="outside upper center", ncols=3)
    return figure
