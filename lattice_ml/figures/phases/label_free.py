"""Label-free indicators of transitions against temperature, on one axis with the boundaries of other methods."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from lattice_ml.figures.archive import Arrays
from lattice_ml.figures.style import INK, PALETTE, WIDTH, band, styled, texts


@styled
def draw(arrays: Arrays) -> Figure:
    """Three panels: predicted temperature, divergence, confusion, each with its spread over members.

    ``T`` [point], ``middle`` [split], ``predicted`` [member, point], ``divergence``, ``confusion`` [member, split];
    ``peak_T``, ``peak_error`` [method, peak] of (divergence, confusion); ``other_T``, ``other_method`` [boundary]: what
    other methods found.
    """
    figure = Figure(figsize=(WIDTH, 5.6))
    axes = figure.subplots(3, 1, sharex=True)
    for ax, x, key, label in zip(
        axes,
        (arrays["T"], arrays["middle"], arrays["middle"]),
        ("predicted", "divergence", "confusion"),
        (r"predicted $\langle\hat T\rangle$", r"$d\langle\hat T\rangle/dT$", r"$1 - E/\min(p, 1-p)$"),
        strict=True,
    ):
        values = arrays[key]
        error = values.std(axis=0, ddof=1) if len(values) > 1 else np.zeros(values.shape[1])
        band(ax, x, values.mean(axis=0), error, color=PALETTE[0])
        ax.set_ylabel(label)
    axes[0].plot(arrays["T"], arrays["T"], color=INK, linewidth=0.7, linestyle=":")
    for k, ax in enumerate(axes[1:]):
        for T, error in zip(arrays["peak_T"][k], arrays["peak_error"][k], strict=True):
            ax.axvspan(T - error, T + error, color=PALETTE[0], alpha=0.25, linewidth=0)
    methods = list(dict.fromkeys(texts(arrays["other_method"])))
    for ax in axes:
        for number, method in enumerate(methods):
            own = arrays["other_method"].astype(str) == method
            for first, T in enumerate(arrays["other_T"][own]):
                label = method if first == 0 and ax is axes[0] else None
                ax.axvline(
                    T, color=PALETTE[1 + number], linewidth=1.1, linestyle=("--", ":", "-.")[number], label=label
                )
    axes[-1].set_xlabel("temperature $T$")
    if methods:
        figure.legend(loc="outside upper center", ncols=len(methods))
    return figure
