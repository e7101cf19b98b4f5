"""Autocorrelation times against temperature, beside the spacing of an ensemble's samples."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure

from lattice_ml.figures.archive import Arrays
from lattice_ml.figures.style import INK, MARKERS, MUTED, PALETTE, WIDTH, styled, texts


@styled
def draw(arrays: Arrays) -> Figure:
    """One series for each observable; open symbols are lower bounds.

    ``T`` [t] (k_B = 1), ``tau``, ``error`` (inf: a lower bound) [observable, t] in the system's unit of time, ``names``
    [observable] text; ``resolution`` [t]: what independent samples give; ``spacing`` [t] of the ensemble's samples.
    """
    figure = Figure(figsize=(WIDTH, 3.6))
    ax = figure.subplots()
    order = np.argsort(arrays["T"])
    T = arrays["T"][order]
    for k, name in enumerate(texts(arrays["names"])):
        tau, error = arrays["tau"][k][order], arrays["error"][k][order]
        known = np.isfinite(error)
        look: dict[str, Any] = {"color": PALETTE[k % len(PALETTE)], "marker": MARKERS[k % len(MARKERS)]}
        ax.errorbar(T[known], tau[known], yerr=error[known], linestyle="", capsize=2, label=name, **look)
        ax.plot(T[~known], tau[~known], linestyle="", markerfacecolor="white", **look)
    ax.plot(T, arrays["resolution"][order], color=MUTED, linewidth=1, linestyle=":", label="independent read-outs")
    ax.plot(
        T, arrays["spacing"][order] / 2, color=INK, linewidth=1, linestyle="--", label="half the spacing of samples"
    )
    ax.set_yscale("log")
    ax.set_xlabel("temperature $T$")
    ax.set_ylabel(r"autocorrelation time $\tau$")
    figure.legend(loc="outside upper center", ncols=2)
    return figure
