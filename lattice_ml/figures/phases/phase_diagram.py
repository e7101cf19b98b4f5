"""The phase diagram in the plane of the control parameter and one other."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lattice_ml.figures.archive import Arrays
from lattice_ml.figures.style import (
    AXES,
    INK,
    MARKERS,
    MUTED,
    WIDTH,
    control_label,
    phase_colours,
    styled,
    symbol,
    texts,
)


@styled
def draw(arrays: Arrays) -> Figure:
    """Boundaries with error bars; the phases shaded between those of the method that comes first.

    One entry per boundary: ``place``, the value of the parameter ``place_name`` (text), ``value`` of the control
    parameter ``control_name`` (nan: not found), ``error`` [boundary], ``transition`` and ``method`` [boundary] text.
    ``phases`` [phase] text, in the order that the rising control parameter crosses them, which names the transitions
    ("L|L+G"). Optional: ``trained``, the place (or places) of the training data, and ``control_range`` [2], what was
    scanned.
    """
    phases = texts(arrays["phases"])
    found = np.isfinite(arrays["value"])
    place, T, error = (arrays[key][found].astype(float) for key in ("place", "value", "error"))
    transition, method = arrays["transition"][found].astype(str), arrays["method"][found].astype(str)
    transitions = [f"{low}|{high}" for low, high in pairwise(phases)]
    methods = list(dict.fromkeys(method))

    figure = Figure(figsize=(WIDTH, 4.0))
    ax = figure.subplots()
    name = texts(arrays["place_name"])[0]
    ax.set_xlabel(AXES.get(name, f"${symbol(name)}$"))
    ax.set_ylabel(control_label(arrays))
    if not len(T):
        ax.text(0.5, 0.5, "no boundary was found", transform=ax.transAxes, ha="center", color=MUTED)
        return figure

    error = np.where(np.isfinite(error), error, 0)
    low, high = arrays.get("control_range", np.array([T.min() - 0.15, T.max() + 0.15]))
    margin = 0.04 * float(np.ptp(place)) or 0.5
    ax.set_xlim(place.min() - margin, place.max() + margin)
    ax.set_ylim(max(float(low), 0.0), float(high))
    first = method == methods[0]
    curves = [_curve(place[first & (transition == name)], T[first & (transition == name)]) for name in transitions]
    _shade(ax, curves, phases)

    for m, name in enumerate(methods):
        for k, between in enumerate(transitions):
            chosen = (method == name) & (transition == between)
            if not chosen.any():
                continue
            label = between.replace("|", " | ") + (f" ({name})" if len(methods) > 1 else "")
            ax.errorbar(
                place[chosen], T[chosen], yerr=error[chosen], fmt=MARKERS[k % len(MARKERS)], color=INK, capsize=2.5,
                elinewidth=1, markersize=5, markerfacecolor=INK if m == 0 else "white", label=label, zorder=4,
            )  # fmt: skip
    for trained in np.atleast_1d(arrays.get("trained", np.array([]))):
        ax.axvline(trained, color=INK, linewidth=0.9, linestyle=":")
        ax.annotate(
            "trained here", (float(trained), 0), xycoords=("data", "axes fraction"), xytext=(3, 4),
            textcoords="offset points", fontsize=8, rotation=90, va="bottom", color=INK,
        )  # fmt: skip
    figure.legend(loc="outside upper center", ncols=min(len(transitions), 2))
    return figure


def _curve(place: np.ndarray, T: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    order = np.argsort(place)
    return place[order], T[order]


def _shade(ax: Axes, curves: list[tuple[np.ndarray, np.ndarray]], phases: list[str]) -> None:
    """Fill each phase between its neighbouring boundaries, joined by straight lines to guide the eye.

    A phase is filled only over the places at which both of its boundaries were found; a boundary known at one
    place alone is drawn level across the picture.
    """
    (left, right), (bottom, top) = ax.get_xlim(), ax.get_ylim()
    floor = (np.array([left, right]), np.full(2, bottom))
    ceiling = (np.array([left, right]), np.full(2, top))
    curves = [(np.array([left, right]), np.full(2, T[0])) if len(T) == 1 else (x, T) for x, T in curves]
    edges = [floor, *curves, ceiling]
    for k, colour in enumerate(phase_colours(phases)):
        (x_low, T_low), (x_high, T_high) = edges[k], edges[k + 1]
        if not (len(x_low) and len(x_high)):
            continue
        start, stop = max(x_low[0], x_high[0]), min(x_low[-1], x_high[-1])
        x = np.unique(np.concatenate([x_low, x_high, [start, stop]]))
        x = x[(x >= start) & (x <= stop)]
        if start > stop or len(x) < 2:
            continue
        below, above = np.interp(x, x_low, T_low), np.interp(x, x_high, T_high)
        ax.fill_between(x, below, above, color=colour, alpha=0.22, linewidth=0)
        # The name stands where the phase is widest, away from the frame.
        inner = np.linspace(start + 0.2 * (stop - start), stop - 0.2 * (stop - start), 41)
        heights = np.interp(inner, x, above) - np.interp(inner, x, below)
        at = inner[int(np.argmax(heights))] if np.ptp(heights) > 1e-9 else (start + stop) / 2
        middle = (np.interp(at, x, below) + np.interp(at, x, above)) / 2
        ax.text(at, middle, phases[k], color=colour, ha="center", va="center", weight="bold", fontsize=14)
    for x, T in curves:
        ax.plot(x, T, color=INK, linewidth=0.8, alpha=0.5)
