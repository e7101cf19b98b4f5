"""Which groups of configurations are liquid, band and gas, by their mean observables."""

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


def _largest_jump(values: Float[np.ndarray, " group"]) -> tuple[float, float]:
    """Width and middle of the widest interval between neighbouring values."""
    ordered = np.sort(values)
    if len(ordered) < 2:
        return 0.0, float(ordered[0])
    widest = int(np.argmax(np.diff(ordered)))
    return float(ordered[widest + 1] - ordered[widest]), float(ordered[widest : widest + 2].mean())
