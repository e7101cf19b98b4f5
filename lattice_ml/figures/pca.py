"""What principal component analysis finds: how much each component explains, and its shape along the drift."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from lattice_ml.figures.archive import Arrays
from lattice_ml.figures.style import MUTED, PALETTE, WIDTH, styled


@styled
def draw(arrays: Arrays) -> Figure:
    """Above, the share of the variance of each component (logarithmic); below, the y-averaged leading components.

    ``ratios`` [component]: lambda_i / sum lambda. ``profiles`` [drawn component, x]: the y-average of w_i, in the
    units of a unit vector w_i on the lattice.
    """
    ratios, profiles = arrays["ratios"], arrays["profiles"]
    figure = Figure(figsize=(WIDTH, 5.4))
    spectrum, shapes = figure.subplots(2, 1, height_ratios=(2, 3))

    number = np.arange(1, len(ratios) + 1)
    colours = [PALETTE[k % len(PALETTE)] if k < len(profiles) else MUTED for k in range(len(ratios))]
    spectrum.vlines(number, 1e-12, ratios, colors=colours, linewidth=1)
    spectrum.scatter(number, ratios, c=colours, s=26, zorder=3)
    spectrum.set_yscale("log")
    positive = ratios[ratios > 0]
    if len(positive):
        spectrum.set_ylim(positive.min() / 2, min(positive.max() * 2, 2))
    spectrum.set_xlabel("component $i$")
    spectrum.set_ylabel(r"$\lambda_i\,/\,\sum_j \lambda_j$")
    spectrum.grid(False, axis="x")

    # Components are drawn one under the other, a common distance apart, each on its own zero line.
    distance = 2.4 * float(np.abs(profiles).max() or 1)
    x = np.arange(profiles.shape[1])
    for k, profile in enumerate(profiles):
        shapes.axhline(-k * distance, color=MUTED, linewidth=0.6)
        shapes.plot(x, profile - k * distance, color=PALETTE[k % len(PALETTE)])
    shapes.set_yticks([-k * distance for k in range(len(profiles))], [f"$w_{{{k + 1}}}$" for k in range(len(profiles))])
    shapes.set_xlim(0, len(x) - 1)
    shapes.set_xlabel("$x$  [sites]")
    shapes.set_ylabel("component, averaged over $y$")
    shapes.grid(False)
    return figure
