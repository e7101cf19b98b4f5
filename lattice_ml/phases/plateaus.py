"""A band's edges, and the densities of the two phases far from them, from a profile along the drift.

The edges are those of a pair of steps fitted to one configuration averaged over y, centred on the torus,

    rho(x) = low + (high - low) / 2 · [tanh((x - a) / w_a) - tanh((x - b) / w_b)],    a < b.

The steps' own ``low`` and ``high`` are not the plateaus: the edges of a travelling band have exponential tails, the
rear one longer, which a tanh does not know. Plateaus are means over the sites that are more than ``EDGE`` away from
both edges. On 400 × 32 tori at T = 0.45 and 0.55 they move by less than 1 % for any EDGE from 20 to 50.

Source: profiles of Solon & Tailleur, PRE 92, 042119 (2015), Sec. VI; the distance was measured for this file.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float

EDGE = 30
"""Sites beyond which an edge is no longer felt."""
CORE = 20
"""Sites that a plateau needs beyond the edges, at least."""
ITERATIONS = 400
"""Of the fit: enough for edges as sharp as a site; what needs more has none."""
SMALLEST_CONTRAST = 1.5
"""high / low: below it the two are noise of one phase."""


class Steps(NamedTuple):
    """Densities (particles per site) of the steps, edges a < b in the centred profile and widths (sites)."""

    low: float
    high: float
    left: float
    right: float
    left_width: float
    right_width: float

    @property
    def width(self) -> float:
        """Of the band, from edge to edge."""
        return self.right - self.left


class Plateaus(NamedTuple):
    """Densities of the gas and of the liquid, particles per site."""

    low: float
    high: float


def centre(profile: Float[np.ndarray, "*batch x"]) -> Float[np.ndarray, " *batch"]:
    """Where a band stands: the site at which the k = 1 mode of the profile peaks, in [0, Lx).

    With rho_1 = sum_x rho(x) exp(-2 pi i x / Lx) the mode is largest at x = -arg(rho_1) Lx / 2 pi.
    """
    length = profile.shape[-1]
    mode = profile @ np.exp(-2j * np.pi * np.arange(length) / length)
    return (-np.angle(mode) * length / (2 * np.pi)) % length


def centred(profile: Float[np.ndarray, "*batch x"], position: float) -> Float[np.ndarray, "*batch x"]:
    """Profiles shifted on the torus so that ``position`` comes to the middle, to the nearest site."""
    length = profile.shape[-1]
    return np.roll(profile, length // 2 - round(position), axis=-1)


def fit_steps(profile: Float[np.ndarray, " x"]) -> Steps | None:
    """The steps of a profile on the torus, None where it holds no band: no contrast, or an edge that is not found."""
    from scipy.optimize import curve_fit

    length = len(profile)
    rho, x = centred(profile, float(centre(profile))), np.arange(length, dtype=np.float64)
    low, high = np.quantile(rho, (0.1, 0.9))
    if not high > SMALLEST_CONTRAST * max(low, 0.0):  # noise only adds to the contrast, so there is no band to fit
        return None
    share = np.clip((rho.mean() - low) / (high - low), 0.1, 0.9)
    first = (low, high, length * (1 - share) / 2, length * (1 + share) / 2, 4.0, 4.0)
    bounds = ([0, 0, 0, 0, 0.3, 0.3], [np.inf, np.inf, length, length, length / 4, length / 4])
    try:
        found, _ = curve_fit(steps, x, rho, p0=np.clip(first, bounds[0], bounds[1]), bounds=bounds, max_nfev=ITERATIONS)
    except RuntimeError:  # no convergence
        return None
    fit = Steps(*map(float, found))
    sound = 0 < fit.left < fit.right < length and fit.high > SMALLEST_CONTRAST * fit.low
    return fit if sound else None


def cores(profile: Float[np.ndarray, " x"]) -> tuple[Bool[np.ndarray, " x"], Bool[np.ndarray, " x"]] | None:
    """The sites of the gas and of the liquid, ``EDGE`` away from both edges; None where one of them has none.

    None as well where an edge is itself wider than ``EDGE``: the profile rises all the way, as that of a cold band does
    that has not relaxed.

    Numbered as the profile is given, so that other profiles of the same configuration can be averaged there.
    """
    fit = fit_steps(profile)
    if fit is None or max(fit.left_width, fit.right_width) > EDGE:
        return None
    length, x = len(profile), np.arange(len(profile))
    # The gas goes on round the torus: where it is cut open is no edge.
    gas = (x < fit.left - EDGE) | (x > fit.right + EDGE)
    liquid = (x > fit.left + EDGE) & (x < fit.right - EDGE)
    if min(gas.sum(), liquid.sum()) < CORE:
        return None
    back = round(float(centre(profile))) - length // 2
    return np.roll(gas, back), np.roll(liquid, back)


def find_plateaus(profile: Float[np.ndarray, " x"]) -> Plateaus | None:
    """The densities of the two phases, None where one of them is nowhere ``EDGE`` away from the other."""
    found = cores(profile)
    return Plateaus(*(float(profile[sites].mean()) for sites in found)) if found else None


def steps(
    x: np.ndarray, low: float, high: float, left: float, right: float, left_width: float, right_width: float
) -> np.ndarray:
    """The pair of steps at the sites x."""
    return low + (high - low) / 2 * (np.tanh((x - left) / left_width) - np.tanh((x - right) / right_width))
