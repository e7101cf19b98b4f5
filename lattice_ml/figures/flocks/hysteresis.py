"""Order, band and lanes against temperature from different start states."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from lattice_ml.figures.archive import Arrays
from lattice_ml.figures.style import LINES, MARKERS, PALETTE, WIDTH, styled, texts


@styled
def draw(arrays: Arrays) -> Figure:
    """One panel for each observable, a line for each start.

    ``T`` [start, t] (k_B = 1; nan: fewer temperatures), ``means`` and ``errors`` [start, observable, t] (nan: unknown),
    ``starts`` [start] and ``names`` [observable] text.
    """
    names, starts = texts(arrays["names"]), texts(arrays["starts"])
    figure = Figure(figsize=(WIDTH, 0.6 + 1.75 * len(names)))
    axes = figure.subplots(len(names), 1, sharex=True, squeeze=False)[:, 0]
    for o, (ax, name) in enumerate(zip(axes, names, strict=True)):
        for s, start in enumerate(starts):
            there = np.isfinite(arrays["T"][s])
            ax.errorbar(
                arrays["T"][s][there], arrays["means"][s, o][there], yerr=np.nan_to_num(arrays["errors"][s, o][there]),
                color=PALETTE[s % len(PALETTE)], linestyle=LINES[s % len(LINES)], marker=MARKERS[s % len(MARKERS)],
                markersize=3, linewidth=1.1, capsize=1.5, label=f"{start} start",
            )  # fmt: skip
        ax.set_ylabel(name)
        ax.set_ylim(bottom=0)
    axes[0].legend()
    axes[-1].set_xlabel("temperature $T$")
    return figure
