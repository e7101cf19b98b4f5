"""Noise of counted particles in principal components: the whole spectrum, and what smoothing leaves of it."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from lattice_ml.figures.archive import Arrays
from lattice_ml.figures.style import INK, MUTED, PALETTE, WIDTH, place_title, styled, texts


@styled
def draw(arrays: Arrays) -> Figure:
    """Above, all eigenvalues beside those of noise alone; below, the variance beyond the leading components.

    ``eigenvalues`` and ``noise`` [i], descending; ``level``: the floor, the noise of one site. ``blocks`` [b] names of
    what sites were averaged over, ``missing``, ``missing_error`` and ``missing_noise`` [b]: one minus the share of the
    ``components`` leading components, its error, and what shot noise alone would leave. ``claim``: the share that the
    source states.
    """
    figure = Figure(figsize=(WIDTH, 5.8))
    spectrum, smoothed = figure.subplots(2, 1)
    values = arrays["eigenvalues"]
    number = np.arange(1, len(values) + 1)
    spectrum.loglog(number, values, ".", color=PALETTE[0], markersize=4, label="magnetisation")
    spectrum.loglog(
        np.arange(1, len(arrays["noise"]) + 1), arrays["noise"], color=PALETTE[1], linewidth=1.2,
        label="shot noise (Marchenko, Pastur)",
    )  # fmt: skip
    level = float(arrays["level"])
    spectrum.axhline(level, color=MUTED, linewidth=1, linestyle=":", label=rf"$\langle\rho_i\rangle = {level:g}$")
    spectrum.set_ylim(bottom=max(values[values > 0].min() * 0.8, level / 100))
    spectrum.set_xlabel("component $i$")
    spectrum.set_ylabel(r"eigenvalue $\lambda_i$")
    spectrum.legend()

    place = np.arange(len(arrays["missing"]))
    smoothed.errorbar(
        place, arrays["missing"], np.nan_to_num(arrays["missing_error"]), fmt="o", color=PALETTE[0], capsize=2,
        label="measured",
    )  # fmt: skip
    smoothed.plot(place, arrays["missing_noise"], "_", color=PALETTE[1], markersize=16, label="shot noise alone")
    claim = 1 - float(arrays["claim"])
    smoothed.axhline(claim, color=INK, linewidth=1, linestyle="--", label=f"claimed: at most {claim:.1%}")
    smoothed.set_yscale("log")
    smoothed.set_xticks(place, texts(arrays["blocks"]))
    smoothed.set_xlim(-0.6, len(place) - 0.4)
    smoothed.set_xlabel("magnetisation averaged over")
    smoothed.set_ylabel(f"variance beyond {int(arrays['components'])} components")
    smoothed.legend(fontsize=8)
    if place_title(arrays):
        figure.suptitle(place_title(arrays), fontsize=10)
    return figure
