"""The checkerboard of the flux form, alone and between worms: the CUDA sources have the bits of the numba twins.

On the CPU a call is one compiled loop over sweeps and colours, on a device it is launches: both are compared, too.
"""

import numpy as np
import pytest
from cuda_host.host import Paired
from hypothesis import given, settings
from hypothesis import strategies as st

from lattice_ml.kernels.device import Cpu
from lattice_ml.systems.complex_scalar.checkerboard import Checkerboard
from lattice_ml.systems.complex_scalar.hybrid import Hybrid
from lattice_ml.systems.complex_scalar.physics import ComplexScalar
from lattice_ml.systems.complex_scalar.start import start_state
from lattice_ml.systems.sampler import Lane

pytestmark = pytest.mark.cuda_host

seeds = st.integers(0, 2**32 - 1)
points = st.fixed_dictionaries({"eta": st.sampled_from([4.01, 4.25]), "mu": st.sampled_from([0.0, 1.0, 1.5])})


def prepared(extents, given_points, seed):
    system = ComplexScalar(extents)
    lanes = [Lane(point, replica, ()) for replica, point in enumerate(given_points)]
    return system, lanes, np.stack([start_state(system, lane.point, seed, lane.replica, "hot") for lane in lanes])


@settings(max_examples=8, deadline=None)
@given(
    extents=st.tuples(st.integers(2, 9), st.integers(2, 9)),
    given_points=st.lists(points, min_size=1, max_size=4),
    seed=seeds,
    data=st.data(),
)
def test_checkerboard(device, extents, given_points, seed, data):
    system, lanes, states = prepared(extents, given_points, seed)
    done = np.array([data.draw(st.integers(0, 2**33)) for _ in lanes], dtype=np.uint64)
    target = done + np.array([data.draw(st.integers(0, 3)) for _ in lanes], dtype=np.uint64)
    results = []
    for where in (Cpu(), Paired(device)):
        checkerboard = Checkerboard(system, lanes, seed, where.put(states), where)
        checkerboard.advance(done, target)
        results.append([where.get(a) for a in (checkerboard.states, checkerboard.f, checkerboard.accepted)])
        assert where.name == "cpu" or target.max() == done.max() or where.launches > 0
    assert all(np.array_equal(here, there) for here, there in zip(*results, strict=True))
    for state, lane in zip(results[1][0], lanes, strict=True):
        system.check(state, lane.point)


@pytest.mark.parametrize("closings", [None, [3, 2]])
def test_hybrid(device, closings):
    """Worms and sweeps share the configurations, on a device as on the CPU."""
    system, lanes, states = prepared((5, 4), [{"eta": 4.01, "mu": 1.0}, {"eta": 4.25, "mu": 1.25}], 7)
    results = []
    for where in (Cpu(), Paired(device)):
        hybrid = Hybrid(system, lanes, 7, states, closings, where)
        results.append(where.get(hybrid.advance([[2, 3], [1, 4]], lambda work: None)))
    assert np.array_equal(*results)
    assert not np.array_equal(results[0][:, 0], results[0][:, 1])
    system.check(results[0], {})
