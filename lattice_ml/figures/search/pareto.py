"""Validation loss against the number of parameters, and the trials that no other one beats in both."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from lattice_ml.figures.archive import Arrays
from lattice_ml.figures.style import INK, MUTED, PALETTE, WIDTH, styled, texts


@styled
def draw(arrays: Arrays) -> Figure:
    """``parameters``, ``validation`` [t]; ``front`` [t]: is it on the front? ``marks``, ``names`` [r], both optional:
    sizes to be marked, and of what."""
    figure = Figure(figsize=(WIDTH, 3.6))
    ax = figure.subplots()
    parameters, validation, front = arrays["parameters"], arrays["validation"], arrays["front"].astype(bool)
    ax.plot(parameters[~front], validation[~front], linestyle="none", marker="o", color=MUTED, label="trial")
    order = np.argsort(parameters[front], kind="stable")
    ax.step(
        parameters[front][order], validation[front][order], where="post", marker="o", color=PALETTE[0],
        label="not beaten in both",
    )  # fmt: skip
    for size, name in zip(arrays.get("marks", ()), texts(arrays["names"]) if "names" in arrays else (), strict=True):
        ax.axvline(size, color=INK, linewidth=1, linestyle=":")
        ax.text(size, 0.98, f" {name}", transform=ax.get_xaxis_transform(), va="top", fontsize=9)
    ax.set_xscale("log")
    if (validation > 0).all():
        ax.set_yscale("log")
    ax.set_xlabel("parameters")
    ax.set_ylabel("validation loss")
    ax.legend()
    return figure
