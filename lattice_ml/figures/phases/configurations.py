"""Typical configurations of every phase, channel by channel."""

from __future__ import annotations

from matplotlib.figure import Figure

from lattice_ml.figures import lattice_map
from lattice_ml.figures.archive import Arrays
from lattice_ml.figures.style import WIDTH, control_title, phase_colours, place_title, styled, texts


@styled
def draw(arrays: Arrays) -> Figure:
    """One column per phase, one row per channel, a colour scale per row.

    ``fields`` [phase, channel, x, y] (what a site holds), ``channels`` [channel] and ``phases`` [phase] text,
    ``T`` [phase] (k_B = 1) and, where there is another parameter, its value ``place`` and ``place_name``.
    """
    fields, channels, phases = arrays["fields"], texts(arrays["channels"]), texts(arrays["phases"])
    panel = (WIDTH - 0.7) / len(phases)
    figure = Figure(figsize=(WIDTH, 0.8 + len(channels) * (lattice_map.panel_height(fields, panel) + 0.75)))
    axes = figure.subplots(len(channels), len(phases), sharex=True, sharey=True, squeeze=False)
    for row, channel in enumerate(channels):
        look = lattice_map.scale(channel, fields[:, row])
        images = [lattice_map.show(axes[row, column], fields[column, row], look) for column in range(len(phases))]
        lattice_map.bar(figure, images[0], list(axes[row]), lattice_map.label(channel), 40)
        axes[row, 0].set_ylabel("$y$", labelpad=-6)
    for column, (phase, colour) in enumerate(zip(phases, phase_colours(phases), strict=True)):
        axes[0, column].set_title(
            f"{phase},  {control_title(arrays, float(arrays['control'][column]))}", color=colour, weight="bold"
        )
        axes[-1, column].set_xlabel("$x$", labelpad=-6)
    if place_title(arrays):
        figure.suptitle(place_title(arrays), fontsize=10)
    return figure
