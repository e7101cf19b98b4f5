"""Mean squared error of several judges along the control parameter, a panel for each target and lattice."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from lattice_ml.figures.archive import Arrays
from lattice_ml.figures.style import AXES, LINES, MARKERS, PALETTE, WIDTH, styled, symbol, texts


@styled
def draw(arrays: Arrays) -> Figure:
    """``judges`` [j], ``targets`` [t], ``where`` [w] text; ``control`` [w, p], values of the parameter
    ``control_name`` (text); ``mse`` [j, t, w, p] in squared units of the target; nan where there is none."""
    judges, targets, where = (texts(arrays[name]) for name in ("judges", "targets", "where"))
    name = texts(arrays["control_name"])[0]
    figure = Figure(figsize=(WIDTH * max(1, 0.75 * len(targets)), 0.9 + 1.7 * len(where)))
    axes = figure.subplots(len(where), len(targets), squeeze=False)
    for w, lattice in enumerate(where):
        for t, target in enumerate(targets):
            ax = axes[w, t]
            for j, judge in enumerate(judges):
                there = np.isfinite(arrays["mse"][j, t, w])
                look = {"color": PALETTE[j % len(PALETTE)], "linestyle": LINES[j % len(LINES)]}
                label = judge if w == t == 0 else None
                x, y = arrays["control"][w][there], np.maximum(arrays["mse"][j, t, w][there], 1e-20)
                ax.plot(x, y, marker=MARKERS[j % len(MARKERS)], markersize=3, label=label, linewidth=1.2, **look)
            ax.set_yscale("log")
            ax.set_title(f"{target}, {lattice}", fontsize=9, pad=3)
    figure.supxlabel(AXES.get(name, f"${symbol(name)}$"), fontsize=10)
    figure.supylabel("mean squared error", fontsize=10)
    figure.legend(loc="outside upper center", ncols=3)
    return figure
