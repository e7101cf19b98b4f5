"""Boundaries that nets find over the truth, with the lines of the infinite system: Fig. 3 of Casert et al."""

from __future__ import annotations

import itertools

import numpy as np
from matplotlib.figure import Figure

from lattice_ml.figures.archive import Arrays
from lattice_ml.figures.style import AXES, INK, WIDTH, control_label, phase_colours, styled, symbol, texts


@styled
def draw(arrays: Arrays) -> Figure:
    """Circles: the truth at the same torus; crosses: the committee, with error bars; lines: infinite volume.

    ``place``, ``transition``, ``value``, ``error``, ``true_value``, ``true_error`` [boundary] (nan: not found), along
    ``control_name``; ``place_name``, ``phases``, ``trained``. Optional: ``line_place``, ``line_value``
    [transition, line]. Inset: class probabilities ``inset_P``, ``inset_error`` [point, class] against ``inset_control``
    at ``inset_place``.
    """
    phases, colours = texts(arrays["phases"]), phase_colours(texts(arrays["phases"]))
    figure = Figure(figsize=(WIDTH, 4.4))
    ax = figure.subplots()
    name = texts(arrays["place_name"])[0]
    place, transition = arrays["place"].astype(float), arrays["transition"].astype(str)
    for k, between in enumerate(f"{a}|{b}" for a, b in itertools.pairwise(phases)):
        own = transition == between
        colour = colours[0] if k == 0 else colours[-1]
        label = between.replace("|", " | ")
        ax.errorbar(
            place[own], arrays["true_value"][own], yerr=np.nan_to_num(arrays["true_error"][own]), fmt="o", color=colour,
            markerfacecolor="white", markersize=7, elinewidth=0.8, capsize=0, label=f"{label}, truth", zorder=3,
        )  # fmt: skip
        ax.errorbar(
            place[own], arrays["value"][own], yerr=np.nan_to_num(arrays["error"][own]), fmt="x", color=INK,
            markersize=5, markeredgewidth=1.4, elinewidth=0.9, capsize=2.5, label=f"{label}, nets", zorder=4,
        )  # fmt: skip
        if "line_place" in arrays:
            ax.plot(arrays["line_place"][k], arrays["line_value"][k], color=colour, linewidth=1, alpha=0.8, zorder=2)
    for trained in np.atleast_1d(arrays["trained"]):
        ax.axvline(float(trained), color=INK, linewidth=0.9, linestyle=":")
        ax.annotate(
            "trained here", (float(trained), 0), xycoords=("data", "axes fraction"), xytext=(3, 4),
            textcoords="offset points", fontsize=8, rotation=90, va="bottom", color=INK,
        )  # fmt: skip
    ax.set_xlabel(AXES.get(name, f"${symbol(name)}$"))
    ax.set_ylabel(control_label(arrays))
    if "inset_P" in arrays:
        inset = ax.inset_axes((0.56, 0.1, 0.42, 0.34))
        for k, (phase, colour) in enumerate(zip(phases, colours, strict=True)):
            P, error = arrays["inset_P"][:, k], np.nan_to_num(arrays["inset_error"][:, k])
            inset.plot(arrays["inset_control"], P, color=colour, linewidth=1.2)
            inset.fill_between(arrays["inset_control"], P - error, P + error, color=colour, alpha=0.2, linewidth=0)
            at = int(np.argmax(P))
            inset.annotate(
                phase, (arrays["inset_control"][at], 1.02), fontsize=8, color=colour, ha="center", va="bottom"
            )
        inset.set_ylim(0, 1.25)
        inset.set_yticks([0, 1])
        inset.tick_params(labelsize=7)
        inset.set_title(rf"$P_c$ at ${symbol(name)} = {float(arrays['inset_place']):g}$", fontsize=8)
    figure.legend(loc="outside upper center", ncols=2)
    return figure
