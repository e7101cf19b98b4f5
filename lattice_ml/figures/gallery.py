"""One configuration and what several methods say its score depends on."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from lattice_ml.figures import lattice_map
from lattice_ml.figures.archive import Arrays
from lattice_ml.figures.style import WIDTH, styled, texts


@styled
def draw(arrays: Arrays) -> Figure:
    """The configuration on top, a row for each method; a column for each channel.

    ``fields`` [channel, x, y]; ``channels`` [channel] and ``methods`` [method] text; ``maps`` [method, channel, x,
    y], each method on a scale of its own, which all channels share; ``title`` text.
    """
    fields, maps = arrays["fields"], arrays["maps"]
    channels, methods = texts(arrays["channels"]), texts(arrays["methods"])
    wide = 1.6 if len(channels) > 2 else 1.0
    panel = (WIDTH * wide - 1.2) / len(channels)
    height = min(max(lattice_map.panel_height(fields, panel), 0.35), 2.2)
    figure = Figure(figsize=(WIDTH * wide, 0.6 + (height + 0.62) * (len(methods) + 1)))
    axes = figure.subplots(len(methods) + 1, len(channels), sharex=True, sharey=True, squeeze=False)
    for column, channel in enumerate(channels):
        shown = lattice_map.show(axes[0, column], fields[column], lattice_map.scale(channel, fields[column]))
        lattice_map.bar(figure, shown, [axes[0, column]], lattice_map.label(channel), 26)
    for row, method in enumerate(methods, start=1):
        top = float(np.percentile(np.abs(maps[row - 1]), 99.5)) or 1.0
        for column in range(len(channels)):
            shown = lattice_map.show(axes[row, column], maps[row - 1, column], ("RdBu_r", -top, top))
        figure.colorbar(
            shown, ax=list(axes[row]), location="bottom", aspect=40, pad=0.02, label=method.replace("_", " "),
            ticks=MaxNLocator(4),
        )  # fmt: skip
    figure.suptitle(texts(arrays["title"])[0], fontsize=10)
    return figure
