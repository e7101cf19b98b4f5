"""The class probabilities P_c of every scan, and the crossings that are the phase boundaries."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from lattice_ml.figures.archive import Arrays
from lattice_ml.figures.style import (
    LINES,
    MUTED,
    WIDTH,
    band,
    control_label,
    mark_transitions,
    phase_colours,
    place_title,
    styled,
    texts,
)


@styled
def draw(arrays: Arrays) -> Figure:
    """A panel per scan: mean probability of each phase in a band of its error; boundaries as dashed lines.

    ``control`` [scan, t] or [t] where all scans share it, the control parameter ``control_name``; ``probability`` and
    ``error`` [scan, t, phase]; ``phases`` [phase] text; ``boundary_scan`` (the number of its scan), ``boundary_value``,
    ``boundary_error`` [boundary]. ``place`` [scan] is the value of the parameter ``place_name`` in which scans differ,
    absent where there is none. Scans with fewer points are padded with nan, and a boundary that was not found is nan.
    """
    scans, phases = len(arrays["probability"]), texts(arrays["phases"])
    T = np.broadcast_to(arrays["control"], arrays["probability"].shape[:2])
    columns = min(scans, 2 if scans <= 4 else 3)
    rows = -(-scans // columns)
    figure = Figure(figsize=(WIDTH, 1.0 + (2.3 if columns == 1 else 1.35) * rows))
    axes = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    for ax in axes.flat[scans:]:
        ax.set_visible(False)
    looks = list(zip(phases, phase_colours(phases), LINES * len(phases), strict=False))
    for k, ax in enumerate(axes.flat[:scans]):
        here = arrays["boundary_scan"] == k
        mark_transitions(ax, arrays["boundary_value"][here], arrays["boundary_error"][here])
        order = np.argsort(T[k])
        for c, (name, colour, line) in enumerate(looks):
            mean, error = arrays["probability"][k, order, c], arrays["error"][k, order, c]
            label = name if k == 0 else None
            band(ax, T[k, order], mean, error, color=colour, linestyle=line, linewidth=1.4, label=label)
        if "place" in arrays:
            own = {"place": arrays["place"][k], "place_name": arrays["place_name"]}
            ax.set_title(place_title(own), fontsize=9, pad=3)
        ax.set_ylim(-0.04, 1.04)
        ax.set_yticks([0, 0.5, 1])
        ax.set_xlim(np.nanmin(T), np.nanmax(T))
        ax.axhline(0.5, color=MUTED, linewidth=0.4)
        if k + columns >= scans:
            # The lowest panel of its column, even where the last row is not full.
            ax.tick_params(labelbottom=True)
    figure.supxlabel(control_label(arrays), fontsize=10)
    figure.supylabel(r"mean class probability $P_c$", fontsize=10)
    figure.legend(loc="outside upper center", ncols=len(phases))
    return figure
