"""How the training of an encoder went: what was minimised, and what the latents told, by epoch."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from lattice_ml.figures.archive import Arrays
from lattice_ml.figures.style import INK, PALETTE, WIDTH, styled


@styled
def draw(arrays: Arrays) -> Figure:
    """``epoch``, ``train_loss``, ``val_loss`` [e]; ``val_kl`` [e] in nats a configuration, all nan without a prior;
    ``best_epoch``; ``logarithmic``: whether the losses are positive and drawn so."""
    figure = Figure(figsize=(WIDTH, 4.2))
    loss, divergence = figure.subplots(2, 1, sharex=True)
    epoch = arrays["epoch"]
    for key, name, colour, line in (
        ("train_loss", "training", PALETTE[0], "-"),
        ("val_loss", "validation", PALETTE[1], "--"),
    ):
        loss.plot(epoch, arrays[key], label=name, color=colour, linestyle=line)
    if bool(arrays["logarithmic"]):
        loss.set_yscale("log")
    else:  # the first epochs would flatten all others
        shown = np.concatenate((arrays["train_loss"], arrays["val_loss"]))
        low, high = np.quantile(shown, (0.0, 0.9))
        loss.set_ylim(low - 0.05 * (high - low), high + 0.05 * (high - low))
    divergence.plot(epoch, arrays["val_kl"], color=PALETTE[2])
    for ax in (loss, divergence):
        ax.axvline(float(arrays["best_epoch"]), color=INK, linewidth=1, linestyle=":")
    loss.set_ylabel("loss")
    loss.legend()
    divergence.set_ylabel("KL (nats)")
    divergence.set_xlabel("epoch (dotted: the weights kept)")
    return figure
