"""Which configurations, or groups of them, are liquid, band and gas, by their observables."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float, Int64


def flocking_phases(
    observables: Mapping[str, Float[np.ndarray, " n"]], group: Int64[np.ndarray, " n"]
) -> list[str] | None:
    """Phases of groups of configurations of a flock; several groups may be one phase.

    A band modulates the density (k_x = 1 mode ~ sin(pi f) for a band that fills the share f of the torus), while the
    homogeneous phases only have the modulation of finite size. So the groups are cut where the logarithm of their mean
    ``density_band`` jumps most, which must be by a factor of 3: those above are L+G. The others are cut where their
    mean ``order`` jumps most: those above are L, those below G, and L must be more ordered than L+G, and L+G twice as
    ordered as G. None as well if over a tenth of a group lies on the other side of a cut, for then it mixes phases.
    """
    count = int(group.max()) + 1
    size = np.bincount(group, minlength=count)
    modulation, order = (
        np.bincount(group, observables[name], minlength=count) / size for name in ("density_band", "order")
    )
    modulation = np.log(np.maximum(modulation, 1e-12))
    jump, cut = _largest_jump(modulation)
    band = modulation > cut
    if jump < np.log(3) or band.all() or (~band).sum() < 2:
        return None
    step, divide = _largest_jump(order[~band])
    liquid = ~band & (order > divide)
    gas = ~band & ~liquid
    if step == 0 or order[liquid].min() < order[band].max() or order[band].min() < 2 * order[gas].max():
        return None
    astray = np.where(
        band[group],
        observables["density_band"] < np.exp(cut),
        (observables["density_band"] > np.exp(cut)) | (liquid[group] != (observables["order"] > divide)),
    )
    if np.any(np.bincount(group, astray, minlength=count) > size / 10):
        return None
    return ["L+G" if band[k] else "L" if liquid[k] else "G" for k in range(count)]


def band_or_not(observables: Mapping[str, Float[np.ndarray, " n"]]) -> Int64[np.ndarray, " n"]:
    """0 (L), 1 (L+G) or 2 (G) for every configuration of a scan in temperature at one density, nothing learned.

    A band is there where ``density_band``, the k_x = 1 mode of the density, is above a cut; where none is, the
    configuration is liquid if its ``order`` is above another, else gas. The cuts are Otsu's, which lie in the gap of a
    distribution with two peaks: of ``density_band``, and of ``order`` where there is no band.

    Both phases at the ends are homogeneous up to finite-size noise, <|rho_k|²>^(1/2) / N = 1/sqrt(N) for independent
    particles, and a band of density contrast d that fills a share f has (d / rho_0) sin(pi f) / pi: the two are apart
    wherever the torus is wide enough to hold a band. A scan without bands, or without one of the ends, is cut all the
    same: give one that reaches into all three phases.
    """
    modulation = observables["density_band"]
    band = modulation > otsu(modulation)
    order = observables["order"]
    ordered = order > otsu(order[~band]) if not band.all() else np.zeros(len(band), dtype=bool)
    return np.where(band, 1, np.where(ordered, 0, 2)).astype(np.int64)


def otsu(values: Float[np.ndarray, " n"]) -> float:
    """The cut that maximises the variance between the two classes it makes: n_1 n_2 (<v>_1 - <v>_2)².

    Returns the middle of the interval between the neighbouring values that it separates; the value itself where all
    are equal. Source: N. Otsu, IEEE Trans. Syst. Man Cybern. 9, 62 (1979), without its histogram.
    """
    ordered = np.sort(values)
    if ordered[0] == ordered[-1]:
        return float(ordered[0])
    below = np.arange(1, len(ordered))
    total = np.cumsum(ordered)
    gap = total[:-1] / below - (total[-1] - total[:-1]) / (len(ordered) - below)
    best = int(np.argmax(below * (len(ordered) - below) * gap**2))
    return float(ordered[best : best + 2].mean())


def _largest_jump(values: Float[np.ndarray, " group"]) -> tuple[float, float]:
    """Width and middle of the widest interval between neighbouring values."""
    ordered = np.sort(values)
    if len(ordered) < 2:
        return 0.0, float(ordered[0])
    widest = int(np.argmax(np.diff(ordered)))
    return float(ordered[widest + 1] - ordered[widest]), float(ordered[widest : widest + 2].mean())
