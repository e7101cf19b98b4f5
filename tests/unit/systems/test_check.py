"""``check_system`` finds nothing in the house's own systems, and names each of the faults that are planted."""

from __future__ import annotations

import dataclasses
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from lattice_ml.systems.active_ising.physics import ActiveIsing
from lattice_ml.systems.active_ising.sampler import ActiveIsingSampler
from lattice_ml.systems.base import Sampler, System
from lattice_ml.systems.check import check_system
from lattice_ml.systems.complex_scalar.physics import ComplexScalar
from lattice_ml.systems.complex_scalar.sampler import ComplexScalarSampler
from lattice_ml.systems.ising.physics import Ising
from lattice_ml.systems.ising.sampler import IsingSampler

sys.path.insert(0, str(Path(__file__).parents[3] / "examples" / "potts"))
from potts import HeatBath, Potts  # pyright: ignore[reportMissingImports]

EXTENTS = (6, 9)


@pytest.mark.parametrize(
    ("system", "sampler", "point"),
    [
        (Potts(EXTENTS), HeatBath(), None),
        (Ising(EXTENTS), IsingSampler("cpu"), {"T": 2.5}),
        (ActiveIsing(EXTENTS), ActiveIsingSampler(device="cpu"), {"T": 0.7, "rho0": 3.0}),
        (ComplexScalar((6, 4)), ComplexScalarSampler(device="cpu"), {"eta": 4.01, "mu": 1.3, "worms": 1.0}),
    ],
    ids=["potts", "ising", "active_ising", "complex_scalar"],
)
def test_nothing_is_wrong_with_these(system: System, sampler: Sampler, point: dict[str, float] | None) -> None:
    assert check_system(system, sampler, point) == []


class SwappedAxes(HeatBath):
    def sample(self, system, lanes, seed, start, tick):
        return super().sample(system, lanes, seed, start, tick).swapaxes(0, 1)


class WideNumbers(HeatBath):
    def sample(self, system, lanes, seed, start, tick):
        return super().sample(system, lanes, seed, start, tick).astype(np.int64)


class GlobalNumbers(HeatBath):
    def advance(self, system, point, state, sweeps, random):
        super().advance(system, point, state, sweeps, np.random.default_rng())


class OneStream(HeatBath):
    """All lanes of a call draw from one stream."""

    def sample(self, system, lanes, seed, start, tick):
        self.random = np.random.default_rng(seed)
        return super().sample(system, lanes, seed, start, tick)

    def advance(self, system, point, state, sweeps, random):
        super().advance(system, point, state, sweeps, self.random)


class Sliced(HeatBath):
    """The first sweep of every call is another one: a colouring that begins anew, say."""

    def advance(self, system, point, state, sweeps, random):
        state[0, 0, 0] = 0
        super().advance(system, point, state, sweeps, random)
        random.random(100 // sweeps)


class NoCopy(HeatBath):
    def sample(self, system, lanes, seed, start, tick):
        found = super().sample(system, lanes, seed, start, tick)
        return np.repeat(found[:, -1:], found.shape[1], axis=1)


class Deaf(HeatBath):
    def sample(self, system, lanes, seed, start, tick):
        return super().sample(system, lanes, seed, start, lambda work: None)


class OneStart(HeatBath):
    def prepare(self, system, point, start, random):
        return np.zeros((1, *system.extents), dtype=system.dtype)

    def sample(self, system, lanes, seed, start, tick):
        return super().sample(system, lanes, seed, "ordered", tick)


class AnyTimes(HeatBath):
    def validate(self, system, point, times):
        pass


class ArraySettings(HeatBath):
    def settings(self, point):
        return {"weights": np.exp(np.arange(5) / point["T"])}


class FourthColour(HeatBath):
    def advance(self, system, point, state, sweeps, random):
        super().advance(system, point, state, sweeps, random)
        state[0, 0, 0] = 3


@dataclasses.dataclass(frozen=True)
class Forgetful(Potts):
    def parameters(self):
        return {"name": "potts", "extents": list(self.extents)}


@dataclasses.dataclass(frozen=True)
class TakesAnything(Potts):
    def validate(self, point):
        pass


@dataclasses.dataclass(frozen=True)
class Integers(Potts):
    def to_channels(self, states):
        return super().to_channels(states).long()


@dataclasses.dataclass(frozen=True)
class OneChannel(Potts):
    def to_channels(self, states):
        return states.float()


@dataclasses.dataclass(frozen=True)
class InPlace(Potts):
    def to_channels(self, states):
        found = super().to_channels(states)
        states += 1
        return found


@dataclasses.dataclass(frozen=True)
class Infinite(Potts):
    def to_channels(self, states):
        return torch.log(super().to_channels(states))


@dataclasses.dataclass(frozen=True)
class OneNumber(Potts):
    def observables(self, states, point=None):
        return {"order": np.float64(np.mean(states == 0))}


@dataclasses.dataclass(frozen=True)
class NoSymmetry(Potts):
    """A field on the first colour breaks what ``symmetries`` still states."""

    def observables(self, states, point=None):
        return super().observables(states, point) | {"field": (states[..., 0, :, :] == 0).mean(axis=(-2, -1))}


@dataclasses.dataclass(frozen=True)
class Placed(Potts):
    def observables(self, states, point=None):
        return super().observables(states, point) | {"corner": states[..., 0, 0, 0].astype(np.float64)}


@dataclasses.dataclass(frozen=True)
class Counted(Potts):
    likelihood = ("bernoulli",)


@dataclasses.dataclass(frozen=True)
class Misnamed(Potts):
    def name_groups(self, observables, group):
        return ["solid", "liquid"]


@pytest.mark.parametrize(
    ("system", "sampler", "said"),
    [
        (Potts, SwappedAxes, r"an array \(2, 3, 1, 6, 9\), not \[lane, time, species, x, y\] = \(3, 2, 1, 6, 9\)"),
        (Potts, WideNumbers, "sample gives int64, and the system's dtype is uint16"),
        (Potts, GlobalNumbers, "other states the second time"),
        (Potts, OneStream, "sampled alone is another than beside its neighbours"),
        (Potts, Sliced, "depends on the read-outs before it, so on how time is sliced"),
        (Potts, NoCopy, "copy the state that is read out"),
        (Potts, Deaf, "never calls tick"),
        (Potts, OneStart, "the starts 'ordered' and 'random' give the same"),
        (Potts, OneStart, "a start that is not among starts is taken"),
        (Potts, AnyTimes, r"takes the read-out times \[4.0, 4.0\]"),
        (Potts, ArraySettings, r"settings\(point\) of the sampler holds what is no JSON"),
        (Potts, FourthColour, "check refuses what was sampled: a site holds 3"),
        (Forgetful, HeatBath, r"parameters\(\) lacks q"),
        (TakesAnything, HeatBath, "validate takes T = nan"),
        (Integers, HeatBath, "to_channels gives torch.int64, not float32"),
        (OneChannel, HeatBath, r"to_channels gives \(3, 2, 1, 6, 9\), not \[..., channel, x, y\] = \(3, 2, 3, 6, 9\)"),
        (InPlace, HeatBath, "to_channels changes the states"),
        (Infinite, HeatBath, "to_channels gives numbers that are not finite"),
        (OneNumber, HeatBath, r"'order' has the shape \(\)"),
        (NoSymmetry, HeatBath, "changes the observable 'field'"),
        (Placed, HeatBath, "'corner' changes when the torus is shifted"),
        (Counted, HeatBath, r"likelihood bernoulli of state does not allow for 0 ... 2"),
        (Misnamed, HeatBath, r"name_groups gives \['solid', 'liquid'\]"),
    ],
)
def test_each_planted_fault_is_named(system: type[Potts], sampler: type[HeatBath], said: str) -> None:
    faults = check_system(system(EXTENTS), sampler())
    assert any(re.search(said, fault) for fault in faults), faults


def test_a_point_that_is_none_asks_for_another() -> None:
    (fault,) = check_system(Potts(EXTENTS), HeatBath(), {"T": -1.0})
    assert "give check_system another point" in fault
