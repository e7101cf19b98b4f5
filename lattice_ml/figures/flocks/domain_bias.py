"""Bias of synchronous sublattices in units of what a paper-size ensemble can resolve."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from lattice_ml.figures.archive import Arrays
from lattice_ml.figures.style import styled, texts


@styled
def draw(arrays: Arrays) -> Figure:
    """One panel per observable, |bias| / allowed against the window dt, one line per temperature and domain.

    Arrays, all ``[row]``: observable (text), T, domain (sites along an edge), window, bias, error, allowed (the
    statistical error of an ensemble of 50 configurations).
    """
    observables = list(dict.fromkeys(texts(arrays["observable"])))
    rows = np.array(texts(arrays["observable"]))
    figure = Figure(figsize=(11, 3.4), layout="constrained")
    axes = figure.subplots(1, len(observables), sharey=True, squeeze=False)[0]
    markers = dict(zip(sorted(set(arrays["T"])), "o^sDv", strict=False))
    colours = {size: f"C{n}" for n, size in enumerate(sorted(set(arrays["domain"])))}
    for ax, observable in zip(axes, observables, strict=True):
        for temperature, marker in markers.items():
            for size, colour in colours.items():
                mine = (rows == observable) & (arrays["T"] == temperature) & (arrays["domain"] == size)
                order = np.flatnonzero(mine)[np.argsort(arrays["window"][mine])]
                if len(order) == 0:
                    continue
                allowed = arrays["allowed"][order]
                ax.errorbar(
                    arrays["window"][order], np.abs(arrays["bias"][order]) / allowed, arrays["error"][order] / allowed,
                    color=colour, marker=marker, markersize=4, linewidth=1, capsize=2,
                )  # fmt: skip
        ax.axhline(1, color="0.3", linewidth=0.8, linestyle="--")
        windows = sorted(set(arrays["window"]))
        ax.set(xscale="log", xlabel="window dt", title=observable)
        ax.set_yscale("symlog", linthresh=1)
        ax.set_xticks(windows, [f"1/{1 / window:g}" for window in windows])
        ax.minorticks_off()
        ax.set_ylim(0, 100)
        ax.set_yticks([0, 0.5, 1, 10, 100], ["0", "½", "1", "10", "100"])
    axes[0].set_ylabel("|bias| / error of 50 configurations")
    for size, colour in colours.items():
        axes[0].plot([], [], color=colour, label=f"{size} × {size}")
    for temperature, marker in markers.items():
        axes[0].plot([], [], color="0.4", marker=marker, linestyle="", label=f"T = {temperature:g}")
    axes[0].legend(fontsize=7, ncols=2)
    return figure
