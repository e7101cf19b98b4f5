"""The sampler of the Ising model: its bits depend on nothing but a lane's name."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from lattice_ml.ground.errors import UserError
from lattice_ml.kernels.device import Cpu
from lattice_ml.systems.active_ising.physics import ActiveIsing
from lattice_ml.systems.ising import checkerboard
from lattice_ml.systems.ising.physics import Ising
from lattice_ml.systems.ising.sampler import IsingSampler
from lattice_ml.systems.ising.start import start_state
from lattice_ml.systems.sampler import Lane

SYSTEM = Ising((9, 6))
POINT = {"T": 2.0}
TORI = [(4, 6), (9, 6), (5, 7), (3, 3), (3, 130), (33, 4)]
TEMPERATURES = (0.4, 1.7, 2.3, 8.0)


def no_tick(work):
    pass


def lanes_of(times=(5, 12), temperatures=TEMPERATURES, replicas=(0, 7)):
    return [Lane({"T": t}, r, times) for t in temperatures for r in replicas]


def sample(system=SYSTEM, lanes=None, seed=5, start="random", tick=no_tick):
    return IsingSampler("cpu").sample(system, lanes or lanes_of(), seed, start, tick)


def test_shape_and_spins():
    states = sample()
    assert states.shape == (8, 2, 1, 9, 6)
    assert states.dtype == np.uint16
    SYSTEM.check(states, POINT)
    assert set(np.unique(states)) == {0, 1}


@pytest.mark.parametrize("extents", TORI)
def test_lanes_do_not_see_each_other(extents):
    system, lanes = Ising(extents), lanes_of()
    states = sample(system)
    assert np.array_equal(sample(system, lanes[::-1]), states[::-1])
    for n, lane in enumerate(lanes):
        assert np.array_equal(sample(system, [lane])[0], states[n])


def test_times_of_other_lanes_do_not_matter():
    lanes = [Lane({"T": 2.3}, r, times) for r, times in enumerate([(1, 2), (5, 30), (29, 31), (2, 40)])]
    together = sample(lanes=lanes)
    for lane, states in zip(lanes, together, strict=True):
        assert np.array_equal(sample(lanes=[lane])[0], states)


def test_reading_out_leaves_the_trajectory():
    often, once = sample(lanes=lanes_of((1, 2, 3, 8, 13, 25))), sample(lanes=lanes_of((25,)))
    assert np.array_equal(often[:, -1], once[:, -1])


def test_threads_do_not_matter():
    with ThreadPoolExecutor(4) as pool:
        apart = list(pool.map(lambda lane: sample(lanes=[lane])[0], lanes_of()))
    assert np.array_equal(np.stack(apart), sample())


def test_every_part_of_the_name_of_a_lane_counts():
    lanes = lanes_of(times=(1, 2), temperatures=(2.3, 8.0))
    states = sample(lanes=lanes)
    others = [
        sample(lanes=lanes, seed=6),
        sample(lanes=lanes_of(times=(1, 2), temperatures=(2.3, 8.0), replicas=(1, 8))),
        sample(lanes=lanes_of(times=(1, 2), temperatures=(2.31, 8.1))),
        sample(lanes=lanes, start="ordered"),
    ]
    for other in others:
        assert not any(np.array_equal(a, b) for a, b in zip(other, states, strict=True))
    assert not np.array_equal(states[0], states[1])


def test_starts_of_one_name_meet():
    """The heat bath is monotone: with the same words an ordered start stays above or below a random one, until both
    are one. Two starts of one seed are a test of the waiting time, not two independent ensembles."""
    lanes = [Lane({"T": 4.0}, replica, (200,)) for replica in range(8)]
    assert np.array_equal(sample(lanes=lanes, start="ordered"), sample(lanes=lanes, start="random"))


@pytest.mark.parametrize("every", [0.0, 1e9])
def test_tick_reports_the_work(every, monkeypatch):
    monkeypatch.setattr(checkerboard, "TICK_EVERY", every)
    work = []
    lanes = [Lane({"T": 2.0}, 0, (3, 10)), Lane({"T": 2.5}, 1, (6, 7))]
    states = sample(lanes=lanes, tick=work.append)
    assert sum(work) == 17 * SYSTEM.volume
    assert (len(work) > 10) == (every == 0)
    assert np.array_equal(states, sample(lanes=lanes))


def test_tick_may_stop_the_sampler():
    def stop(work):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sample(tick=stop)


@pytest.mark.parametrize("extents", [(3, 1001), (1001, 3), (301, 243)])
def test_wide_lattices(extents):
    """Every site is updated, more than 2^16 of them too: at T = infinity one sweep leaves nothing as it was."""
    system = Ising(extents)
    states = sample(system, [Lane({"T": 1e9}, 0, tuple(range(1, 41)))], start="ordered")[0]
    assert np.all((states != states[0]).any(axis=0))
    assert abs(states.mean() - 0.5) < 4 * 0.5 / np.sqrt(states.size)


@pytest.mark.parametrize("extents", [(9, 27), (8, 3)])
def test_start_states(extents):
    system = Ising(extents)

    def spins(start, replica):
        return start_state(system, POINT, 3, replica, start)

    for start in system.starts:
        assert spins(start, 1).shape == extents
        assert spins(start, 1).dtype == np.uint8
        assert np.array_equal(spins(start, 1), spins(start, 1))
    assert {float(spins("ordered", r).mean()) for r in range(20)} == {0.0, 1.0}
    random = np.stack([spins("random", r) for r in range(200)])
    assert abs(random.mean() - 0.5) < 4 * 0.5 / np.sqrt(random.size)
    assert len(np.unique(random.reshape(200, -1), axis=0)) == 200


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"lanes": lanes_of((4, 4))}, "do not increase"),
        ({"lanes": lanes_of((0, 4))}, "do not increase"),
        ({"lanes": lanes_of((3.5, 4))}, "no whole numbers of sweeps"),
        ({"start": "hot"}, "give one of ordered, random"),
        ({"seed": -1}, "seed = -1"),
        ({"lanes": lanes_of(temperatures=(-2.0,))}, "T = -2"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(UserError, match=message):
        sample(**arguments)


def test_settings():
    sampler = IsingSampler("cpu", trajectories=100)
    sampler.validate(SYSTEM, POINT, (1, 2.0))
    assert sampler.settings(POINT) == {"algorithm": "checkerboard", "version": 1}
    assert sampler.lanes_at_once(SYSTEM, POINT, 10) == 1
    with pytest.raises(UserError, match="rules of active_ising: give system=ising, or the sampler of active_ising"):
        sampler.validate(ActiveIsing((9, 6)), POINT, (1,))  # pyright: ignore[reportArgumentType]
    with pytest.raises(UserError, match="no device 'tpu'"):
        IsingSampler("tpu")


def test_lanes_fill_a_gpu():
    """A launch of one colour has at least as many threads as the GPU wants, and one lane if that is enough."""

    class Gpu(Cpu):
        name = "cuda"

    sampler = IsingSampler("cpu")
    sampler.device = Gpu()
    assert sampler.lanes_at_once(Ising((32, 32)), POINT, 10) == 132
    assert sampler.lanes_at_once(Ising((81, 81)), POINT, 10) == 30
    assert sampler.lanes_at_once(Ising((4096, 4096)), POINT, 10) == 1
