"""Transitions by several methods side by side, with those of every resampling."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from lattice_ml.figures.archive import Arrays
from lattice_ml.figures.style import INK, MUTED, PALETTE, WIDTH, control_label, place_title, styled, texts


@styled
def draw(arrays: Arrays) -> Figure:
    """A panel for each transition: ``transitions`` [k] text, ``found`` and ``found_error``, ``truth`` and
    ``truth_error`` [k] (nan: none), ``resampled`` [resampling, k] (nan: not found there), ``bar``: the |dT| allowed."""
    names, bar = texts(arrays["transitions"]), float(arrays["bar"])
    figure = Figure(figsize=(WIDTH, 0.9 + 1.25 * len(names)))
    axes = figure.subplots(len(names), 1, squeeze=False)[:, 0]
    for k, (ax, name) in enumerate(zip(axes, names, strict=True)):
        truth, found = float(arrays["truth"][k]), float(arrays["found"][k])
        if np.isfinite(truth):
            ax.axvspan(truth - bar, truth + bar, color=MUTED, alpha=0.2, linewidth=0)
            ax.errorbar(truth, 2, xerr=_error(arrays["truth_error"][k]), fmt="s", color=INK, capsize=3)
        if np.isfinite(found):
            ax.errorbar(found, 1, xerr=_error(arrays["found_error"][k]), fmt="o", color=PALETTE[0], capsize=3)
        own = arrays["resampled"][:, k]
        ax.plot(own, np.linspace(-0.25, 0.25, len(own)), "o", color=PALETTE[5], markersize=3)
        ax.set_yticks([2, 1, 0], ["band there or not", "clusters", "resampled"])
        ax.set_ylim(-0.6, 2.6)
        ax.set_title(name.replace("|", " | "))
        ax.grid(False, axis="y")
    axes[-1].set_xlabel(control_label(arrays))
    if place_title(arrays):
        figure.suptitle(place_title(arrays), fontsize=10)
    return figure


def _error(value: np.ndarray) -> float | None:
    return float(value) if np.isfinite(value) else None
