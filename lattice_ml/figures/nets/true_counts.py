"""Predicted against true numbers of flux violations."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from lattice_ml.figures.archive import Arrays
from lattice_ml.figures.explain.kinds import panels
from lattice_ml.figures.style import INK, architecture_bands, styled, texts


@styled
def draw(arrays: Arrays) -> Figure:
    """``true`` [n]: numbers of open worms; ``architectures`` [a]; ``predicted`` [a, n, member]: mean prediction, nan
    where there is none; ``trained`` [k]: numbers of the training; ``where``: names the test set."""
    figure, axes = panels(arrays["architectures"], 3.8)
    ends = np.array([arrays["true"].min(), arrays["true"].max()])
    for ax, own in axes:
        ax.plot(ends, ends, color=INK, linewidth=0.8)
        architecture_bands(ax, arrays["true"], arrays["architectures"][own], arrays["predicted"][own])
        for trained in np.atleast_1d(arrays["trained"]):
            ax.axvline(trained, color=INK, linewidth=1, linestyle=":")
        ax.set_ylabel("predicted")
        ax.legend()
    axes[0][0].set_title(texts(arrays["where"])[0])
    axes[-1][0].set_xlabel("open worms (dotted: trained on)")
    return figure
