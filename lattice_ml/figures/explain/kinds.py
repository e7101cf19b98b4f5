"""Nets in one panel, or in a panel for each kind where they are too many to tell apart by colour."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lattice_ml.figures.style import PALETTE, WIDTH, texts


def kinds(names: np.ndarray) -> list[list[int]]:
    """Numbers of the nets of each panel: all, or those whose name begins alike: ``EQ_1``, ``EQ_2`` and ``EQ_3``."""
    own = texts(names)
    if len(own) <= len(PALETTE):
        return [list(range(len(own)))]
    first = [name.split("_")[0] for name in own]
    return [[number for number, other in enumerate(first) if other == kind] for kind in dict.fromkeys(first)]


def panels(names: np.ndarray, height: float) -> tuple[Figure, list[tuple[Axes, list[int]]]]:
    """A figure with a panel for each of ``kinds``, one below the other on common axes; one alone is ``height`` high."""
    groups = kinds(names)
    figure = Figure(figsize=(WIDTH, height if len(groups) == 1 else 0.4 + 0.6 * height * len(groups)))
    axes = figure.subplots(len(groups), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
    return figure, list(zip(axes, groups, strict=True))
