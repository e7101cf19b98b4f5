"""Label-free indicators of transitions along the control parameter, on one axis with what other methods found."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from lattice_ml.figures.archive import Arrays
from lattice_ml.figures.style import INK, PALETTE, WIDTH, band, control_label, styled, texts


@styled
def draw(arrays: Arrays) -> Figure:
    """Three panels: predicted control parameter, divergence, confusion, each with its spread over members.

    ``control`` [point], of ``control_name``, ``middle`` [split], ``predicted`` [member, point], ``divergence``,
    ``confusion`` [member, split]; ``peak_value``, ``peak_error`` [method, peak] of (divergence, confusion);
    ``other_value``, ``other_method`` [boundary]: what other methods found.
    """
    figure = Figure(figsize=(WIDTH, 5.6))
    axes = figure.subplots(3, 1, sharex=True)
    for ax, x, key, label in zip(
        axes,
        (arrays["control"], arrays["middle"], arrays["middle"]),
        ("predicted", "divergence", "confusion"),
        (r"predicted $\langle\hat T\rangle$", r"$d\langle\hat T\rangle/dT$", r"$1 - E/\min(p, 1-p)$"),
        strict=True,
    ):
        values = arrays[key]
        error = values.std(axis=0, ddof=1) if len(values) > 1 else np.zeros(values.shape[1])
        band(ax, x, values.mean(axis=0), error, color=PALETTE[0])
        ax.set_ylabel(label)
    axes[0].plot(arrays["control"], arrays["control"], color=INK, linewidth=0.7, linestyle=":")
    for k, ax in enumerate(axes[1:]):
        for T, error in zip(arrays["peak_value"][k], arrays["peak_error"][k], strict=True):
            ax.axvspan(T - error, T + error, color=PALETTE[0], alpha=0.25, linewidth=0)
    methods = list(dict.fromkeys(texts(arrays["other_method"])))
    for ax in axes:
        for number, method in enumerate(methods):
            own = arrays["other_method"].astype(str) == method
            for first, T in enumerate(arrays["other_value"][own]):
                label = method if first == 0 and ax is axes[0] else None
                ax.axvline(
                    T, color=PALETTE[1 + number], linewidth=1.1, linestyle=("--", ":", "-.")[number], label=label
                )
    axes[-1].set_xlabel(control_label(arrays))
    if methods:
        figure.legend(loc="outside upper center", ncols=len(methods))
    return figure
