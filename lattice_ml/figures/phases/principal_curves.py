"""Two principal amplitudes along the control parameter beside what they are read as: order and liquid fraction."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lattice_ml.figures.archive import Arrays
from lattice_ml.figures.style import INK, PALETTE, WIDTH, band, control_label, place_title, styled


@styled
def draw(arrays: Arrays) -> Figure:
    r"""Three panels over T: <|p_1|> per particle and m̄, <sqrt(p_2² + p_3²)> and that of a box, the liquid fraction f.

    ``control`` [t], of ``control_name``; ``first``, ``first_error``, ``order`` [t]: both per particle; ``amplitude``,
    ``amplitude_error``, ``box`` [t] in particles; ``fraction``, ``fraction_error``, ``lever`` [t] (nan where there is
    no band); ``summit``, ``half`` [2]: value and error of the largest amplitude and of f = 1/2.
    """
    T = arrays["control"]
    figure = Figure(figsize=(WIDTH, 6.2))
    first, second, third = figure.subplots(3, 1, sharex=True)
    band(first, T, arrays["first"], arrays["first_error"], color=PALETTE[0], label=r"$\langle|p_1|\rangle/(\rho_0 L)$")
    first.plot(T, arrays["order"], "o", color=PALETTE[1], markersize=2.4, label=r"order parameter $\bar m$")
    first.set_ylabel("per particle")
    first.legend()

    name = r"$\langle(p_2^2+p_3^2)^{1/2}\rangle$"
    band(second, T, arrays["amplitude"], arrays["amplitude_error"], color=PALETTE[2], label=name)
    second.plot(T, arrays["box"], "--", color=INK, linewidth=1, label=r"box: $\sqrt{2}\,L\,m_h\sin(\pi f)/\pi$")
    second.set_ylabel("particles")
    mark(second, arrays["summit"], PALETTE[2], "largest")
    mark(second, arrays["half"], PALETTE[3], "$f = 1/2$")
    second.legend(fontsize=8)

    band(third, T, arrays["fraction"], arrays["fraction_error"], color=PALETTE[3], label="measured")
    third.plot(T, arrays["lever"], "--", color=INK, linewidth=1, label="lever rule")
    third.axhline(0.5, color=INK, linewidth=0.6)
    mark(third, arrays["summit"], PALETTE[2], "largest")
    mark(third, arrays["half"], PALETTE[3], "$f = 1/2$")
    third.set_ylim(0, 1)
    third.set_ylabel("liquid fraction $f$")
    third.set_xlabel(control_label(arrays))
    third.legend(fontsize=8)
    third.set_xlim(T.min(), T.max())
    if place_title(arrays):
        figure.suptitle(place_title(arrays), fontsize=10)
    return figure


def mark(ax: Axes, found: np.ndarray, colour: str, name: str) -> None:
    """A value with its error as a line in a strip; nothing if it is not finite."""
    value, error = (float(number) for number in found)
    if np.isfinite(value):
        ax.axvline(value, color=colour, linewidth=1.2, linestyle=":", label=name)
        if np.isfinite(error):
            ax.axvspan(value - error, value + error, color=colour, alpha=0.2, linewidth=0)
