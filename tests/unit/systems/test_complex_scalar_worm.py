"""The worm, sweeps of l, open worms and the sampler: steps as told, bits that depend on a lane's name alone."""

from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import pytest

from lattice_ml.ground.errors import UserError
from lattice_ml.kernels import rng
from lattice_ml.kernels.device import Cpu
from lattice_ml.systems.complex_scalar import worm as module
from lattice_ml.systems.complex_scalar.fluxes import divergence, site_sums
from lattice_ml.systems.complex_scalar.links import link_order
from lattice_ml.systems.complex_scalar.open_worms import add_worms
from lattice_ml.systems.complex_scalar.physics import ComplexScalar
from lattice_ml.systems.complex_scalar.sampler import ComplexScalarSampler
from lattice_ml.systems.complex_scalar.start import start_state
from lattice_ml.systems.complex_scalar.weights import Tables, log_weights, tables
from lattice_ml.systems.complex_scalar.worm import Worms
from lattice_ml.systems.ising.physics import Ising
from lattice_ml.systems.sampler import Lane

SYSTEM = ComplexScalar((4, 3))
TORI = [(2, 2), (2, 5), (5, 2), (4, 3)]
POINT = {"eta": 4.01, "mu": 1.0}


class Pilot(NamedTuple):
    algorithm: str = "worm"
    closings: int = 3
    thin: int = 2


@pytest.fixture
def sampler(monkeypatch):
    """A sampler whose pilot was short."""
    monkeypatch.setattr(ComplexScalarSampler, "_pilot", lambda self, system, point: Pilot())
    return ComplexScalarSampler("worm", "cpu")


def no_tick(work):
    pass


def lanes_of(times=(3, 8), mus=(0.5, 1.5), replicas=(0, 7), worms=0):
    return [Lane({"eta": 4.01, "mu": mu, "worms": worms}, r, times) for mu in mus for r in replicas]


def worms_of(system, lanes, seed=5, start="hot", closings=2):
    states = np.stack([start_state(system, lane.point, seed, lane.replica, start) for lane in lanes])
    return Worms(system, lanes, seed, states, [closings] * len(lanes), Cpu())


def log_weight(system, point, state):
    """log of the weight of a configuration, straight from the partition sum."""
    log_w = log_weights(point["eta"], system.lam, 400)
    factorial = np.concatenate(([0.0], np.cumsum(np.log(np.arange(1, 400)))))
    k, free = np.abs(state[:2].astype(int)), state[2:].astype(int)
    return point["mu"] * state[0].sum() - (factorial[k + free] + factorial[free]).sum() + log_w[site_sums(state)].sum()


# --- steps ---


@pytest.mark.parametrize("extents", TORI)
def test_steps_are_what_they_say(extents):
    """The same states from a plain loop that knows the weight of whole configurations alone."""
    system, point, seed, replica, closings, updates = ComplexScalar(extents), {"eta": 4.1, "mu": 0.8}, 3, 4, 5, 12
    state = start_state(system, point, seed, replica, "hot").astype(np.int16)
    words = np.empty((2000, 4), np.uint32)
    rng.fill_words(rng.stream_key(seed, replica, system.point_key(point), rng.WORMS), np.uint64(0), words)
    stream = iter(words.ravel().tolist())
    blocks = -(-2 * system.volume // 4)
    free_words = np.empty((updates * blocks, 4), np.uint32)
    rng.fill_words(rng.stream_key(seed, replica, system.point_key(point), rng.LINKS), np.uint64(0), free_words)
    width, head, tail = extents[1], (0, 0), (0, 0)

    def ratio(changed):
        return np.exp(log_weight(system, point, changed) - log_weight(system, point, state))

    for update in range(updates):
        closed = 0
        while closed < closings:
            word = next(stream)
            nu, sign = (word >> 30) & 1, -1 if word >> 31 else 1
            there = list(head)
            there[nu] = (there[nu] + sign) % extents[nu]
            there = tuple(there)
            changed = state.copy()
            changed[nu][head if sign == 1 else there] += sign
            if (word & 0x3FFFFFFF) / 2**30 < ratio(changed):
                state, head = changed, there
            if head == tail:
                head = tail = divmod(next(stream) * system.volume >> 32, width)
                closed += 1
        drawn = free_words[update * blocks : (update + 1) * blocks].ravel()
        for p, origin in enumerate(link_order(extents)):
            word, changed = int(drawn[p]), state.copy()
            changed[2 + (p >= system.volume)][divmod(int(origin), width)] += 1 if word >> 31 else -1
            if changed[2:].min() >= 0 and (word & 0x7FFFFFFF) / 2**31 < ratio(changed):
                state = changed
    worms = worms_of(system, [Lane(point, replica, ())], seed, closings=closings)
    assert np.array_equal(worms.advance([[updates]], no_tick)[0, 0], state)
    assert np.array_equal(worms.states[0], state)
    assert np.array_equal(divergence(state), np.zeros(extents))


@pytest.mark.parametrize("extents", TORI)
def test_every_link_is_swept_once(extents):
    volume, order = extents[0] * extents[1], link_order(extents)
    assert sorted(order[:volume]) == sorted(order[volume:]) == list(range(volume))


def test_launches_may_end_anywhere(monkeypatch):
    due, lanes = [[2, 5, 40]] * 4, lanes_of()
    expected = worms_of(SYSTEM, lanes).advance(due, no_tick)
    monkeypatch.setattr(module, "CALL", 64)
    monkeypatch.setattr(module, "SHORTEST_CALL", 64)
    work = []
    assert np.array_equal(worms_of(SYSTEM, lanes).advance(due, work.append), expected)
    assert len(work) > 5
    assert sum(work) == pytest.approx(4 * 40 * 24)


def test_read_outs_must_increase():
    worms = worms_of(SYSTEM, lanes_of())
    with pytest.raises(ValueError, match="do not increase"):
        worms.advance([[3, 3]] * 4, no_tick)
    worms.advance([[3]] * 4, no_tick)
    with pytest.raises(ValueError, match="do not increase"):
        worms.advance([[3]] * 4, no_tick)


def test_tables_that_are_too_short_are_told(monkeypatch):
    whole = tables(4.01, 1.5, 1.0)
    short = Tables(whole.by_one[:15].copy(), whole.by_two[:15].copy())
    short.by_one[-1:, 1] = short.by_two[-2:, 1] = 0
    monkeypatch.setattr(module, "tables", lambda eta, mu, lam: short)
    lanes = [Lane({"eta": 4.01, "mu": 1.5}, 0, ())]
    with pytest.raises(RuntimeError, match="tables of W end at f = 14"):
        worms_of(SYSTEM, lanes, start="cold").advance([[100]], no_tick)
    crowded = np.zeros((1, 1, 4, 4, 3), np.int16)
    crowded[0, 0, 2:] = 1  # f = 8 everywhere
    short = Tables(whole.by_one[:11].copy(), whole.by_two[:11].copy())
    with pytest.raises(RuntimeError, match="tables of W end at f = 10"):
        add_worms(SYSTEM, [Lane({"eta": 4.01, "mu": 1.5, "worms": 1}, 0, ())], 1, [[1]], crowded, Cpu())


# --- open worms ---


@pytest.mark.parametrize(("extents", "count"), [((2, 2), 2), ((2, 3), 3), ((3, 3), 4), ((8, 8), 5), ((8, 8), 10)])
def test_as_many_worms_as_asked_for(extents, count):
    system = ComplexScalar(extents)
    lanes = lanes_of(worms=count, mus=(0.9, 1.5))
    due = [list(range(10, 40))] * 4
    closed = worms_of(system, lanes).advance(due, no_tick)
    opened = closed.copy()
    add_worms(system, lanes, 5, due, opened, Cpu())
    assert np.all(np.abs(divergence(opened)).sum(axis=(-2, -1)) == 2 * count)
    assert np.array_equal(opened[:, :, 2:], closed[:, :, 2:])  # l is not theirs
    assert np.abs(opened - closed).sum(axis=(2, 3, 4)).min() >= count  # each has moved
    assert len({state.tobytes() for state in opened.reshape(120, -1)}) > 110


def test_ends_of_equal_sign_may_share_a_site():
    lanes = lanes_of(worms=6, mus=(1.0,))
    states = np.zeros((2, 50, 4, 4, 3), np.int16)
    add_worms(SYSTEM, lanes, 5, [list(range(50))] * 2, states, Cpu())
    assert np.abs(divergence(states)).max() > 1


def test_worms_are_functions_of_their_update(monkeypatch):
    lanes, due = lanes_of(worms=3), [[4, 9, 10]] * 4
    states = np.zeros((4, 3, 4, 4, 3), np.int16)
    add_worms(SYSTEM, lanes, 5, due, states, Cpu())
    for n, update in enumerate(due[0]):
        alone = np.zeros((1, 1, 4, 4, 3), np.int16)
        add_worms(SYSTEM, lanes[2:3], 5, [[update]], alone, Cpu())
        assert np.array_equal(alone[0, 0], states[2, n])
    from lattice_ml.systems.complex_scalar import open_worms

    monkeypatch.setattr(open_worms, "PER_LAUNCH", 100)
    again = np.zeros_like(states)
    add_worms(SYSTEM, lanes, 5, due, again, Cpu())
    assert np.array_equal(again, states)


# --- the sampler ---


@pytest.mark.parametrize("worms", [0, 2])
def test_shape_and_conservation(sampler, worms):
    lanes, work = lanes_of(worms=worms), []
    states = sampler.sample(SYSTEM, lanes, 5, "hot_and_cold", work.append)
    assert states.shape == (4, 2, 4, 4, 3)
    assert states.dtype == np.int16
    SYSTEM.check(states, lanes[0].point)
    assert sum(work) == pytest.approx(4 * 8 * SYSTEM.work(POINT))


@pytest.mark.parametrize("worms", [0, 2])
def test_lanes_do_not_see_each_other(sampler, worms):
    lanes = [lane._replace(times=(2, 3 + 4 * n)) for n, lane in enumerate(lanes_of(worms=worms))]
    states = sampler.sample(SYSTEM, lanes, 5, "hot", no_tick)
    assert np.array_equal(sampler.sample(SYSTEM, lanes[::-1], 5, "hot", no_tick), states[::-1])
    with ThreadPoolExecutor(4) as pool:
        apart = list(pool.map(lambda lane: sampler.sample(SYSTEM, [lane], 5, "hot", no_tick)[0], lanes))
    assert np.array_equal(np.stack(apart), states)


@pytest.mark.parametrize("worms", [0, 2])
def test_reading_out_leaves_the_trajectory(sampler, worms):
    often, once = (
        sampler.sample(SYSTEM, lanes_of(times, worms=worms), 5, "hot", no_tick) for times in ((1, 2, 3, 9), (9,))
    )
    assert np.array_equal(often[:, -1], once[:, -1])


def test_every_part_of_the_name_of_a_lane_counts(sampler):
    states = sampler.sample(SYSTEM, lanes_of(), 5, "hot", no_tick)
    others = [
        sampler.sample(SYSTEM, lanes_of(), 6, "hot", no_tick),
        sampler.sample(SYSTEM, lanes_of(replicas=(1, 8)), 5, "hot", no_tick),
        sampler.sample(SYSTEM, lanes_of(mus=(0.51, 1.51)), 5, "hot", no_tick),
        sampler.sample(SYSTEM, lanes_of(), 5, "cold", no_tick),
        sampler.sample(SYSTEM, lanes_of(worms=1), 5, "hot", no_tick),
    ]
    for other in others:
        assert not any(np.array_equal(a, b) for a, b in zip(other, states, strict=True))


def test_tick_may_stop_the_sampler(sampler):
    def stop(work):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sampler.sample(SYSTEM, lanes_of(), 5, "hot", stop)


@pytest.mark.parametrize("times", [(0,), (-1, 2), (3, 3), (5, 4)])
def test_times_must_increase(sampler, times):
    with pytest.raises(UserError, match="do not increase"):
        sampler.sample(SYSTEM, lanes_of(times), 5, "hot", no_tick)


def test_other_user_errors(sampler):
    with pytest.raises(UserError, match="no whole numbers of updates"):
        sampler.validate(SYSTEM, POINT, (1.5,))
    with pytest.raises(UserError, match="do not know the rules of ising: give system=complex_scalar"):
        sampler.validate(Ising((4, 4)), POINT, (1,))
    with pytest.raises(UserError, match="there is no algorithm 'cluster'"):
        ComplexScalarSampler("cluster")
    with pytest.raises(UserError, match="are too many: stay below"):
        sampler.sample(SYSTEM, lanes_of((2**31,)), 5, "hot", no_tick)
    with pytest.raises(UserError, match="there is no start 'band'"):
        sampler.sample(SYSTEM, lanes_of(), 5, "band", no_tick)
    with pytest.raises(UserError, match="outgrow"):
        sampler.sample(SYSTEM, [Lane({"eta": 4.0, "mu": 9.0}, 0, (1,))], 5, "hot", no_tick)
