"""Mean profiles of travelling bands along the drift."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from lattice_ml.figures.archive import Arrays
from lattice_ml.figures.style import PALETTE, WIDTH, band, styled, symbol, texts


@styled
def draw(arrays: Arrays) -> Figure:
    """Density above, magnetisation below; a line for each point, in a band of one standard error.

    ``profiles`` and ``errors`` [point, 2, x] (particles per site; bands laid over each other at the middle, moving to
    the right), ``T`` [point] (k_B = 1), ``place`` [point] the value of ``place_name``.
    """
    profiles, errors = arrays["profiles"], np.nan_to_num(arrays["errors"])
    figure = Figure(figsize=(WIDTH, 4.6))
    axes = figure.subplots(2, 1, sharex=True)
    x = np.arange(profiles.shape[-1]) - profiles.shape[-1] // 2
    name = symbol(texts(arrays["place_name"])[0])
    for k, (T, place) in enumerate(zip(arrays["T"], arrays["place"], strict=True)):
        for ax, row, error in zip(axes, profiles[k], errors[k], strict=True):
            look = {"color": PALETTE[k % len(PALETTE)], "linewidth": 1.2}
            band(ax, x, row, error, label=f"$T = {T:g}$, ${name} = {place:g}$", **look)
    axes[0].set_ylabel(r"density $\rho(x)$")
    axes[1].set_ylabel("magnetisation $m(x)$")
    axes[1].set_xlabel("$x$ from the middle of the band  [sites]; it moves to the right")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=2)
    return figure
