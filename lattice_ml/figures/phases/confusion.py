"""The confusion matrix: which phase the classifier names for the configurations of each labelled phase."""

from __future__ import annotations

from matplotlib.figure import Figure

from lattice_ml.figures.archive import Arrays
from lattice_ml.figures.style import INK, WIDTH, phase_colours, styled, texts


@styled
def draw(arrays: Arrays) -> Figure:
    """Cells show the count and its share of the row. ``counts`` [labelled, predicted] integers, ``phases`` text."""
    counts, phases = arrays["counts"], texts(arrays["phases"])
    totals = counts.sum(axis=1, keepdims=True)
    shares = counts / totals.clip(min=1)
    figure = Figure(figsize=(WIDTH, 3.8))
    ax = figure.subplots()
    ax.grid(False)
    ax.imshow(shares, cmap="Greys", vmin=0, vmax=1.25)
    for row in range(len(phases)):
        for column in range(len(phases)):
            share = shares[row, column]
            text = f"{counts[row, column]}\n{share:.1%}" if totals[row, 0] else "0"
            ax.text(column, row, text, ha="center", va="center", color="white" if share > 0.5 else INK)
    ax.set_xticks(range(len(phases)), phases)
    ax.set_yticks(range(len(phases)), phases)
    for label, colour in zip([*ax.get_xticklabels(), *ax.get_yticklabels()], phase_colours(phases) * 2, strict=True):
        label.set(color=colour, weight="bold")
    ax.tick_params(length=0)
    ax.set_xlabel("predicted phase")
    ax.set_ylabel("labelled phase")
    for spine in ax.spines.values():
        spine.set_visible(False)
    return figure
