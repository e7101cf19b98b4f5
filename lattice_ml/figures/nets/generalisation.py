"""Test against validation loss: does the validation set tell which instance generalises?"""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from lattice_ml.figures.archive import Arrays
from lattice_ml.figures.explain.kinds import panels
from lattice_ml.figures.style import INK, MARKERS, PALETTE, styled, texts


@styled
def draw(arrays: Arrays) -> Figure:
    """One marker for each instance, both axes logarithmic over at least a decade; the line is equality.

    ``architectures`` [a]; ``validation``, ``test`` [a, member], nan where there is none; ``where``: names the test set.
    """
    figure, axes = panels(arrays["architectures"], 3.8)
    names, ends = texts(arrays["architectures"]), {}
    for key in ("validation", "test"):
        there = arrays[key][np.isfinite(arrays[key]) & (arrays[key] > 0)]
        ends[key] = _decades(there) if len(there) else np.array([0.1, 1.0])
    both = np.array([min(end[0] for end in ends.values()), max(end[1] for end in ends.values())])
    for ax, own in axes:
        for look, number in enumerate(own):
            ax.plot(
                arrays["validation"][number],
                arrays["test"][number],
                linestyle="none",
                marker=MARKERS[look % len(MARKERS)],
                color=PALETTE[look % len(PALETTE)],
                label=names[number],
            )
        ax.plot(both, both, color=INK, linewidth=0.8)
        ax.set_xscale("log")
        ax.set_yscale("log")
        ax.set_xlim(*ends["validation"])
        ax.set_ylim(*ends["test"])
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_minor_formatter(NullFormatter())  # a decade's ends have labels, and 2 ... 9 would overlap
        ax.set_ylabel("test loss")
        ax.legend()
    axes[0][0].set_title(texts(arrays["where"])[0])
    axes[-1][0].set_xlabel("validation loss")
    return figure


def _decades(values: np.ndarray) -> np.ndarray:
    """The powers of ten around the values, so that at least two of them are on the axis."""
    low, high = np.floor(np.log10(values.min())), np.ceil(np.log10(values.max()))
    return 10.0 ** np.array([low, max(high, low + 1)])
