"""How much of a system is liquid, measured on the band itself.

The density of a configuration averaged over y, rho(x), has two plateaus where a band stands in a gas: rho_l, rho_h.
A column x is liquid where rho(x) lies above the threshold midway between them, and the liquid fraction f is the share
of such columns. The plateaus of one temperature are the medians of the columns below and above the threshold, which
is moved to their middle until it rests (isodata: Ridler & Calvard, IEEE Trans. SMC 8, 630, 1978), on all its
configurations together. Medians: the flanks of the band belong to neither plateau.

Where there is one phase alone the two medians of its fluctuations are taken for plateaus that are none. So a
temperature has plateaus only where the denser is at least twice as dense, and elsewhere no liquid fraction. The
binodals of the Active Ising Model (``experiment=aim_physics``) differ by a factor of 10 at T = 0.3, 6 at 0.45, 3 at 0.7
and 2 at 0.8: at rho0 = 3, whose bands end at T = 0.63, nothing is lost, and above rho0 = 6 the hottest bands are.

What the leading modes see of this. For a band of magnetisation m_h on a share f of the columns and none beside it,

    sqrt(p_2² + p_3²) = sqrt(2 Lx Ly) m_h sin(pi f) / pi,

since w_2 and w_3 are sqrt(2 / (Lx Ly)) cos and sin of 2 pi x / Lx. It would be largest at f = 1/2 if m_h were constant;
but the band grows denser with T, and the maximum moves to where d log m_h / dT = -pi cot(pi f) df/dT, at f < 1/2.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Float64

CONTRAST = 2.0


class Levels(NamedTuple):
    """Densities, particles per site, and the threshold between them."""

    gas: float
    liquid: float

    @property
    def threshold(self) -> float:
        return (self.gas + self.liquid) / 2


def find_levels(density: Float[np.ndarray, "*n x"]) -> Levels | None:
    """The two plateaus of y-averaged densities of one temperature; None where there are not two."""
    values = np.sort(np.asarray(density, dtype=np.float64).ravel())
    threshold = (values[0] + values[-1]) / 2
    for _ in range(100):
        cut = int(np.searchsorted(values, threshold, side="right"))
        if not 0 < cut < len(values):
            return None
        found = Levels(float(np.median(values[:cut])), float(np.median(values[cut:])))
        if found.threshold == threshold:
            break
        threshold = found.threshold
    return found if found.liquid > CONTRAST * found.gas else None


def liquid_fraction(density: Float[np.ndarray, "*n x"], threshold: float) -> Float64[np.ndarray, " *n"]:
    """The share of columns whose y-averaged density is above the threshold."""
    return (np.asarray(density) > threshold).mean(axis=-1)


def band_magnetisation(
    magnetisation: Float[np.ndarray, "*n x"], density: Float[np.ndarray, "*n x"], threshold: float
) -> float:
    """m_h: median of |m(x)| of the liquid columns, y-averaged and per site. Nan where there are none."""
    liquid = np.asarray(density) > threshold
    return float(np.median(np.abs(np.asarray(magnetisation)[liquid]))) if liquid.any() else float("nan")


def mode_amplitude(
    fraction: Float[np.ndarray, " T"], magnetisation: Float[np.ndarray, " T"], extents: tuple[int, int]
) -> Float64[np.ndarray, " T"]:
    """sqrt(p_2² + p_3²) of a box of magnetisation m_h on the share f: the formula above."""
    box = np.asarray(magnetisation) * np.sin(np.pi * np.asarray(fraction)) / np.pi
    return np.sqrt(2 * extents[0] * extents[1]) * box


def half(control: Float[np.ndarray, " T"], fraction: Float[np.ndarray, " T"]) -> float:
    """Where f falls through 1/2: a straight line through the temperatures with 1/4 < f < 3/4, by least squares.

    Nan where there are fewer than two such temperatures or the line does not fall.
    """
    near = np.isfinite(fraction) & (np.abs(np.nan_to_num(fraction, nan=9.0) - 0.5) < 0.25)
    if near.sum() < 2:
        return float("nan")
    slope, offset = np.polyfit(control[near], fraction[near], 1)
    return float((0.5 - offset) / slope) if slope < 0 else float("nan")


def summit(control: Float[np.ndarray, " T"], amplitude: Float[np.ndarray, " T"], share: float = 0.8) -> float:
    """Where a noisy curve is largest: the vertex of a parabola through its points above ``share`` of its largest value.

    Nan where there are fewer than four such points or the parabola has no maximum between them.
    """
    near = np.nan_to_num(amplitude, nan=-np.inf) >= share * np.nanmax(amplitude)
    if near.sum() < 4:
        return float("nan")
    x = control[near]
    a, b, _ = np.polyfit(x - x.mean(), amplitude[near], 2)
    vertex = x.mean() - b / (2 * a) if a < 0 else np.nan
    return float(vertex) if x.min() <= vertex <= x.max() else float("nan")
