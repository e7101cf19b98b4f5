"""Configurations in the planes of the leading principal components, coloured by the control parameter."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from lattice_ml.figures.archive import Arrays
from lattice_ml.figures.style import WIDTH, control_label, place_title, styled

PLANES = ((0, 1), (0, 2), (1, 2))


@styled
def draw(arrays: Arrays) -> Figure:
    """p1-p2, p1-p3 and p2-p3: ``principal`` [n, 3 or more] in particles, ``control`` [n], of ``control_name``; the
    value ``place`` of another parameter ``place_name``, if there is one."""
    principal, T = arrays["principal"], arrays["control"]
    figure = Figure(figsize=(1.5 * WIDTH, 3.1))
    axes = figure.subplots(1, len(PLANES))
    # Points are drawn in an order without meaning, so that no value hides another.
    order = np.random.default_rng(0).permutation(len(T))
    size = float(np.clip(9000 / max(len(T), 1), 2, 16))
    for ax, (a, b) in zip(axes, PLANES, strict=True):
        points = ax.scatter(
            principal[order, a], principal[order, b], c=T[order], s=size, cmap="plasma", linewidths=0, rasterized=True
        )
        ax.set_xlabel(f"$p_{a + 1}$")
        ax.set_ylabel(f"$p_{b + 1}$", labelpad=-2)
        ax.tick_params(labelsize=8)
    figure.colorbar(points, ax=list(axes), location="bottom", label=control_label(arrays), aspect=50, pad=0.03)
    if place_title(arrays):
        figure.suptitle(place_title(arrays), fontsize=10)
    return figure
