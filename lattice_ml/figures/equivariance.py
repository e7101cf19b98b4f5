"""How far a net is from equivariance, for every translation of the torus."""

from __future__ import annotations

import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from lattice_ml.figures.archive import Arrays
from lattice_ml.figures.style import WIDTH, styled, texts

FLOOR = 1e-9
"""Errors below are shown as this: zero has no logarithm."""


@styled
def draw(arrays: Arrays) -> Figure:
    """``architectures`` [a]; ``error`` [a, dt, dx]: max |f(shifted) - shifted f| over the configurations, in units of
    the typical size of f; one map for each architecture, one scale for all."""
    names = texts(arrays["architectures"])
    figure = Figure(figsize=(WIDTH, 2.6))
    axes = figure.subplots(1, len(names), squeeze=False)[0]
    error = np.maximum(arrays["error"], FLOOR)
    norm = LogNorm(FLOOR, max(float(error.max()), 10 * FLOOR))
    for ax, name, field in zip(axes, names, error, strict=True):
        image = ax.imshow(field.T, origin="lower", norm=norm, aspect="auto", cmap="viridis")
        ax.set_title(name)
        ax.set_xlabel("shift in time")
        ax.grid(False)
    axes[0].set_ylabel("shift in space")
    figure.colorbar(image, ax=list(axes), label="relative error")
    return figure
