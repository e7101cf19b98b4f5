"""Where several nets look at one configuration: its channels beside the saliency of each net, and the band's edges."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from lattice_ml.figures import lattice_map
from lattice_ml.figures.archive import Arrays
from lattice_ml.figures.style import MUTED, PALETTE, WIDTH, control_title, place_title, styled, texts


@styled
def draw(arrays: Arrays) -> Figure:
    """A row for each channel: the configuration, then |dS_c / dI| of each net, on a scale of its own. Below, averages
    over y: the saliency of each net over its largest value, and the slope of the density.

    ``fields`` [channel, x, y], ``channels`` [channel] text, ``nets`` [net] text, ``saliency`` [net, channel, x, y],
    ``columns`` [net, x] and ``slope`` [x] (as compared in ``explain/edges.py``), ``score`` [net]; ``phase`` text, ``T``
    (k_B = 1), and the value ``place`` of another parameter ``place_name``.
    """
    fields, saliency = arrays["fields"], arrays["saliency"]
    channels, nets = texts(arrays["channels"]), texts(arrays["nets"])
    columns = 1 + len(nets)
    width = 0.62 * WIDTH * columns
    panel = (width - 0.5) / columns
    height = lattice_map.panel_height(fields, panel)
    figure = Figure(figsize=(width, 2.6 + len(channels) * (height + 0.7)))
    rooms: Any = figure.subfigures(2, 1, height_ratios=(len(channels) * (height + 0.7), 2.2))
    maps, below = rooms
    axes = maps.subplots(len(channels), columns, sharex=True, sharey=True, squeeze=False)
    for row, channel in enumerate(channels):
        image = lattice_map.show(axes[row, 0], fields[row], lattice_map.scale(channel, fields[row]))
        maps.colorbar(image, ax=axes[row, 0], location="bottom", pad=0.02, aspect=26, label=lattice_map.label(channel))
        for number in range(len(nets)):
            look = ("magma", 0.0, float(np.percentile(saliency[number], 99.5)) or 1.0)
            image = lattice_map.show(axes[row, number + 1], saliency[number, row], look)
            inner = lattice_map.SYMBOLS.get(channel, rf"$\mathrm{{{channel}}}$").strip("$")
            name = rf"$|\partial S_c / \partial {inner}|$"
            maps.colorbar(image, ax=axes[row, number + 1], location="bottom", pad=0.02, aspect=26, label=name)
    axes[0, 0].set_title("configuration")
    for number, net in enumerate(nets):
        axes[0, number + 1].set_title(net)

    profile = below.subplots()
    x = np.arange(len(arrays["slope"]))
    profile.fill_between(
        x,
        arrays["slope"] / (arrays["slope"].max() or 1.0),
        color=MUTED,
        alpha=0.3,
        linewidth=0,
        label="slope of density",
    )
    for number, (net, own) in enumerate(zip(nets, arrays["columns"], strict=True)):
        score = float(arrays["score"][number])
        profile.plot(x, own / (own.max() or 1.0), color=PALETTE[number], label=f"{net}: correlation {score:.2f}")
    profile.set_xlim(0, len(x) - 1)
    profile.set_ylim(0, 1.05)
    profile.set_xlabel("$x$  [sites]")
    profile.set_ylabel("relative")
    below.legend(loc="outside upper center", ncols=3, fontsize=8)
    where = ",  ".join(part for part in (place_title(arrays), control_title(arrays, float(arrays["control"]))) if part)
    maps.suptitle(f"{where},  class {texts(arrays['phase'])[0]}", fontsize=10)
    return figure
