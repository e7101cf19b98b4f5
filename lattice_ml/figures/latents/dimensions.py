"""How many latents a system asks for: loss, latents in use and information against their number."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from lattice_ml.figures.archive import Arrays
from lattice_ml.figures.style import INK, LINES, MARKERS, PALETTE, WIDTH, styled, texts


@styled
def draw(arrays: Arrays) -> Figure:
    """``latents``, ``loss``, ``in_use`` [k]; ``information``, ``errors`` [quantity, k] (nats); ``names`` [quantity];
    ``label`` of the loss."""
    figure = Figure(figsize=(WIDTH, 6.4))
    loss, used, told = figure.subplots(3, 1, sharex=True, height_ratios=(1, 0.7, 1.5))
    latents = arrays["latents"]
    loss.plot(latents, arrays["loss"], marker="o", color=PALETTE[0])
    loss.set_ylabel(str(arrays["label"]).replace(" (", "\n("), fontsize=8)
    used.plot(latents, arrays["in_use"], marker="s", color=PALETTE[1])
    used.plot(latents, latents, color=INK, linewidth=0.8, linestyle=":")
    used.set_ylabel("in use")
    for number, name in enumerate(texts(arrays["names"])):
        told.errorbar(
            latents, arrays["information"][number], arrays["errors"][number], label=name, markersize=3.5, linewidth=1.1,
            color=PALETTE[number % len(PALETTE)], marker=MARKERS[number % len(MARKERS)],
            linestyle=LINES[number // len(PALETTE) % len(LINES)],
        )  # fmt: skip
    told.set_ylabel("largest information\n(nats)")
    told.set_ylim(bottom=0, top=1.6 * float(np.max(arrays["information"], initial=0.1)))
    told.legend(fontsize=7, ncols=3, loc="upper center")
    told.set_xlabel("latents given")
    told.xaxis.set_major_locator(MaxNLocator(integer=True))
    return figure
