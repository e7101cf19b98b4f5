"""Are the samples of a trajectory independent? Judged from an ensemble itself, whose trajectories are short.

The correlation of consecutive samples, the mean being that of all samples at the point,

    r = <(x_i - x̄)(x_(i + 1) - x̄)> / <(x - x̄)²>,

is -1/(N - 1) on average for N independent samples, with the standard error 1/sqrt(number of pairs). It rises with slow
decorrelation, exp(-spacing / tau), and also where trajectories disagree, as in metastable states: both mean that there
are fewer configurations than were counted.

Many points are judged at once: those that are named are so by Holm's procedure, which names any of an ensemble of
independent samples with a probability of at most ``LEVEL``.

Source: S. Holm, Scand. J. Statist. 6, 65 (1979).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float

from lattice_ml.ensembles.store import points_of
from lattice_ml.phases.observed import observed

if TYPE_CHECKING:
    import xarray as xr

    from lattice_ml.systems.base import System

LEVEL = 0.01
MOST = 6
"""Points that a sentence names."""
WATCHED = {"order": "the order parameter", "density_band": "the band's mode", "energy": "the energy"}
"""Observables that are judged of a system that has them, as a sentence calls them."""


class LagOne(NamedTuple):
    """r and its standard error if samples are independent, for each point; n: samples at a point."""

    value: Float[np.ndarray, " point"]
    error: float
    n: int

    def significant(self) -> Bool[np.ndarray, " point"]:
        """The points whose samples are not independent."""
        from scipy.stats import norm

        p = norm.sf((self.value + 1 / (self.n - 1)) / self.error)
        order = np.argsort(p)
        accepted = p[order] <= LEVEL / np.arange(len(p), 0, -1)
        named = np.zeros(len(p), dtype=bool)
        named[order[: len(p) if accepted.all() else int(np.argmin(accepted))]] = True
        return named


def lag_one(series: Float[np.ndarray, "point replica sample"]) -> LagOne | None:
    """r at every point, 0 where nothing ever changes; None of single samples."""
    _, replicas, samples = series.shape
    if samples < 2:
        return None
    x = series - series.mean(axis=(1, 2), keepdims=True)
    variance = (x**2).mean(axis=(1, 2))
    product = (x[..., :-1] * x[..., 1:]).mean(axis=(1, 2))
    value = np.divide(product, variance, out=np.zeros_like(variance), where=variance > 1e-24)
    return LagOne(value, 1 / np.sqrt(replicas * (samples - 1)), replicas * samples)


def judge_ensemble(ensemble: xr.Dataset, system: System) -> tuple[dict[str, Any], list[str]]:
    """Of every watched observable that the system has: r at each point, with its error; and the sentences to print."""
    seen = observed(ensemble, system)
    points, found, complaints = points_of(ensemble), {}, []
    for name, words in WATCHED.items():
        one = lag_one(seen[name]) if name in seen else None
        if one is None:
            continue
        places = [", ".join(f"{key} = {value:g}" for key, value in point.items()) for point in points]
        found[name] = {
            "lag_one": dict(zip(places, one.value.round(4).tolist(), strict=True)),
            "error": one.error,
            "not_independent": int(one.significant().sum()),
        }
        sentence = complaint(words, places, one)
        complaints += [sentence] if sentence else []
    return found, complaints


def complaint(named: str, places: Sequence[str], found: LagOne) -> str | None:
    """One sentence on the points whose samples are not independent, None if there is none.

    named: the observable, in words. places: the points, ``T = 0.4, rho0 = 3``.
    """
    bad = np.flatnonzero(found.significant())
    if not len(bad):
        return None
    shown = "; ".join(f"{places[k]} ({found.value[k]:.2f})" for k in bad[:MOST])
    more = f" and {len(bad) - MOST} more" if len(bad) > MOST else ""
    return (
        f"consecutive samples of {named} are correlated at {len(bad)} of {len(places)} points, {shown}{more}, "
        f"in brackets the correlation ± {found.error:.2f}: there are fewer independent configurations than samples, "
        "so give a longer ensemble.protocol.spacing, or a longer waiting where trajectories disagree."
    )
