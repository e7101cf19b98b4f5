"""One look for all figures: type that stays readable at phone width, colours that colour-blind readers tell apart.

Colours are those of M. Okabe and K. Ito, "Color Universal Design" (2008). A phase has the same colour in every
figure. Pictures are 4.8 inches wide with 10-point type: on a phone of 390 CSS pixels that is still about 10 pixels.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
from cycler import cycler
from matplotlib.axes import Axes

WIDTH = 4.8  # inches
INK = "#22272e"
MUTED = "#6b7480"
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
PHASE_COLOURS = {"L": "#D55E00", "L+G": "#009E73", "G": "#0072B2"}
SYMBOLS = {"T": "T", "rho0": r"\rho_0", "mu": r"\mu", "eta": r"\eta"}
AXES = {"T": "temperature $T$", "rho0": r"density $\rho_0$  [particles per site]", "mu": r"chemical potential $\mu$"}
LINES = ("-", "--", "-.", ":")
MARKERS = ("o", "s", "^", "D", "v", "P")

RC: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "mathtext.fontset": "dejavusans",
    "font.size": 10,
    "axes.titlesize": 10,
    "axes.labelsize": 10,
    "xtick.labelsize": 9,
    "ytick.labelsize": 9,
    "legend.fontsize": 9,
    "legend.frameon": False,
    "legend.handlelength": 1.6,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": MUTED,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e3e6ea",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "lines.linewidth": 1.6,
    "lines.markersize": 4.5,
    "axes.prop_cycle": cycler(color=PALETTE),
    "image.interpolation": "nearest",
    "figure.constrained_layout.use": True,
    "figure.facecolor": "white",
    "axes.facecolor": "white",
}

# ``@styled`` draws under the settings above and leaves matplotlib's own as they were.
styled = matplotlib.rc_context(RC)


def texts(array: np.ndarray) -> list[str]:
    """An array of text as a list of `str`; a single text counts as a list of one."""
    return [str(text) for text in np.atleast_1d(array)]


def phase_colours(phases: Sequence[str]) -> list[str]:
    """A colour for each phase: L, L+G and G keep their own, other names take the palette's spare ones in turn."""
    spare = [colour for colour in PALETTE if colour not in {PHASE_COLOURS.get(phase) for phase in phases}]
    others = [phase for phase in phases if phase not in PHASE_COLOURS]
    dealt = {phase: spare[k % len(spare)] for k, phase in enumerate(others)}
    return [PHASE_COLOURS.get(phase) or dealt[phase] for phase in phases]


def mark_transitions(ax: Axes, values: Iterable[float], errors: Iterable[float]) -> None:
    """A dashed vertical line at each transition, in a strip as wide as its error on both sides."""
    for value, error in zip(values, errors, strict=True):
        if not np.isfinite(value):
            continue
        if np.isfinite(error):
            ax.axvspan(value - error, value + error, color=INK, alpha=0.12, linewidth=0)
        ax.axvline(value, color=INK, linewidth=1, linestyle=(0, (4, 2)))


def band(ax: Axes, x: np.ndarray, y: np.ndarray, error: np.ndarray, **look: Any) -> None:
    """The line y(x) in a band of one error on both sides; points that are not finite break both."""
    (line,) = ax.plot(x, y, **look)
    ax.fill_between(x, y - error, y + error, color=line.get_color(), alpha=0.2, linewidth=0)


def member_bands(ax: Axes, x: np.ndarray, values: np.ndarray, **look: Any) -> None:
    """The median of ``values`` [x, member] in the central 20, 40, 60 and 80 % of the members, darker towards it.

    At a single x, where an area would have no width, the bands are upright bars.
    """
    (line,) = ax.plot(x, np.nanmedian(values, axis=1), **look)
    for share in (0.2, 0.4, 0.6, 0.8):
        low, high = np.nanquantile(values, (0.5 - share / 2, 0.5 + share / 2), axis=1)
        if len(x) == 1:
            ax.vlines(x, low, high, color=line.get_color(), alpha=0.12, linewidth=12)
        else:
            ax.fill_between(x, low, high, color=line.get_color(), alpha=0.12, linewidth=0)


def architecture_bands(ax: Axes, x: np.ndarray, names: np.ndarray, values: np.ndarray) -> None:
    """``member_bands`` of every architecture ``values`` [architecture, x, member], where it has any that are finite."""
    for number, (name, own) in enumerate(zip(texts(names), values, strict=True)):
        there = np.isfinite(own).any(axis=1)
        look = {"linestyle": LINES[number % len(LINES)], "marker": MARKERS[number % len(MARKERS)]}
        member_bands(ax, x[there], own[there], label=name, **look)


def symbol(parameter: str) -> str:
    """A parameter of a system as mathematics, without the dollars: ``rho0`` is ``\\rho_0``."""
    return SYMBOLS.get(parameter, rf"\mathrm{{{parameter}}}")


def place_title(arrays: Mapping[str, np.ndarray]) -> str:
    """``ρ₀ = 3`` where the arrays have a ``place``, the value of the parameter ``place_name``; else nothing."""
    if "place" not in arrays:
        return ""
    return rf"${symbol(texts(arrays['place_name'])[0])} = {float(arrays['place']):g}$"


def control_label(arrays: Mapping[str, np.ndarray]) -> str:
    """The axis of the control parameter ``control_name`` in words: ``temperature $T$``."""
    name = texts(arrays["control_name"])[0]
    return AXES.get(name, f"${symbol(name)}$")


def control_title(arrays: Mapping[str, np.ndarray], value: float) -> str:
    """``$T = 0.4$``."""
    return rf"${symbol(texts(arrays['control_name'])[0])} = {value:g}$"
