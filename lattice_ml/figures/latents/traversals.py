"""Fields on the torus in rows: one row for a latent that is turned, or one for a walk between two configurations."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from lattice_ml.figures import lattice_map
from lattice_ml.figures.archive import Arrays
from lattice_ml.figures.style import WIDTH, styled, texts


@styled
def draw(arrays: Arrays) -> Figure:
    """``fields`` [row, step, x, y]; ``steps`` [step] numbers or text; ``names`` [row]; ``channel``."""
    fields, names, channel = arrays["fields"], texts(arrays["names"]), str(arrays["channel"])
    steps = [f"{step:g}" if np.issubdtype(arrays["steps"].dtype, np.number) else str(step) for step in arrays["steps"]]
    look = lattice_map.scale(channel, fields)
    width = WIDTH / len(steps)
    # An elongated torus is drawn taller than its sites are, so that anything can be seen.
    height = min(max(lattice_map.panel_height(fields, width), 0.35 * width), 2 * width)
    figure = Figure(figsize=(WIDTH, 1.0 + (height + 0.1) * len(names)))
    axes = figure.subplots(len(names), len(steps), squeeze=False)
    image = None
    for (row, column), ax in np.ndenumerate(axes):
        image = lattice_map.show(ax, fields[row, column], look)
        ax.set_aspect("auto")
        ax.set_xticks([])
        ax.set_yticks([])
        if row == 0:
            ax.set_title(steps[column], fontsize=7)
        if column == 0:
            ax.set_ylabel(names[row])
    assert image is not None
    lattice_map.bar(figure, image, list(axes.ravel()), lattice_map.label(channel), aspect=40)
    return figure
