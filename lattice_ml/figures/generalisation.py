"""Test against validation loss: does the validation set tell which instance generalises?"""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from lattice_ml.figures.archive import Arrays
from lattice_ml.figures.style import INK, MARKERS, PALETTE, WIDTH, styled, texts


@styled
def draw(arrays: Arrays) -> Figure:
    """One marker for each instance, both axes logarithmic; the line is equality.

    ``architectures`` [a]; ``validation``, ``test`` [a, member], nan where there is none; ``where``: names the test set.
    """
    figure = Figure(figsize=(WIDTH, 3.8))
    ax = figure.subplots()
    for number, name in enumerate(texts(arrays["architectures"])):
        ax.plot(
            arrays["validation"][number],
            arrays["test"][number],
            linestyle="none",
            marker=MARKERS[number % len(MARKERS)],
            color=PALETTE[number % len(PALETTE)],
            label=name,
        )
    both = np.concatenate([arrays["validation"].ravel(), arrays["test"].ravel()])
    both = both[np.isfinite(both) & (both > 0)]
    if len(both):
        ends = np.array([both.min(), both.max()])
        ax.plot(ends, ends, color=INK, linewidth=0.8)
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xlabel("validation loss")
    ax.set_ylabel("test loss")
    ax.set_title(texts(arrays["where"])[0])
    ax.legend()
    return figure
