"""What the leading principal components say along a scan of a flock, beside what they are read as.

With p_1 the coordinate on the uniform component and p_2, p_3 those on the pair of waves of period Lx, of the raw
magnetisation (the mean configuration not subtracted: it holds no more than the imbalance of signs in the ensemble),

    <|p_1|> / (rho0 sqrt(Lx Ly)) = m̄          (exactly, if w_1 were exactly uniform),
    <sqrt(p_2² + p_3²)>                         largest in the middle of the coexistence region.

Casert et al. (PRE 99, 023304) read the maximum of the second as "half of the system is liquid"; ``liquid_fraction.py``
measures the liquid fraction f itself, and says why the two temperatures differ. Errors: the standard deviation of both,
and of their difference, when the replicas of every temperature are resampled, times sqrt(R / (R - 1)).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from lattice_ml.phases.liquid_fraction import (
    band_magnetisation,
    find_levels,
    half,
    liquid_fraction,
    mode_amplitude,
    summit,
)

RESAMPLES = 500


class Band(NamedTuple):
    """Of every temperature, nan where there is no band: f and m_h ``[T, replica]``, and the plateaus ``[T]``."""

    fraction: Float[np.ndarray, "T replica"]
    magnetisation: Float[np.ndarray, "T replica"]
    gas: Float[np.ndarray, " T"]
    liquid: Float[np.ndarray, " T"]

    def lever(self, density: float) -> Float[np.ndarray, " T"]:
        """The liquid fraction that the plateaus demand: f rho_h + (1 - f) rho_l = rho0."""
        return (density - self.gas) / (self.liquid - self.gas)


def measure_band(
    magnetisation: Float[np.ndarray, "T replica sample x"], density: Float[np.ndarray, "T replica sample x"]
) -> Band:
    """Plateaus of each temperature from all its y-averaged profiles, fractions and magnetisations by replica."""
    shape = density.shape[:2]
    band = Band(np.full(shape, np.nan), np.full(shape, np.nan), np.full(shape[0], np.nan), np.full(shape[0], np.nan))
    for k, (m, rho) in enumerate(zip(magnetisation, density, strict=True)):
        found = find_levels(rho)
        if found is None:
            continue
        band.gas[k], band.liquid[k] = found
        band.fraction[k] = liquid_fraction(rho, found.threshold).mean(axis=-1)
        for r in range(shape[1]):
            band.magnetisation[k, r] = band_magnetisation(m[r], rho[r], found.threshold)
    return band


class Reading(NamedTuple):
    """Temperatures: ``summit`` of the measured amplitude, ``box`` that of a box of the measured f and m_h, ``half``
    where f = 1/2; ``shift`` = summit - half; ``fraction`` f at the summit."""

    summit: float
    box: float
    half: float
    shift: float
    fraction: float


def read(
    control: Float[np.ndarray, " T"], amplitude: Float[np.ndarray, " T"], fraction: Float[np.ndarray, " T"],
    box: Float[np.ndarray, " T"],
) -> Reading:  # fmt: skip
    """Of mean curves; temperatures in order."""
    top, middle = summit(control, amplitude), half(control, fraction)
    there = np.isfinite(fraction)
    share = np.interp(top, control[there], fraction[there]) if there.any() else np.nan
    best = summit(control, box) if np.isfinite(box).any() else np.nan
    return Reading(top, float(best), middle, top - middle, float(share))


def read_with_errors(
    control: Float[np.ndarray, " T"],
    amplitude: Float[np.ndarray, "T replica"],
    band: Band,
    extents: tuple[int, int],
    seed: int = 0,
) -> tuple[Reading, Reading]:
    """(values, errors); an error is nan for a single replica, and over the resampled curves that have the number."""

    def reading(weights: Float[np.ndarray, "T replica"]) -> Reading:
        mean, share, polar = ((part * weights).sum(axis=1) for part in (amplitude, band.fraction, band.magnetisation))
        return read(control, mean, share, mode_amplitude(share, polar, extents))

    points, count = amplitude.shape
    value = reading(np.full((points, count), 1 / count))
    if count == 1:
        return value, Reading(*[np.nan] * 5)
    generator = np.random.default_rng(seed)
    drawn = generator.multinomial(count, np.full(count, 1 / count), size=(RESAMPLES, points)) / count
    spread = np.array([reading(weights) for weights in drawn])
    counted = np.isfinite(spread).sum(axis=0) > RESAMPLES / 2
    deviation = np.full(5, np.nan)
    deviation[counted] = np.nanstd(spread[:, counted], axis=0)
    return value, Reading(*(deviation * np.sqrt(count / (count - 1))).tolist())
