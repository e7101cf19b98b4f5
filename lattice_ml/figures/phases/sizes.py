"""Boundaries against the inverse extent of the torus."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from lattice_ml.figures.archive import Arrays
from lattice_ml.figures.style import INK, MARKERS, PALETTE, WIDTH, control_label, styled


@styled
def draw(arrays: Arrays) -> Figure:
    """``value``, ``error`` (nets), ``true_value``, ``true_error`` [boundary] (nan: not found), along ``control_name``,
    of the torus of extent ``L`` and ``transition`` [boundary]. Optional: ``infinite_value`` [transition], in the order
    in which they first come."""
    figure = Figure(figsize=(WIDTH, 3.2))
    ax = figure.subplots()
    for k, between in enumerate(dict.fromkeys(arrays["transition"].astype(str))):
        own = np.flatnonzero(arrays["transition"].astype(str) == between)
        own = own[np.argsort(arrays["L"][own])]
        inverse, label = 1 / arrays["L"][own], between.replace("|", " | ")
        ax.errorbar(
            inverse, arrays["true_value"][own], yerr=np.nan_to_num(arrays["true_error"][own]), fmt=MARKERS[k],
            color=PALETTE[k], markerfacecolor="white", markersize=7, capsize=2, linestyle="-", linewidth=0.8,
            label=f"{label}, truth",
        )  # fmt: skip
        ax.errorbar(
            inverse, arrays["value"][own], yerr=np.nan_to_num(arrays["error"][own]), fmt="x", color=INK, capsize=2.5,
            label=f"{label}, nets",
        )  # fmt: skip
        if "infinite_value" in arrays:
            ax.plot(0, arrays["infinite_value"][k], marker=MARKERS[k], color=PALETTE[k], clip_on=False, zorder=5)
    ticks = np.unique(arrays["L"])
    ax.set_xticks([0, *(1 / ticks)], ["0", *(f"1/{L:g}" for L in ticks)])
    ax.set_xlim(left=0)
    ax.set_xlabel("$1/L$")
    ax.set_ylabel(control_label(arrays))
    figure.legend(loc="outside upper center", ncols=2)
    return figure
