"""The trials of a search in parallel coordinates."""

from __future__ import annotations

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure

from lattice_ml.figures.archive import Arrays
from lattice_ml.figures.style import INK, WIDTH, styled, texts


@styled
def draw(arrays: Arrays) -> Figure:
    """A line for each trial through its place on every axis, the best drawn last and darkest.

    ``names`` [a]: of the axes; ``place`` [t, a]: 0 to 1, nan for a gap; ``rank`` [t]: 0 is the best trial;
    ``tick_axis``, ``tick_place``, ``tick_text`` [k]: which axis, where, and what is written there.
    """
    names, place, rank = texts(arrays["names"]), arrays["place"], arrays["rank"]
    figure = Figure(figsize=(WIDTH, 4.2))
    ax = figure.subplots()
    at = np.arange(len(names))
    colours = colormaps["viridis"](0.95 * rank / max(1, len(rank) - 1))
    for trial in np.argsort(-rank):
        ax.plot(at, place[trial], color=colours[trial], linewidth=2.2 if rank[trial] == 0 else 1, marker=".")
    for axis in range(len(names)):
        ax.axvline(axis, color=INK, linewidth=0.8)
    for axis, where, text in zip(arrays["tick_axis"], arrays["tick_place"], texts(arrays["tick_text"]), strict=True):
        ax.text(axis + 0.06, where, text, fontsize=8, va="center", bbox={"color": "white", "alpha": 0.7, "pad": 0.5})
    ax.set_xticks(at, names, rotation=35, ha="right", rotation_mode="anchor")
    ax.set_xlim(-0.1, len(names) - 0.4)
    ax.set_yticks([])
    ax.grid(visible=False)
    for side in ("left", "bottom"):
        ax.spines[side].set_visible(False)
    return figure
