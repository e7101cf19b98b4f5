"""The error of nets on lattices that they were not trained on."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from lattice_ml.figures.archive import Arrays
from lattice_ml.figures.explain.kinds import panels
from lattice_ml.figures.style import INK, architecture_bands, styled, texts


@styled
def draw(arrays: Arrays) -> Figure:
    """A score on every torus: median over the instances and their central 20, 40, 60 and 80 %.

    ``tori`` [t]: names such as 60x4, in the order of the axis; ``architectures`` [a]; ``score`` [a, t, member], nan
    where a net does not take a torus; ``trained``: the torus of the training; ``label``: of the axis; ``logarithmic``:
    of the axis.
    """
    figure, axes = panels(arrays["architectures"], 3.4)
    tori, place = texts(arrays["tori"]), np.arange(len(arrays["tori"]))
    for ax, own in axes:
        architecture_bands(ax, place, arrays["architectures"][own], arrays["score"][own])
        for torus in texts(arrays["trained"]):
            if torus in tori:
                ax.axvline(tori.index(torus), color=INK, linewidth=1, linestyle=":")
        ax.set_xticks(place, [torus.replace("x", "×") for torus in tori])
        ax.set_yscale("log" if bool(arrays["logarithmic"]) else "linear")
        ax.set_ylabel(texts(arrays["label"])[0])
        ax.legend()
    axes[-1][0].set_xlabel("lattice (dotted: trained on)")
    return figure
