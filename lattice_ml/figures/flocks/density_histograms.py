"""How often a coarse-grained cell has which density."""

from __future__ import annotations

from matplotlib.figure import Figure

from lattice_ml.figures.archive import Arrays
from lattice_ml.figures.style import LINES, PALETTE, WIDTH, styled


@styled
def draw(arrays: Arrays) -> Figure:
    """``edges`` [bin + 1] (particles per site), ``density`` [t, bin] normalised to unit area, ``T`` [t] (k_B = 1),
    ``cell`` (sites along a side), ``mean`` (the mean density)."""
    figure = Figure(figsize=(WIDTH, 3.2))
    ax = figure.subplots()
    for k, (T, row) in enumerate(zip(arrays["T"], arrays["density"], strict=True)):
        ax.stairs(
            row, arrays["edges"], label=f"$T = {T:g}$", linewidth=1.4, color=PALETTE[k % len(PALETTE)],
            linestyle=LINES[k % len(LINES)],
        )  # fmt: skip
    ax.axvline(float(arrays["mean"]), color="0.5", linewidth=0.8, linestyle=":")
    cell = int(arrays["cell"])
    ax.set_xlabel(rf"density of a cell of {cell} × {cell} sites")
    ax.set_ylabel(r"$P(\rho)$")
    ax.legend()
    return figure
