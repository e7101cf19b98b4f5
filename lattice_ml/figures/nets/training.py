"""How training went: loss and accuracy by epoch, and the epoch whose weights were kept."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from lattice_ml.figures.archive import Arrays
from lattice_ml.figures.style import INK, PALETTE, WIDTH, styled


@styled
def draw(arrays: Arrays) -> Figure:
    """Loss (logarithmic) above, accuracy below.

    ``epoch`` [e] and, each [e] and present only where it was logged (nan for an epoch without a value), ``train_loss``
    and ``val_loss`` (nats, the L2 term included as the task logs it), ``train_acc`` and ``val_acc`` (0 to 1);
    ``best_epoch``: a number from ``epoch``.
    """
    figure = Figure(figsize=(WIDTH, 4.4))
    loss, accuracy = figure.subplots(2, 1, sharex=True)
    epoch = arrays["epoch"]
    sides = (("train", PALETTE[0], "-"), ("val", PALETTE[1], "--"))
    for side, colour, line in sides:
        name = {"train": "training", "val": "validation"}[side]
        for ax, key in ((loss, f"{side}_loss"), (accuracy, f"{side}_acc")):
            if key in arrays:
                logged = np.isfinite(arrays[key])
                ax.plot(epoch[logged], arrays[key][logged], color=colour, linestyle=line, label=name, linewidth=1.4)
    best = float(arrays["best_epoch"])
    for ax in (loss, accuracy):
        ax.axvline(best, color=INK, linewidth=1, linestyle=":", label=f"best epoch: {best:.0f}")
    loss.set_yscale("log")
    loss.set_ylabel("loss")
    accuracy.set_ylabel("accuracy")
    accuracy.set_ylim(top=1.005)
    accuracy.set_xlabel("epoch")
    accuracy.xaxis.set_major_locator(MaxNLocator(integer=True))
    loss.legend(loc="upper right")
    return figure
