"""How the error grows where the control parameter leaves the range of the training."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from lattice_ml.figures.archive import Arrays
from lattice_ml.figures.style import INK, LINES, WIDTH, member_bands, styled, texts


@styled
def draw(arrays: Arrays) -> Figure:
    """``mu`` [m], increasing; ``architectures`` [a]; ``mse`` [a, m, member]; ``trained`` [k]: mu of the training."""
    figure = Figure(figsize=(WIDTH, 3.4))
    ax = figure.subplots()
    for number, (name, mse) in enumerate(zip(texts(arrays["architectures"]), arrays["mse"], strict=True)):
        member_bands(ax, arrays["mu"], mse, label=name, linestyle=LINES[number % len(LINES)])
    trained = np.atleast_1d(arrays["trained"])
    ax.axvspan(trained.min(), trained.max(), facecolor=INK, alpha=0.15, linewidth=1, edgecolor=INK)
    ax.set_yscale("log")
    ax.set_xlabel(r"chemical potential $\mu$ (shaded: trained)")
    ax.set_ylabel("mean squared error")
    ax.legend()
    return figure
