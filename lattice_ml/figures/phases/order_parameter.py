"""Order parameters against the control parameter, with the transitions that the unsupervised labels found."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from lattice_ml.figures.archive import Arrays
from lattice_ml.figures.style import PALETTE, WIDTH, band, control_label, mark_transitions, place_title, styled, texts


@styled
def draw(arrays: Arrays) -> Figure:
    r"""One panel per observable over a common axis, each mean in a band of one standard error.

    ``control`` [t], the control parameter ``control_name``, ``means`` and ``errors`` [observable, t], ``names``
    [observable] axis labels (text, may hold mathematics such as ``r"$\langle|\bar m|\rangle$"``), ``transitions`` [k]
    text, ``transition_value`` and ``transition_error`` [k] (nan: not found); the value ``place`` of another parameter
    ``place_name``, if there is one.
    """
    T, means, errors, names = arrays["control"], arrays["means"], arrays["errors"], texts(arrays["names"])
    figure = Figure(figsize=(WIDTH, 0.8 + 1.75 * len(names)))
    axes = figure.subplots(len(names), 1, sharex=True, squeeze=False)[:, 0]
    values, widths = arrays["transition_value"], arrays["transition_error"]
    for k, (ax, name) in enumerate(zip(axes, names, strict=True)):
        mark_transitions(ax, values, widths)
        band(ax, T, means[k], errors[k], color=PALETTE[k % len(PALETTE)], marker="o", markersize=2.6, linewidth=1.1)
        ax.set_ylabel(name)
        ax.set_ylim(bottom=min(0.0, float(means[k].min())))
        ax.set_xlim(T.min(), T.max())
    for name, value in zip(texts(arrays["transitions"]), values, strict=True):
        if not np.isfinite(value):
            continue
        text = name.replace("|", " | ")
        axes[0].annotate(
            text, (float(value), 1), xycoords=("data", "axes fraction"), xytext=(0, 3),
            textcoords="offset points", ha="center", fontsize=9,
        )  # fmt: skip
    axes[-1].set_xlabel(control_label(arrays))
    if place_title(arrays):
        figure.suptitle(place_title(arrays), fontsize=10)
    return figure
