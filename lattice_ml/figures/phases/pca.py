"""What principal component analysis finds: how much each component explains, and its shape along the drift."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from lattice_ml.figures.archive import Arrays
from lattice_ml.figures.style import INK, MUTED, PALETTE, WIDTH, styled


@styled
def draw(arrays: Arrays) -> Figure:
    """Above, the share of the variance of each component (logarithmic); below, the y-averaged leading components.

    ``ratios`` [component]: lambda_i / sum lambda. ``profiles`` [drawn component, x]: the y-average of w_i, in the
    units of a unit vector w_i on the lattice. ``spread`` [drawn component, x]: its standard deviation over y, of which
    a band of three is drawn. ``floor`` [component]: the ratios that noise alone would have, if they are known.
    """
    ratios, profiles, spread = arrays["ratios"], arrays["profiles"], arrays["spread"]
    figure = Figure(figsize=(WIDTH, 5.4))
    spectrum, shapes = figure.subplots(2, 1, height_ratios=(2, 3))

    number = np.arange(1, len(ratios) + 1)
    colours = [PALETTE[k % len(PALETTE)] if k < len(profiles) else MUTED for k in range(len(ratios))]
    spectrum.vlines(number, 1e-12, ratios, colors=colours, linewidth=1)
    spectrum.scatter(number, ratios, c=colours, s=26, zorder=3)
    spectrum.set_yscale("log")
    shown = ratios
    if "floor" in arrays:
        spectrum.plot(number, arrays["floor"], color=INK, linewidth=1, linestyle="--", label="shot noise alone")
        spectrum.legend(loc="upper right")
        shown = np.concatenate((ratios, arrays["floor"]))
    positive = shown[shown > 0]
    if len(positive):
        spectrum.set_ylim(positive.min() / 2, min(positive.max() * 2, 2))
    spectrum.set_xlabel("component $i$")
    spectrum.set_ylabel(r"$\lambda_i\,/\,\sum_j \lambda_j$")
    spectrum.grid(False, axis="x")

    # Components are drawn one under the other, a common distance apart, each on its own zero line.
    distance = 2.4 * float(np.max(np.abs(profiles) + 3 * spread) or 1)
    x = np.arange(profiles.shape[1])
    for k, (profile, sigma) in enumerate(zip(profiles, spread, strict=True)):
        colour, zero = PALETTE[k % len(PALETTE)], -k * distance
        shapes.axhline(zero, color=MUTED, linewidth=0.6)
        shapes.fill_between(
            x, profile - 3 * sigma + zero, profile + 3 * sigma + zero, color=colour, alpha=0.25, linewidth=0
        )
        shapes.plot(x, profile + zero, color=colour)
    shapes.set_yticks([-k * distance for k in range(len(profiles))], [f"$w_{{{k + 1}}}$" for k in range(len(profiles))])
    shapes.set_xlim(0, len(x) - 1)
    shapes.set_xlabel("$x$  [sites]")
    shapes.set_ylabel("component, averaged over $y$")
    shapes.grid(False)
    return figure
