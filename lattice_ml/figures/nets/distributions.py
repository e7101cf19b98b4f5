"""Which values the observables take in the training and in the test ensembles."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from lattice_ml.figures.archive import Arrays
from lattice_ml.figures.style import LINES, PALETTE, WIDTH, styled, texts


@styled
def draw(arrays: Arrays) -> Figure:
    """One panel for each observable; a histogram for each ensemble, normalised to unit area.

    ``outputs`` [o]; ``ensembles`` [e]; ``edges`` [o, b + 1]; ``density`` [o, e, b].
    """
    outputs = texts(arrays["outputs"])
    figure = Figure(figsize=(WIDTH, 2.3 * len(outputs)))
    axes = np.atleast_1d(figure.subplots(len(outputs), 1))
    for number, (ax, output) in enumerate(zip(axes, outputs, strict=True)):
        for e, name in enumerate(texts(arrays["ensembles"])):
            ax.stairs(
                arrays["density"][number, e],
                arrays["edges"][number],
                label=name,
                color=PALETTE[e % len(PALETTE)],
                linestyle=LINES[e // len(PALETTE) % len(LINES)],
            )
        ax.set_xlabel(output)
        ax.set_ylabel("density")
    axes[0].legend()
    return figure
