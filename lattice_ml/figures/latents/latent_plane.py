"""Latents as colours over a plane of two known quantities."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from lattice_ml.figures.archive import Arrays
from lattice_ml.figures.style import WIDTH, styled, texts


@styled
def draw(arrays: Arrays) -> Figure:
    """``plane`` [n, 2] with ``axes`` [2]: names; ``latents`` [n, latent] with ``names`` [latent]."""
    latents, plane, names = arrays["latents"], arrays["plane"], texts(arrays["names"])
    rows = -(-len(names) // 2)
    figure = Figure(figsize=(WIDTH, 2.4 * rows))
    axes = figure.subplots(rows, min(2, len(names)), sharex=True, sharey=True, squeeze=False).ravel()
    size = float(np.clip(6000 / max(len(plane), 1), 2, 16))
    for ax, latent, name in zip(axes, latents.T, names, strict=False):
        top = float(np.quantile(np.abs(latent), 0.99)) or 1.0
        points = ax.scatter(
            plane[:, 0],
            plane[:, 1],
            c=latent,
            s=size,
            cmap="RdBu_r",
            vmin=-top,
            vmax=top,
            linewidths=0,
            rasterized=True,
        )
        figure.colorbar(points, ax=ax, location="bottom", label=name, aspect=22, pad=0.02)
    for ax in axes[len(names) :]:
        ax.set_visible(False)
    across, upward = texts(arrays["axes"])
    figure.supxlabel(across, fontsize=10)
    figure.supylabel(upward, fontsize=10)
    return figure
