"""The strong kernels of the first layer, of several nets one under the other."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from lattice_ml.figures.archive import Arrays
from lattice_ml.figures.style import WIDTH, styled, texts

COLUMNS = 12


@styled
def draw(arrays: Arrays) -> Figure:
    """``nets`` [r] text. For each: ``kernels_<number>`` [kernel, kx, ky], the strongest first, in units of the layer's
    largest weight; ``names_<number>`` [kernel] text; ``share_<number>`` [kernel], what of it is a first derivative. At
    most ``COLUMNS`` kernels of a net are drawn, each on its own scale, since most would be pale beside the largest."""
    nets = texts(arrays["nets"])
    shown = [min(len(arrays[f"kernels_{number}"]), COLUMNS) for number in range(len(nets))]
    columns = max(*shown, 4)
    panel = 1.5 * WIDTH / columns
    figure = Figure(figsize=(1.5 * WIDTH, 0.3 + len(nets) * (panel + 0.75)))
    rows = figure.subfigures(len(nets), 1, squeeze=False)[:, 0]
    for number, (row, net, count) in enumerate(zip(rows, nets, shown, strict=True)):
        every = len(arrays[f"kernels_{number}"])
        row.suptitle(f"{net}: {every} strong kernels" + (f", {count} drawn" if count < every else ""), fontsize=10)
        names = np.atleast_1d(arrays[f"names_{number}"])
        for k, ax in enumerate(row.subplots(1, columns, squeeze=False)[0]):
            ax.set_axis_off()
            if k >= count:
                continue
            kernel = arrays[f"kernels_{number}"][k]
            top = float(np.abs(kernel).max()) or 1.0
            ax.imshow(kernel.T, origin="lower", cmap="RdBu_r", vmin=-top, vmax=top)
            ax.set_title(f"{names[k]}\n{top:.2g}; {float(arrays[f'share_{number}'][k]):.0%}", fontsize=7, pad=2)
    return figure
