"""Where bands begin and end in temperature, against the activity."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from lattice_ml.figures.archive import Arrays
from lattice_ml.figures.style import MARKERS, PHASE_COLOURS, WIDTH, place_title, styled, texts


@styled
def draw(arrays: Arrays) -> Figure:
    """Boundaries with error bars, a symbol for each rule; the theory's as lines.

    ``activity``, ``low``, ``low_error``, ``high``, ``high_error`` [rule] (T, k_B = 1; nan: not found) and ``label``
    [rule] text; ``theory_activity``, ``theory_low``, ``theory_high`` [point]; ``place`` and ``place_name``.
    """
    figure = Figure(figsize=(WIDTH, 4.0))
    ax = figure.subplots()
    for name, colour, words in (("low", "L", "liquid unstable above"), ("high", "G", "gas unstable below")):
        ax.plot(
            arrays["theory_activity"], arrays[f"theory_{name}"], color=PHASE_COLOURS[colour], label=f"theory: {words}"
        )
    for k, label in enumerate(texts(arrays["label"])):
        for name, colour in (("low", "L"), ("high", "G")):
            ax.errorbar(
                arrays["activity"][k], arrays[name][k], yerr=np.nan_to_num(arrays[f"{name}_error"][k]),
                fmt=MARKERS[k % len(MARKERS)], color=PHASE_COLOURS[colour], markeredgecolor="black", capsize=2.5,
                label=label if name == "low" else None,
            )  # fmt: skip
    ax.set_xlabel(r"activity $v^2 / D = 4 D \varepsilon^2$")
    ax.set_ylabel("temperature $T$")
    if place_title(arrays):
        ax.set_title(place_title(arrays))
    figure.legend(loc="outside upper center", ncols=2)
    return figure
