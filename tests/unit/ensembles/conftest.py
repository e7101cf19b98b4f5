"""A lattice gas and a sampler small enough to see through: the seam that the ensembles stand on."""

import zlib
from dataclasses import dataclass, field

import numpy as np
import pytest

from lattice_ml.ensembles.plan import Protocol, plan_grid
from lattice_ml.ground.errors import UserError
from lattice_ml.kernels.device import Cpu
from lattice_ml.systems.active_ising.physics import ActiveIsing


@dataclass
class ThrownSampler:
    """Throws N particles on the torus at every read-out: each (seed, point, replica) has its own stream."""

    algorithm: str = "thrown"
    calls: list = field(default_factory=list)
    at_once: int = 1
    device: Cpu = field(default_factory=Cpu)

    def validate(self, system, point, times):
        """Reaches every point."""

    def lanes_at_once(self, system, point, readouts):
        return self.at_once

    def settings(self, point):
        return {"algorithm": self.algorithm, "version": 1, "cells": (1, 2)}

    def sample(self, system, lanes, seed, start, tick):
        self.calls.append((dict(lanes[0].point), [lane.replica for lane in lanes]))
        out = np.zeros((len(lanes), len(lanes[0].times), 2, *system.extents), dtype=np.uint16)
        for lane, (point, replica, times) in enumerate(lanes):
            key = zlib.crc32(f"{seed} {sorted(point.items())} {replica} {start}".encode())
            random = np.random.default_rng(key)
            before = 0.0
            for sample, time in enumerate(times):
                sites = random.integers(out[lane, sample].size, size=system.particles(point))
                out[lane, sample] = np.bincount(sites, minlength=out[lane, sample].size).reshape(2, *system.extents)
                tick(system.work(point) * (time - before))
                before = time
        return out


@pytest.fixture
def system():
    return ActiveIsing(extents=(6, 3))


@pytest.fixture
def sampler():
    return ThrownSampler()


@pytest.fixture
def plan():
    return plan_grid("toy", {"T": "0.4:0.6:0.1", "rho0": [2.0, 3.0]}, 3, 2, 7, Protocol(waiting=10.0))


@pytest.fixture
def refused():
    """The one sentence in which a call ends, without line breaks."""

    def sentence(function, *arguments, **keywords):
        with pytest.raises(UserError) as caught:
            function(*arguments, **keywords)
        text = str(caught.value)
        assert "\n" not in text
        return text

    return sentence
