"""Answers of an encoder to every question, beside the truth."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from lattice_ml.figures.archive import Arrays
from lattice_ml.figures.style import INK, PALETTE, WIDTH, styled, texts


@styled
def draw(arrays: Arrays) -> Figure:
    """A column for each observation, a row for each number of an answer.

    ``query`` [question]; ``truth``, ``answer`` [observation, question, output]; ``titles`` [observation]; ``outputs``
    [output]; ``axis``: what the query is; ``seen``: up to where the observation reached, nan if that is no limit.
    """
    truth, answer, query = arrays["truth"], arrays["answer"], arrays["query"]
    titles, outputs = texts(arrays["titles"]), texts(arrays["outputs"])
    figure = Figure(figsize=(WIDTH, 0.7 + 1.5 * len(outputs)))
    axes = figure.subplots(len(outputs), len(titles), sharex=True, sharey="row", squeeze=False)
    for (row, column), ax in np.ndenumerate(axes):
        ax.plot(query, truth[column, :, row], color=INK, linewidth=1.1, label="truth")
        ax.plot(query, answer[column, :, row], color=PALETTE[1], linestyle="--", label="answer")
        if np.isfinite(arrays["seen"]):
            ax.axvspan(query.min(), float(arrays["seen"]), color=PALETTE[5], alpha=0.15, linewidth=0)
        if row == 0:
            ax.set_title(titles[column], fontsize=8)
    for row, output in enumerate(outputs):
        axes[row, 0].set_ylabel(output)
    figure.supxlabel(str(arrays["axis"]), fontsize=10)
    axes[0, -1].legend(fontsize=7)
    return figure
