"""Every launch of every sampler does on CUDA sources, bit for bit, what it does in the numba twin.

``Paired`` compares all arrays of a launch: states, clocks, counters, tables. What a sampler returns is compared as
well, with one on the CPU, which runs through other Python where that depends on the device.
"""

import numpy as np
import pytest
from cuda_host.host import Paired
from hypothesis import given, settings
from hypothesis import strategies as st

from lattice_ml.systems.active_ising.physics import ActiveIsing
from lattice_ml.systems.active_ising.sampler import ALGORITHMS, ActiveIsingSampler
from lattice_ml.systems.complex_scalar import open_worms, worm
from lattice_ml.systems.complex_scalar.physics import ComplexScalar
from lattice_ml.systems.complex_scalar.pilot import Pilot
from lattice_ml.systems.complex_scalar.sampler import ComplexScalarSampler
from lattice_ml.systems.ising.physics import Ising
from lattice_ml.systems.ising.sampler import IsingSampler
from lattice_ml.systems.sampler import Lane

pytestmark = pytest.mark.cuda_host

seeds = st.integers(0, 2**32 - 1)
extents = st.tuples(st.integers(3, 13), st.integers(3, 13))  # odd and even


def compare(make, system, lanes, seed, start, device):
    """Sample on the CPU and, launch by launch, on the device; returns what both returned."""
    here, there = make(), make()
    there.device = Paired(device)
    expected, states = (
        sampler.device.get(sampler.sample(system, lanes, seed, start, lambda work: None)) for sampler in (here, there)
    )
    assert there.device.launches > 0
    assert states.dtype == expected.dtype
    assert np.array_equal(states, expected)
    return states


@st.composite
def active_ising_lanes(draw, sites, window):
    """Up to four trajectories at some points of parameter space, read out at one or two times, each its own."""
    count, readouts = draw(st.integers(1, 4)), draw(st.integers(1, 2))
    lanes = []
    for replica in draw(st.lists(seeds, min_size=count, max_size=count)):
        particles = draw(st.integers(3, 9 * sites))
        point = {"T": draw(st.sampled_from([0.2, 0.45, 0.7, 1.3])), "rho0": particles / sites}
        steps = draw(st.lists(st.integers(1, 12), min_size=readouts, max_size=readouts))
        lanes.append(Lane(point, replica, [window * n for n in np.cumsum(steps)]))
    return lanes


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@settings(max_examples=10, deadline=None)
@given(data=st.data())
def test_active_ising(device, algorithm, data):
    window = data.draw(st.sampled_from([0.125, 0.3, 1.0]), "window")
    domain = data.draw(st.tuples(st.integers(1, 14), st.integers(1, 14)), "domain")
    eps, hop_rate = data.draw(st.sampled_from([(0.9, 1.0), (0.0, 1.0), (1.0, 0.7)]), "eps, D")
    system = ActiveIsing(data.draw(extents, "extents"), eps=eps, D=hop_rate)
    lanes = data.draw(active_ising_lanes(system.volume, window), "lanes")
    start, seed = data.draw(st.sampled_from(system.starts), "start"), data.draw(seeds, "seed")

    def make():
        return ActiveIsingSampler(algorithm, "cpu", domain=domain, window=window)

    states = compare(make, system, lanes, seed, start, device)
    for lane, read in zip(lanes, states, strict=True):
        system.check(read, lane.point)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_crowded_sites(device, algorithm):
    """Sites outgrow their tables and words in the middle of a launch, some lanes earlier than others."""
    lanes = [Lane({"T": 0.3, "rho0": rho0}, replica, [2.0, 4.0]) for rho0 in (45.0, 100.0) for replica in (0, 1)]
    system = ActiveIsing((4, 5))
    compare(lambda: ActiveIsingSampler(algorithm, "cpu", domain=(2, 2)), system, lanes, 3, "random", device)


@pytest.mark.parametrize("algorithm", ["event_driven", "random_sequential"])
def test_sites_beyond_16_bits(device, algorithm):
    lanes = [Lane({"T": 0.5, "rho0": 700 / (257 * 256)}, replica, [1.0]) for replica in (0, 1)]
    compare(lambda: ActiveIsingSampler(algorithm, "cpu"), ActiveIsing((257, 256)), lanes, 5, "random", device)


@settings(max_examples=10, deadline=None)
@given(
    extents=extents,
    seed=seeds,
    start=st.sampled_from(Ising.starts),
    lanes=st.lists(
        st.builds(
            Lane,
            st.fixed_dictionaries({"T": st.sampled_from([0.1, 1.0, 2.269, 5.0, 1e6])}),
            seeds,
            st.sampled_from([(1, 2), (3, 10), (7, 8)]),
        ),
        min_size=1,
        max_size=5,
    ),
)
def test_ising(device, extents, seed, start, lanes):
    compare(lambda: IsingSampler("cpu"), Ising(extents), lanes, seed, start, device)


@st.composite
def flux_lanes(draw, sites, readouts):
    """Trajectories at some couplings, with and without open worms, each read out at times of its own."""
    lanes = []
    for replica in draw(st.lists(seeds, min_size=1, max_size=4)):
        point = {"eta": draw(st.sampled_from([4.01, 4.25])), "mu": draw(st.sampled_from([0.0, 1.0, 1.5, -2.0]))}
        worms = draw(st.integers(0, sites // 2))
        steps = draw(st.lists(st.integers(1, 5), min_size=readouts, max_size=readouts))
        lanes.append(Lane({**point, "worms": worms}, replica, [int(n) for n in np.cumsum(steps)]))
    return lanes


@settings(max_examples=12, deadline=None)
@given(data=st.data())
def test_worms(device, data):
    system = ComplexScalar(data.draw(st.tuples(st.integers(2, 7), st.integers(2, 7)), "extents"))
    lanes = data.draw(flux_lanes(system.volume, data.draw(st.integers(1, 3), "readouts")), "lanes")
    pilot = Pilot("worm", 0.0, data.draw(st.integers(1, 9), "closings"), data.draw(st.integers(1, 4), "thin"), 1.0)
    start, seed = data.draw(st.sampled_from(system.starts), "start"), data.draw(seeds, "seed")

    def make():
        sampler = ComplexScalarSampler("worm", "cpu")
        sampler._pilot = lambda system, point: pilot
        return sampler

    with pytest.MonkeyPatch.context() as patch:
        if data.draw(st.booleans(), "many launches"):  # which end in the middle of an update
            patch.setattr(worm, "CALL", 5 * worm.BURST)
            patch.setattr(worm, "SHORTEST_CALL", 5 * worm.BURST)
            patch.setattr(open_worms, "PER_LAUNCH", 2 * system.volume)
        states = compare(make, system, lanes, seed, start, device)
    for lane, read in zip(lanes, states, strict=True):
        system.check(read, lane.point)
