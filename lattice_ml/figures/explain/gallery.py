"""One configuration and what several methods say its score depends on."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, ScalarFormatter

from lattice_ml.figures import lattice_map
from lattice_ml.figures.archive import Arrays
from lattice_ml.figures.style import WIDTH, styled, texts


@styled
def draw(arrays: Arrays) -> Figure:
    """A row for each channel: the configuration, then what each method says of it. A method that says the same of all
    channels stands in the first row alone.

    ``fields`` [channel, x, y]; ``channels`` [channel] and ``methods`` [method] text; ``maps`` [method, channel, x,
    y], each method on a scale of its own, which all channels share; ``title`` text.
    """
    fields, maps = arrays["fields"], arrays["maps"]
    channels, methods = texts(arrays["channels"]), texts(arrays["methods"])
    rows, columns = len(channels), len(methods) + 1
    panel = min(1.5, 2 * WIDTH / columns)
    height = min(max(lattice_map.panel_height(fields, panel), 0.4), 1.6 * panel)
    figure = Figure(figsize=(panel * columns, 0.8 + (height + 0.1) * rows))
    axes = figure.subplots(rows, columns, squeeze=False)
    for ax in axes.flat:
        ax.set_visible(False)
    for row, channel in enumerate(channels):
        shown = _show(axes[row, 0], fields[row], lattice_map.scale(channel, fields[row]))
        axes[row, 0].set_ylabel(lattice_map.label(channel), fontsize=8)
        _bar(figure, shown, [axes[row, 0]])
    axes[0, 0].set_title("configuration", fontsize=8, pad=3)
    for column, (method, own) in enumerate(zip(methods, maps, strict=True), start=1):
        top = float(np.percentile(np.abs(own), 99.5)) or 1.0
        said = 1 if (own == own[:1]).all() else rows
        for row in range(said):
            shown = _show(axes[row, column], own[row], ("RdBu_r", -top, top))
        axes[0, column].set_title(method.replace("_", " "), fontsize=8, pad=3)
        _bar(figure, shown, list(axes[:said, column]))
    figure.suptitle(texts(arrays["title"])[0], fontsize=10)
    return figure


def _show(ax, field: np.ndarray, look: tuple[str, float, float]):
    ax.set_visible(True)
    shown = lattice_map.show(ax, field, look)
    ax.set_aspect("auto")  # a ribbon would be a line
    ax.set_xticks([])
    ax.set_yticks([])
    return shown


def _bar(figure: Figure, shown, axes: list) -> None:
    plain = ScalarFormatter()
    plain.set_powerlimits((-2, 3))
    bar = figure.colorbar(shown, ax=axes, location="bottom", aspect=14, pad=0.02, ticks=MaxNLocator(2), format=plain)
    bar.ax.tick_params(labelsize=6)
    bar.ax.xaxis.get_offset_text().set_fontsize(6)
