"""Configurations drawn from a prior beside those of the ensemble: what sites hold, and structure factors."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from lattice_ml.figures.archive import Arrays
from lattice_ml.figures.style import PALETTE, WIDTH, styled, texts


@styled
def draw(arrays: Arrays) -> Figure:
    """``numbers`` [n]; ``histograms`` [species, 2, n]: of the ensemble and of the prior; ``species``; ``factors``,
    ``errors`` [channel, 2, mode]; ``channels``."""
    figure = Figure(figsize=(WIDTH, 5.0))
    above, below = figure.subplots(2, 1)
    modes = np.arange(1, arrays["factors"].shape[-1] + 1)
    for number, name in enumerate(texts(arrays["species"])):
        colour = PALETTE[number % len(PALETTE)]
        for part, (line, label) in enumerate((("-", f"{name}, ensemble"), ("--", f"{name}, prior"))):
            shares = np.where(arrays["histograms"][number, part] > 0, arrays["histograms"][number, part], np.nan)
            above.plot(arrays["numbers"], shares, color=colour, linestyle=line, label=label, linewidth=1.2)
    for number, name in enumerate(texts(arrays["channels"])):
        colour = PALETTE[number % len(PALETTE)]
        for part, (line, label) in enumerate((("-", f"{name}, ensemble"), ("--", f"{name}, prior"))):
            below.errorbar(
                modes, arrays["factors"][number, part], arrays["errors"][number, part], color=colour, linestyle=line,
                marker="o", markersize=3, label=label, linewidth=1.2,
            )  # fmt: skip
    for ax in (above, below):
        ax.set_yscale("log")
        ax.legend(fontsize=7, ncols=2)
    above.set_xlabel("n on a site or link")
    above.set_ylabel("share")
    below.set_xlabel("mode number along x")
    below.set_ylabel("structure factor")
    return figure
