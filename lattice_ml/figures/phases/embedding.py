"""The plane in which UMAP lays out the configurations, without having seen a label."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from lattice_ml.figures.archive import Arrays
from lattice_ml.figures.style import MUTED, WIDTH, control_label, phase_colours, place_title, styled, texts


@styled
def draw(arrays: Arrays) -> Figure:
    """The same points twice: coloured by the control parameter, and by the phase that their cluster was named.

    ``umap`` [n, 2] (the coordinates mean nothing by themselves), ``control`` [n], the control parameter
    ``control_name``, ``phase`` [n] integer indices into ``phases`` (text), -1 where a configuration was given no phase;
    the value ``place`` of another parameter ``place_name``, if there is one.
    """
    plane, phase, phases = arrays["umap"], arrays["phase"], texts(arrays["phases"])
    figure = Figure(figsize=(WIDTH, 3.2 if len(phases) < 5 else 3.6))
    by_control, by_phase = figure.subplots(1, 2, sharex=True, sharey=True)
    # Points are drawn in an order without meaning, so that no value hides another.
    order = np.random.default_rng(0).permutation(len(plane))
    size = float(np.clip(9000 / max(len(plane), 1), 2, 16))

    points = by_control.scatter(
        plane[order, 0],
        plane[order, 1],
        c=arrays["control"][order],
        s=size,
        cmap="plasma",
        linewidths=0,
        rasterized=True,
    )
    figure.colorbar(points, ax=by_control, location="bottom", label=control_label(arrays), aspect=22, pad=0.02)

    colours = np.array([*phase_colours(phases), MUTED])  # index -1 is the last: no phase
    by_phase.scatter(plane[order, 0], plane[order, 1], c=colours[phase[order]], s=size, linewidths=0, rasterized=True)
    for name, colour in zip(phases, colours, strict=False):
        by_phase.scatter([], [], c=colour, s=30, label=name)
    if (phase < 0).any():
        by_phase.scatter([], [], c=MUTED, s=30, label="none")
    columns = 4 if len(phases) < 5 else 2
    by_phase.legend(
        loc="upper center", bbox_to_anchor=(0.5, -0.15), ncols=columns, handletextpad=0.1, columnspacing=0.8
    )
    by_control.set_ylabel("UMAP 2")
    for ax in (by_control, by_phase):
        ax.set_xlabel("UMAP 1", labelpad=3)
        ax.set_xticks([])
        ax.set_yticks([])
        ax.margins(0.06)
        for spine in ax.spines.values():
            spine.set_visible(True)
    if place_title(arrays):
        figure.suptitle(place_title(arrays), fontsize=10)
    return figure
