"""How far a net is from equivariance, for every translation of the torus."""

from __future__ import annotations

import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from lattice_ml.figures.archive import Arrays
from lattice_ml.figures.explain.kinds import kinds
from lattice_ml.figures.style import WIDTH, styled, texts

FLOOR = 1e-9
"""Errors below are shown as this: zero has no logarithm."""


@styled
def draw(arrays: Arrays) -> Figure:
    """``architectures`` [a]; ``error`` [a, dt, dx]: max |f(shifted) - shifted f| over the configurations, in units of
    the typical size of f; one map for each architecture, one scale for all."""
    names = texts(arrays["architectures"])
    groups = kinds(arrays["architectures"])  # a row for each
    figure = Figure(figsize=(WIDTH, 2.6 if len(groups) == 1 else 1.6 * len(groups)))
    axes = figure.subplots(len(groups), max(map(len, groups)), squeeze=False)
    error = np.maximum(arrays["error"], FLOOR)
    norm = LogNorm(FLOOR, max(float(error.max()), 10 * FLOOR))
    for row, own in zip(axes, groups, strict=True):
        for ax in row[len(own) :]:
            ax.set_axis_off()
        for ax, number in zip(row, own, strict=False):
            image = ax.imshow(error[number].T, origin="lower", norm=norm, aspect="auto", cmap="viridis")
            ax.set_title(names[number], fontsize=10 if len(groups) == 1 else 8)
            ax.grid(False)
        row[0].set_ylabel("shift in space")
    for ax in axes[-1] if len(groups) == 1 else axes[-1, :1]:
        ax.set_xlabel("shift in time")
    figure.colorbar(image, ax=axes.ravel().tolist(), label="relative error")
    return figure
