"""Which groups of configurations are ordered, by the spread of an order parameter."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Float, Int64


def ordered_or_not(order: Float[np.ndarray, " n"], group: Int64[np.ndarray, " n"]) -> Bool[np.ndarray, " group"] | None:
    """True for each group of configurations that is ordered, or None if the groups are not two such phases.

    The groups are cut where their mean ``order`` jumps most. It is no clear cut, and None, if the least ordered group
    above is not twice as ordered as the most ordered one below, or if over a tenth of a group lies on the other side of
    the middle of the jump: such a group mixes phases.
    """
    size = np.bincount(group)
    mean = np.bincount(group, order) / size
    ranked = np.sort(mean)
    if len(ranked) < 2:
        return None
    widest = int(np.argmax(np.diff(ranked)))
    low, high = ranked[widest], ranked[widest + 1]
    cut = (low + high) / 2
    ordered = mean > cut
    astray = (order > cut) != ordered[group]
    if high == 0 or high < 2 * low or np.any(np.bincount(group, astray) > size / 10):
        return None
    return ordered
