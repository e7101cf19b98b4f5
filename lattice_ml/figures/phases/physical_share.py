"""Which share of the nets extrapolates, against the strength of their L2 term."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from lattice_ml.figures.archive import Arrays
from lattice_ml.figures.style import MARKERS, WIDTH, styled, texts


@styled
def draw(arrays: Arrays) -> Figure:
    """``share``, ``error`` [criterion, committee] against ``l2`` [committee]; ``criteria`` text [criterion]."""
    order = np.argsort(arrays["l2"])
    strengths = arrays["l2"][order]
    figure = Figure(figsize=(WIDTH, 2.8))
    ax = figure.subplots()
    for k, name in enumerate(texts(arrays["criteria"])):
        ax.errorbar(
            np.arange(len(order)) + 0.06 * k, arrays["share"][k][order], yerr=arrays["error"][k][order],
            fmt=MARKERS[k], capsize=2.5, label=name,
        )  # fmt: skip
    ax.set_xticks(np.arange(len(order)), [f"{value:g}" for value in strengths])
    ax.set_xlabel(r"$\lambda$ of $\lambda\,\Sigma w^2$")
    ax.set_ylabel("share of the nets")
    ax.set_ylim(-0.05, 1.05)
    figure.legend(loc="outside upper center", ncols=2)
    return figure
