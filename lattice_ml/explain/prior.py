"""What configurations drawn from a prior are compared by: histograms of the sites, structure factors, observables."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int64, Integer

from lattice_ml.systems.base import System
from lattice_ml.systems.channels import channels_of

MODES = 6
"""Wave numbers 2 pi k / L, k = 1 … MODES, along either axis."""


def summaries(
    system: System, states: Integer[np.ndarray, "n species x y"], lowest: Sequence[int], highest: Sequence[int]
) -> dict[str, Float[np.ndarray, "n feature"]]:
    """Three sets of numbers of every configuration:

    - ``density histogram``: shares of the sites with n = lowest … highest of every species, the ends included;
    - ``structure factor``: ln S_c(k) of every channel at the lowest modes along x and y;
    - ``observables``: those of the system that need no parameter.
    """
    shares = []
    for s in range(states.shape[1]):
        clipped = np.clip(states[:, s].astype(np.int64), lowest[s], highest[s]).reshape(len(states), -1)
        shares += [(clipped == n).mean(axis=1) for n in range(lowest[s], highest[s] + 1)]
    factors = structure_factors(system, states)
    return {
        "density histogram": np.stack(shares, axis=1),
        "structure factor": np.log(factors.reshape(len(states), -1) + 1e-3),
        "observables": np.stack(list(system.observables(states).values()), axis=1),
    }


def structure_factors(
    system: System, states: Integer[np.ndarray, "n species x y"]
) -> Float[np.ndarray, "n channel 2 mode"]:
    """S_c(k) = |sum_r I_c(r) exp(-i k r)|² / N at k = 2 pi j / L along x (first) and y, j = 1, 2, … as far as L allows.

    1 for spins, or the mean count for particles, without any correlation. Modes that an axis does not have are 0.
    """
    channels = channels_of(system, states).numpy()
    sites = channels.shape[-1] * channels.shape[-2]
    found = np.zeros((*channels.shape[:2], 2, MODES))
    for axis in (0, 1):
        columns = channels.sum(axis=-1 - axis, dtype=np.float64)
        power = np.abs(np.fft.rfft(columns, axis=-1)[..., 1 : MODES + 1]) ** 2 / sites
        found[:, :, axis, : power.shape[-1]] = power
    return found


def kept_apart(groups: Int64[np.ndarray, " n"], wanted: int) -> tuple[Int64[np.ndarray, " m"], int]:
    """Rows of about ``wanted`` configurations, equally many from every trajectory and far apart in it; and how many.

    From one trajectory they are one block of the test, as like each other as they may be.
    """
    names, sizes = np.unique(groups, return_counts=True)
    per = int(np.clip(-(-wanted // len(names)), 1, sizes.min()))
    chosen = [
        np.flatnonzero(groups == name)[np.linspace(size - 1, 0, per).round().astype(int)]
        for name, size in zip(names, sizes, strict=True)
    ]
    return np.concatenate(chosen), per
