"""A short run at a point, before its configurations are sampled: which algorithm, how long an update, how far apart.

1. Four chains of worms, from cold starts, tell the mean length of a worm, and with it how many closings make 4 V link
   steps: an elementary update.
2. Checkerboard sweeps between them tell the probability with which a line in time is accepted. ``auto`` takes worms
   where it is below 1/100 and the hybrid update elsewhere.
3. A series of elementary updates of that algorithm tells the integrated autocorrelation times of N_t Q = sum k_t, of
   sum |k| and of sum l. It is made longer, the beginning being left out, until it has 300 of the largest, tau. ``thin``
   is the power of two from 2 (tau + its error) on: **one unit of time is ``thin`` elementary updates**, so that
   configurations one unit apart have an autocorrelation time of some 0.6 units; 0.5 would be independent.

The pilot runs on the CPU whatever the device, with streams of its own, in integers and correctly rounded float64, so
that every machine finds the same; it fixes bits. It cannot see what its chains never leave: a pilot of checkerboards
finds short times where it is stuck. ``ensembles/equilibration`` does, from hot and cold starts.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from lattice_ml.ground.autocorrelation import AutocorrelationTime, integrated_time
from lattice_ml.kernels.device import Cpu
from lattice_ml.systems.base import Point
from lattice_ml.systems.complex_scalar.fluxes import L_T
from lattice_ml.systems.complex_scalar.hybrid import SWEEPS, Hybrid
from lattice_ml.systems.complex_scalar.physics import ComplexScalar
from lattice_ml.systems.complex_scalar.worm import Worms
from lattice_ml.systems.sampler import Lane

CHAINS, SEED, FIRST_REPLICA = 4, 0, 2**32 - 8
"""Replicas that no plan has."""
STEPS = 4
"""Link steps of a worm update for each site. At 60x4 and 8x8, mu = 1, an independent configuration costs least with 4
to 8; with 2 or 16 it costs a third more."""
LEAST_ACCEPTANCE = 1e-2
SHORTEST, LONGEST = 128, 2**15
"""Elementary updates of a chain of the pilot."""
ENOUGH = 300
"""Autocorrelation times that all chains together must have: tau is then known to 30 %."""
SLICE = 2**24
"""Bytes of configurations held at once."""


class Pilot(NamedTuple):
    """What a pilot found.

    algorithm: "worm", "checkerboard" or "hybrid". line_acceptance: mean probability of acceptance of a straight line in
    time. closings: of a worm in an elementary update. thin: elementary updates in a unit of time. tau: the largest
    integrated autocorrelation time met, in elementary updates.
    """

    algorithm: str
    line_acceptance: float
    closings: int
    thin: int
    tau: float


def pilot(system: ComplexScalar, point: Point, algorithm: str = "auto") -> Pilot:
    """The pilot of an algorithm, or of the one that "auto" takes; the same for any number of open worms."""
    return _pilot(system, float(point["eta"]), float(point["mu"]), algorithm)


@lru_cache(maxsize=4096)
def _pilot(system: ComplexScalar, eta: float, mu: float, algorithm: str) -> Pilot:
    lanes = [Lane({"eta": eta, "mu": mu}, FIRST_REPLICA + chain, ()) for chain in range(CHAINS)]
    cold = np.zeros((CHAINS, 4, *system.extents), dtype=np.int16)
    closings, states = _closings(system, lanes, cold)
    acceptance, states = _line_acceptance(system, lanes, states, closings)
    if algorithm == "auto":
        algorithm = "worm" if acceptance < LEAST_ACCEPTANCE else "hybrid"
    if algorithm == "checkerboard":
        states = cold  # in a sector of its own, as a campaign's would be
    chains = _chains(system, lanes, 2, states, closings, algorithm)
    tau = _slowest(system, chains)
    thin = 1
    while thin < 2 * (tau.tau + tau.error):
        thin *= 2
    return Pilot(algorithm, acceptance, closings, thin, round(tau.tau, 3))


def _chains(
    system: ComplexScalar, lanes: list[Lane], seed: int, states: np.ndarray, closings: int, algorithm: str
) -> Worms | Hybrid:
    if algorithm == "worm":
        return Worms(system, lanes, seed, states, [closings] * len(lanes), Cpu())
    return Hybrid(system, lanes, seed, states, [closings] * len(lanes) if algorithm == "hybrid" else None, Cpu())


def _closings(system: ComplexScalar, lanes: list[Lane], states: np.ndarray) -> tuple[int, np.ndarray]:
    """Closings that take ``STEPS`` V link steps, at least one, once a first half of the run has been left out."""
    tried = 8
    worms = _chains(system, lanes, 0, states, tried, "worm")
    assert isinstance(worms, Worms)
    worms.advance([[SHORTEST]] * len(lanes), _quiet)
    before = int(worms.device.get(worms.clock)[:, 0].sum())
    worms.advance([[2 * SHORTEST]] * len(lanes), _quiet)
    closed = tried * SHORTEST * len(lanes)
    # A word for every step, and one for each new site of a worm that had closed.
    steps = int(worms.device.get(worms.clock)[:, 0].sum()) - before - closed
    return max(1, (2 * STEPS * system.volume * closed + steps) // (2 * steps)), worms.device.get(worms.states)


def _line_acceptance(
    system: ComplexScalar, lanes: list[Lane], states: np.ndarray, closings: int
) -> tuple[float, np.ndarray]:
    """Mean probability of acceptance of lines in time, in sweeps between updates of worms."""
    hybrid = _chains(system, lanes, 1, states, closings, "hybrid")
    assert isinstance(hybrid, Hybrid)
    hybrid.advance([[SHORTEST]] * len(lanes), _quiet)
    acceptance = hybrid.checkerboard.line_acceptance(SHORTEST * SWEEPS)[:, 0]
    return float(acceptance.sum()) / len(lanes), hybrid.device.get(hybrid.states)


def _slowest(system: ComplexScalar, chains: Worms | Hybrid) -> AutocorrelationTime:
    """The longest of the autocorrelation times, from a series that is long enough for it."""
    done, length = 0, SHORTEST
    while True:
        series, done = _series(system, chains, done, length), done + length
        slowest = max(map(integrated_time, series), key=lambda time: time.tau)
        if length >= LONGEST or (slowest.lags is not None and CHAINS * length >= ENOUGH * slowest.tau):
            return slowest if slowest.lags is not None else AutocorrelationTime(slowest.tau, slowest.tau, None)
        length *= 2


def _series(system: ComplexScalar, chains: Worms | Hybrid, done: int, length: int) -> list[np.ndarray]:
    """sum k_t, sum |k| and sum l after each of the next updates, int64 ``[chain, time]`` each."""
    at_once = max(1, SLICE // (8 * CHAINS * system.volume))
    parts: list[list[np.ndarray]] = [[], [], []]
    for first in range(done, done + length, at_once):
        times = range(first + 1, min(first + at_once, done + length) + 1)
        states = chains.advance([list(times)] * CHAINS, _quiet)
        k, free = states[:, :, :L_T], states[:, :, L_T:]
        sums = (k[:, :, :1].sum(axis=(2, 3, 4), dtype=np.int64), np.abs(k).sum(axis=(2, 3, 4), dtype=np.int64))
        for part, values in zip(parts, (*sums, free.sum(axis=(2, 3, 4), dtype=np.int64)), strict=True):
            part.append(values)
    return [np.concatenate(part, axis=1) for part in parts]


def _quiet(work: float) -> None:
    """A pilot is too short to be told of."""
