"""The pilot of the flux samplers fixes bits: it is the same everywhere, and lanes do not see each other through it."""

import json

import numpy as np
import pytest

from lattice_ml.systems.complex_scalar import pilot as module
from lattice_ml.systems.complex_scalar.physics import ComplexScalar
from lattice_ml.systems.complex_scalar.pilot import LEAST_ACCEPTANCE, Pilot, pilot
from lattice_ml.systems.complex_scalar.sampler import ComplexScalarSampler
from lattice_ml.systems.sampler import Lane

pytestmark = pytest.mark.slow  # worms and sweeps are compiled

SYSTEM = ComplexScalar((20, 2))
SPARSE, DENSE = {"eta": 4.01, "mu": 0.5}, {"eta": 4.01, "mu": 1.5}


def test_what_auto_takes():
    sparse, dense = pilot(SYSTEM, SPARSE), pilot(SYSTEM, DENSE)
    assert (sparse.algorithm, dense.algorithm) == ("worm", "hybrid")
    assert sparse.line_acceptance < LEAST_ACCEPTANCE < dense.line_acceptance
    for found in (sparse, dense):
        assert found.thin >= 2 * found.tau
        assert found.thin.bit_count() == 1
        assert found.closings >= 1
    assert pilot(SYSTEM, DENSE, "worm").algorithm == "worm"
    assert pilot(SYSTEM, DENSE, "checkerboard").closings == dense.closings


def test_the_same_once_more():
    """Computed anew, not remembered: the same bits, for any number of open worms."""
    first = pilot(SYSTEM, DENSE)
    module._pilot.cache_clear()
    assert pilot(SYSTEM, {**DENSE, "worms": 2}) == first
    record = ComplexScalarSampler(device="cpu").record(SYSTEM, DENSE)
    assert Pilot(**json.loads(json.dumps(record, allow_nan=False))) == first


def test_a_longer_worm_update_takes_proportionally_more_closings(monkeypatch):
    usual = pilot(SYSTEM, SPARSE).closings
    monkeypatch.setattr(module, "STEPS", 10 * module.STEPS)
    module._pilot.cache_clear()
    assert pilot(SYSTEM, SPARSE).closings == pytest.approx(10 * usual, abs=5)
    module._pilot.cache_clear()


@pytest.mark.parametrize("algorithm", ["auto", "checkerboard", "hybrid"])
def test_lanes_of_one_call_do_not_see_each_other(algorithm):
    """Different algorithms and units of time at two points, and different times of the lanes."""
    sampler = ComplexScalarSampler(algorithm, "cpu")
    lanes = [Lane(SPARSE, 0, (1, 3)), Lane(DENSE, 1, (2, 4)), Lane(SPARSE, 2, (2, 5)), Lane(DENSE, 0, (1, 2))]
    together = sampler.sample(SYSTEM, lanes, 9, "hot_and_cold", lambda work: None)
    for lane, states in zip(lanes, together, strict=True):
        alone = sampler.sample(SYSTEM, [lane], 9, "hot_and_cold", lambda work: None)
        assert np.array_equal(alone[0], states)
        last = sampler.sample(SYSTEM, [lane._replace(times=lane.times[-1:])], 9, "hot_and_cold", lambda work: None)
        assert np.array_equal(last[0, 0], states[-1])
        SYSTEM.check(states, lane.point)


def test_work_told_is_links_times_time():
    told = []
    lanes = [Lane(DENSE, replica, (1, 2 + replica)) for replica in range(2)]
    ComplexScalarSampler(device="cpu").sample(SYSTEM, lanes, 0, "cold", told.append)
    assert sum(told) == pytest.approx(SYSTEM.work(DENSE) * (2 + 3), rel=0.25)
