"""Coexisting densities against temperature, and the transition temperatures that they give."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FormatStrFormatter, LogLocator, NullFormatter

from lattice_ml.figures.archive import Arrays
from lattice_ml.figures.style import INK, PHASE_COLOURS, WIDTH, styled


@styled
def draw(arrays: Arrays) -> Figure:
    """Density to the right, temperature upwards, as in a phase diagram: the gas branch, the liquid branch.

    ``T`` [t] (k_B = 1); ``low``, ``high`` and their errors ``low_error``, ``high_error`` [t] (particles per site; nan:
    unknown).
    """
    figure = Figure(figsize=(WIDTH, 3.6))
    ax = figure.subplots()
    T, low, high = arrays["T"], arrays["low"], arrays["high"]
    ax.fill_betweenx(T, low, high, color=PHASE_COLOURS["L+G"], alpha=0.18, linewidth=0)
    for rho, error, phase, label in (
        (low, arrays["low_error"], "G", r"gas $\rho_\ell$"),
        (high, arrays["high_error"], "L", r"liquid $\rho_h$"),
    ):
        ax.errorbar(rho, T, xerr=np.nan_to_num(error), color=PHASE_COLOURS[phase], marker="o", capsize=2.5, label=label)
    middle = len(T) // 2
    ax.text(np.sqrt(low[middle] * high[middle]), T[middle], "L+G", color=INK, ha="center", va="center", weight="bold")
    ax.set_xscale("log")
    ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.xaxis.set_major_formatter(FormatStrFormatter("%g"))
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.set_xlabel(r"density $\rho$  [particles per site]")
    ax.set_ylabel("temperature $T$")
    ax.legend(loc="upper left")
    return figure
