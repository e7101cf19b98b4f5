"""The speed of bands beside what continuity asks, and their width beside the lever rule."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from lattice_ml.figures.archive import Arrays
from lattice_ml.figures.style import INK, PALETTE, WIDTH, styled


@styled
def draw(arrays: Arrays) -> Figure:
    """Two panels over temperature (k_B = 1).

    ``T`` [t], ``speed``, ``speed_error``, ``predicted``, ``predicted_error`` [t] (sites per unit of time); ``width_T``
    [w], ``share``, ``share_error`` and ``lever`` [w] (shares of the torus). nan: unknown.
    """
    figure = Figure(figsize=(WIDTH, 4.8))
    axes = figure.subplots(2, 1)
    look = {"fmt": "o", "color": PALETTE[0], "capsize": 2.5}
    axes[0].errorbar(arrays["T"], arrays["speed"], yerr=np.nan_to_num(arrays["speed_error"]), label="measured", **look)
    axes[0].errorbar(
        arrays["T"], arrays["predicted"], yerr=np.nan_to_num(arrays["predicted_error"]), fmt="_", color=PALETTE[1],
        markersize=14, label=r"$v\,\Delta m / \Delta\rho$",
    )  # fmt: skip
    axes[0].set_ylabel("band speed $c$")
    axes[0].legend()
    axes[1].errorbar(
        arrays["width_T"], arrays["share"], yerr=np.nan_to_num(arrays["share_error"]), label="measured", **look
    )
    axes[1].plot(arrays["width_T"], arrays["lever"], color=INK, linewidth=1, label="lever rule of the binodals")
    axes[1].set_ylabel("share of the torus")
    axes[1].set_ylim(0, 1)
    axes[1].legend()
    axes[1].set_xlabel("temperature $T$")
    return figure
