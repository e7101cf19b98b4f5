"""A layer's activations in planes, coloured by physical quantities."""

from __future__ import annotations

from matplotlib.figure import Figure

from lattice_ml.figures.archive import Arrays
from lattice_ml.figures.style import WIDTH, styled, texts

NAMES = {"pca": "PCA", "umap": "UMAP", "tsne": "t-SNE"}


@styled
def draw(arrays: Arrays) -> Figure:
    """A row for each plane, a column for each colour: ``planes`` [p] text, ``positions`` [p, n, 2], ``colours`` [c]
    text, ``values`` [c, n]."""
    planes, colours = texts(arrays["planes"]), texts(arrays["colours"])
    figure = Figure(figsize=(WIDTH * max(1.0, 0.5 * len(colours)), 0.5 + 1.7 * len(planes)))
    axes = figure.subplots(len(planes), len(colours), squeeze=False)
    for column, name in enumerate(colours):
        for row, plane in enumerate(planes):
            ax, place = axes[row, column], arrays["positions"][row]
            shown = ax.scatter(*place.T, c=arrays["values"][column], s=3, cmap="viridis", linewidth=0, rasterized=True)
            ax.set_xticks([])
            ax.set_yticks([])
            if not column:
                ax.set_ylabel(NAMES.get(plane, plane))
        figure.colorbar(shown, ax=list(axes[:, column]), location="bottom", label=name, pad=0.02, aspect=20)
    return figure
