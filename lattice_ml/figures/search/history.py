"""How a search went: the validation loss of every trial, and the least so far."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from lattice_ml.figures.archive import Arrays
from lattice_ml.figures.style import MUTED, PALETTE, WIDTH, styled, texts

ENDED = {"pruned": ("|", MUTED), "fail": ("x", PALETTE[1])}
"""Marker and colour of trials without a loss."""


@styled
def draw(arrays: Arrays) -> Figure:
    """Complete trials as dots, a step line at the least loss so far, and marks at the lower edge for the others.

    ``number`` [t], increasing; ``validation`` [t], nan where there is none; ``state`` [t]: complete, pruned or fail.
    """
    figure = Figure(figsize=(WIDTH, 3.4))
    ax = figure.subplots()
    number, validation, state = arrays["number"], arrays["validation"], np.array(texts(arrays["state"]))
    there = np.isfinite(validation)
    ax.plot(number[there], validation[there], linestyle="none", marker="o", color=PALETTE[0], label="trial")
    least = np.minimum.accumulate(validation[there])
    ax.step(number[there], least, where="post", color=PALETTE[1], label="least so far")
    if (validation[there] > 0).all():
        ax.set_yscale("log")
    for name, (marker, colour) in ENDED.items():
        own = number[~there & (state == name)]
        if len(own):
            label = f"{'failed' if name == 'fail' else name}: {len(own)}"
            ax.plot(
                own, np.full(len(own), 0.02), linestyle="none", marker=marker, color=colour, label=label,
                transform=ax.get_xaxis_transform(), clip_on=False,
            )  # fmt: skip
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_xlabel("trial")
    ax.set_ylabel("validation loss")
    ax.legend()
    return figure
