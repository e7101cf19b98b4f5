"""How far each attribution may be believed."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from lattice_ml.figures.archive import Arrays
from lattice_ml.figures.style import INK, LINES, MARKERS, PALETTE, WIDTH, styled, texts


@styled
def draw(arrays: Arrays) -> Figure:
    """``methods`` [m] text; ``infidelity``, ``sensitivity`` and, each with ``<it>_error``, [m]; ``layers`` [l] text,
    from the output back; ``cascade`` [m, l]: rank correlation with the map of the trained net once that layer and
    those before it in the list are drawn anew."""
    methods, layers = texts(arrays["methods"]), texts(arrays["layers"])
    figure = Figure(figsize=(WIDTH, 5.2))
    above, below = figure.subfigures(2, 1, height_ratios=(2, 3))  # pyright: ignore[reportGeneralTypeIssues]
    panels = above.subplots(1, 2, sharey=True)
    place = -np.arange(len(methods))
    for number, (ax, name) in enumerate(zip(panels, ("infidelity", "sensitivity"), strict=True)):
        ax.barh(
            place,
            arrays[name],
            xerr=np.nan_to_num(arrays[f"{name}_error"]),
            color=PALETTE[number],
            ecolor=INK,
            capsize=2,
        )
        ax.set_xlabel(name)
    panels[0].set_yticks(place, [method.replace("_", " ") for method in methods])
    ax = below.subplots()
    for number, method in enumerate(methods):
        look = {"marker": MARKERS[number % len(MARKERS)], "linestyle": LINES[number % len(LINES)]}
        ax.plot(np.arange(len(layers)), arrays["cascade"][number], label=method.replace("_", " "), **look)
    ax.axhline(0, color=INK, linewidth=0.8)
    ax.set_xticks(np.arange(len(layers)), layers, rotation=25, ha="right", fontsize=8)
    ax.set_ylabel("rank correlation")
    ax.set_xlabel("weights drawn anew from the output back to …")
    ax.legend(fontsize=7)
    return figure
