"""A score against the number of training samples, for every architecture."""

from __future__ import annotations

from matplotlib.figure import Figure

from lattice_ml.figures.archive import Arrays
from lattice_ml.figures.style import WIDTH, architecture_bands, styled, texts

FLOOR = 1e-8
"""The axis begins no higher than here, as in Bulusu et al., Fig. 4."""


@styled
def draw(arrays: Arrays) -> Figure:
    """Median over the instances and their central 20, 40, 60 and 80 %.

    ``samples`` [s]: training-set sizes, increasing; ``architectures`` [a]; ``score`` [a, s, member], nan where it was
    not trained; ``label`` and ``logarithmic``: of its axis; ``where``: text that names the test set.
    """
    figure = Figure(figsize=(WIDTH, 3.6))
    ax = figure.subplots()
    architecture_bands(ax, arrays["samples"], arrays["architectures"], arrays["score"])
    ax.set_xscale("log")
    if bool(arrays["logarithmic"]):
        ax.set_yscale("log")
        ax.set_ylim(bottom=min(FLOOR, ax.get_ylim()[0]))
    ax.set_xlabel("training samples")
    ax.set_ylabel(texts(arrays["label"])[0])
    ax.set_title(texts(arrays["where"])[0])
    ax.legend()
    return figure
