"""Observables of the scalar field against the chemical potential, from the samples and from the nets."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from lattice_ml.figures.archive import Arrays
from lattice_ml.figures.style import INK, LINES, MUTED, WIDTH, styled, texts


@styled
def draw(arrays: Arrays) -> Figure:
    """One panel for each observable: averages over the samples with errors, and what the median instance predicts.

    ``mu`` [m]; ``outputs`` [o]: labels; ``mean``, ``error`` [o, m] of the samples; ``architectures`` [a]; ``predicted``
    [a, o, m]; ``trained`` [k]: where the nets were trained; ``onset``: where the mass gap closes, nan if it is not
    known for this torus.
    """
    outputs = texts(arrays["outputs"])
    figure = Figure(figsize=(WIDTH, 2.4 * len(outputs)))
    axes = np.atleast_1d(figure.subplots(len(outputs), 1, sharex=True))
    order = np.argsort(arrays["mu"])
    mu = arrays["mu"][order]
    for number, (ax, output) in enumerate(zip(axes, outputs, strict=True)):
        ax.errorbar(
            mu,
            arrays["mean"][number][order],
            arrays["error"][number][order],
            fmt="o",
            markersize=3,
            color=INK,
            label="samples",
        )
        for a, name in enumerate(texts(arrays["architectures"])):
            ax.plot(mu, arrays["predicted"][a, number][order], linestyle=LINES[a % len(LINES)], label=name)
        if np.isfinite(arrays["onset"]):
            ax.axvline(float(arrays["onset"]), color=MUTED, linewidth=1, linestyle=(0, (4, 2)))
        for trained in np.atleast_1d(arrays["trained"]):
            ax.axvline(trained, color=MUTED, linewidth=1, linestyle=":")
        ax.set_ylabel(output)
    axes[0].legend()
    axes[-1].set_xlabel(r"chemical potential $\mu$ (dashed: mass gap, dotted: trained)")
    return figure
