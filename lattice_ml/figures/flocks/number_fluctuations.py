"""Variance of the number of particles in a box against its mean."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from lattice_ml.figures.archive import Arrays
from lattice_ml.figures.style import INK, MARKERS, PALETTE, WIDTH, styled


@styled
def draw(arrays: Arrays) -> Figure:
    """Both axes logarithmic, with Poisson's line <dN²> = <N>.

    ``mean`` [box]; ``variance`` and ``error`` [t, box]; ``T`` [t] (k_B = 1); ``exponent`` and ``exponent_error`` [t].
    """
    figure = Figure(figsize=(WIDTH, 3.6))
    ax = figure.subplots()
    for k, T in enumerate(arrays["T"]):
        a, error = arrays["exponent"][k], arrays["exponent_error"][k]
        ax.errorbar(
            arrays["mean"], arrays["variance"][k], yerr=np.nan_to_num(arrays["error"][k]),
            fmt=MARKERS[k % len(MARKERS)], color=PALETTE[k % len(PALETTE)], capsize=2,
            label=f"$T = {T:g}$: $a = {a:.3f} \\pm {error:.3f}$",
        )  # fmt: skip
    ax.plot(arrays["mean"], arrays["mean"], color=INK, linewidth=1, linestyle="--", label="Poisson, $a = 1$")
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xlabel(r"$\langle N\rangle$ in a box")
    ax.set_ylabel(r"$\langle\delta N^2\rangle$")
    ax.legend()
    return figure
