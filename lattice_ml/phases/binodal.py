"""The binodals of an infinite system: densities rho_l(T) of the gas and rho_h(T) of the liquid that coexist.

They are the plateaus of bands on tori that are long enough to give both phases a density of their own, whatever the
mean density. Inverted, they are the transition temperatures of an infinite system of density rho0: both branches grow
with T, so

    L | L+G:  rho_h(T) = rho0,        L+G | G:  rho_l(T) = rho0.

Errors: plateaus are averaged over the samples of a replica, and replicas are independent. Few replicas know their own
scatter badly (two: one degree of freedom), so the relative scatter of all temperatures of a branch is pooled. What is
left of relaxation is added in quadrature: half the change from the first half of the samples to the second.

Source: Solon & Tailleur, PRL 111, 078101 (2013), Fig. 2; PRE 92, 042119 (2015), Sec. III.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from jaxtyping import Float

from lattice_ml.ensembles.store import points_of
from lattice_ml.ground.boundary_rows import entry
from lattice_ml.phases.band import channel_profiles
from lattice_ml.phases.plateaus import find_plateaus

if TYPE_CHECKING:
    import xarray as xr

    from lattice_ml.systems.base import System

DRAWS = 400
"""Curves drawn within the errors, for those of T_of."""


class Binodals(NamedTuple):
    """Coexisting densities (particles per site) by temperature, T increasing; standard errors, nan of one replica.

    bands: share of the configurations in which both plateaus were found.
    """

    T: Float[np.ndarray, " point"]
    low: Float[np.ndarray, " point"]
    low_error: Float[np.ndarray, " point"]
    high: Float[np.ndarray, " point"]
    high_error: Float[np.ndarray, " point"]
    bands: Float[np.ndarray, " point"]

    def summary(self) -> list[dict[str, Any]]:
        """One row for each temperature, plain numbers; an unknown error is None."""
        return [
            {
                "T": float(T),
                "rho_l": {"value": float(low), "error": _known(low_error)},
                "rho_h": {"value": float(high), "error": _known(high_error)},
                "share_of_configurations_with_a_band": float(bands),
            }
            for T, low, low_error, high, high_error, bands in zip(*self, strict=True)
        ]


def find_binodals(temperatures: Sequence[float], profiles: Sequence[Float[np.ndarray, "replica sample x"]]) -> Binodals:
    """Binodals from density profiles along x, averaged over y: a row for each temperature, whatever the mean density.

    A replica without any band is left out, and so is a temperature without any. Raises ``ValueError`` if none is left.
    """
    kept: list[tuple[float, np.ndarray, float]] = []
    for T, replicas in zip(temperatures, profiles, strict=True):
        found = np.array([[find_plateaus(profile) or (np.nan, np.nan) for profile in samples] for samples in replicas])
        found = found[np.isfinite(found).any(axis=(1, 2))]
        if len(found):
            kept.append((T, found, np.isfinite(found[..., 0]).sum() / (replicas.shape[0] * replicas.shape[1])))
    if not kept:
        raise ValueError("no profile holds a band with two plateaus")
    kept.sort(key=lambda row: row[0])
    means = [np.nanmean(found, axis=1) for _, found, _ in kept]
    densities = np.array([own.mean(axis=0) for own in means])
    errors = np.hypot(densities * _pooled(means), [_drift(found) for _, found, _ in kept])
    T, bands = (np.array([row[k] for row in kept], dtype=np.float64) for k in (0, 2))
    return Binodals(T, densities[:, 0], errors[:, 0], densities[:, 1], errors[:, 1], bands)


def ensemble_binodals(ensemble: xr.Dataset, system: System) -> Binodals:
    """The binodals of an ensemble of bands on a long torus, of a system with a density, read point by point.

    Raises ``ValueError`` if no configuration holds a band with two plateaus.
    """
    profiles: dict[float, list[np.ndarray]] = {}
    for point, own in zip(points_of(ensemble), ensemble["configurations"], strict=True):
        profiles.setdefault(point[system.control], []).append(channel_profiles(system, own.to_numpy())["density"])
    return find_binodals(list(profiles), [np.concatenate(own) for own in profiles.values()])


def _drift(found: Float[np.ndarray, "replica sample 2"]) -> Float[np.ndarray, " 2"]:
    """Half the change of both densities from the first half of the samples to the second; 0 where a half is missing."""
    half = found.shape[1] // 2
    halves = [part.reshape(-1, 2) for part in (found[:, :half], found[:, half:])]
    if any(not np.isfinite(part).any() for part in halves):
        return np.zeros(2)
    early, late = (np.nanmean(part, axis=0) for part in halves)
    return np.abs(late - early) / 2


def _pooled(replicas: list[np.ndarray]) -> Float[np.ndarray, "point 2"]:
    """Relative standard errors of the means over replicas ``[replica, 2]``, their scatter pooled over the points."""
    squares = sum((((own / own.mean(axis=0)) - 1) ** 2).sum(axis=0) for own in replicas)
    freedom = sum(len(own) - 1 for own in replicas)
    scatter = np.sqrt(squares / freedom) if freedom else np.full(2, np.nan)
    return np.array([scatter / np.sqrt(len(own)) for own in replicas])


def T_of(
    binodals: Binodals, rho0: float, phases: Sequence[str] = ("L", "L+G", "G"), seed: int = 0
) -> list[dict[str, Any]]:
    """The transition temperatures of an infinite system of density rho0, as entries of contract 4's ``boundaries``.

    log rho is interpolated in T by a monotone cubic. Error: the standard deviation over curves drawn within the errors
    of the densities, in quadrature with the distance to linear interpolation, which is what the grid leaves open.
    ``value`` is None, with the ``reason``, where the branch does not reach rho0.
    """
    rng = np.random.default_rng(seed)
    entries = []
    for name, density, error in (
        (f"{phases[0]}|{phases[1]}", binodals.high, binodals.high_error),
        (f"{phases[1]}|{phases[2]}", binodals.low, binodals.low_error),
    ):
        row: dict[str, Any] = {"rho0": float(rho0), **entry(name, "T", "binodal")}
        T = _inverted(binodals.T, np.log(density), np.log(rho0))
        if T is None:
            reach = f"{density.min():.3g} … {density.max():.3g}"
            entries.append(row | {"reason": f"the binodal was sampled at densities {reach} alone"})
            continue
        row["value"] = T
        linear = float(np.interp(np.log(rho0), np.log(density), binodals.T))
        scatter = np.nan_to_num(error / density)
        drawn = np.log(density) + rng.normal(size=(DRAWS, len(density))) * scatter
        hits = [hit for curve in drawn if (hit := _inverted(binodals.T, curve, np.log(rho0))) is not None]
        # Two temperatures alone leave open how the branch bends between them.
        if np.isfinite(error).all() and len(hits) > DRAWS / 2 and len(density) > 2:
            row["error"] = float(np.hypot(np.std(hits), T - linear))
        entries.append(row)
    return entries


def coexisting(binodals: Binodals, T: float) -> tuple[float, float] | None:
    """(rho_l, rho_h) at a temperature between those sampled, log rho interpolated as in ``T_of``; None beyond them."""
    from scipy.interpolate import PchipInterpolator

    if len(binodals.T) < 2 or not binodals.T[0] <= T <= binodals.T[-1]:
        return None
    low, high = (float(np.exp(PchipInterpolator(binodals.T, np.log(rho))(T))) for rho in (binodals.low, binodals.high))
    return low, high


def _inverted(T: np.ndarray, log_density: np.ndarray, wanted: float) -> float | None:
    from scipy.interpolate import PchipInterpolator

    if len(T) < 2 or not log_density.min() <= wanted <= log_density.max():
        return None
    # A drawn curve may fall where it should rise; between its crossings one is as good as another.
    found = PchipInterpolator(T, log_density).solve(wanted, extrapolate=False)
    return float(np.median(found)) if len(found) else None


def _known(error: float) -> float | None:
    return float(error) if np.isfinite(error) else None
