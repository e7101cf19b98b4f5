"""The Ising model: rules, exact results, and a checkerboard whose bits depend on nothing but a lane's name."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from lattice_ml import rng
from lattice_ml.device import Cpu
from lattice_ml.errors import UserError
from lattice_ml.lattice import neighbours
from lattice_ml.systems.active_ising.physics import ActiveIsing
from lattice_ml.systems.base import Lane
from lattice_ml.systems.ising import checkerboard, onsager
from lattice_ml.systems.ising.checkerboard import Checkerboard, colour_lists, thresholds
from lattice_ml.systems.ising.physics import Ising
from lattice_ml.systems.ising.sampler import IsingSampler
from lattice_ml.systems.ising.start import start_state

SYSTEM = Ising((9, 6))
POINT = {"T": 2.0}
TORI = [(4, 6), (9, 6), (5, 7), (3, 3), (3, 130), (33, 4)]
TEMPERATURES = (0.4, 1.7, 2.3, 8.0)
BRUTE = [(3, 3), (3, 4), (4, 3), (4, 4), (5, 3)]


def no_tick(work):
    pass


def lanes_of(times=(5, 12), temperatures=TEMPERATURES, replicas=(0, 7)):
    return [Lane({"T": t}, r, times) for t in temperatures for r in replicas]


def sample(system=SYSTEM, lanes=None, seed=5, start="random", tick=no_tick):
    return IsingSampler("cpu").sample(system, lanes or lanes_of(), seed, start, tick)


# --- rules ---


def test_extents_may_come_as_a_list():
    assert Ising([9, 6]) == SYSTEM  # pyright: ignore[reportArgumentType]
    assert SYSTEM.volume == 54
    assert SYSTEM.parameters() == {"name": "ising", "extents": [9, 6]}
    assert SYSTEM.work(POINT) == 54.0


@pytest.mark.parametrize("extents", [(9,), (9, 2), (9, 6, 3), (9.0, 6.0)])
def test_bad_extents(extents):
    with pytest.raises(UserError, match="is not a torus"):
        Ising(extents)


@pytest.mark.parametrize(
    ("point", "message"),
    [
        ({"T": -0.3}, "T = -0.3 is not a temperature"),
        ({"T": np.inf}, "T = inf is not a temperature"),
        ({"T": 2.0, "rho0": 3.0}, "given by T alone, not by T, rho0"),
        ({}, "given by T alone"),
    ],
)
def test_bad_points(point, message):
    with pytest.raises(UserError, match=message):
        SYSTEM.validate(point)


def test_point_key_names_the_point_and_the_torus():
    keys = {system.point_key({"T": t}) for system in (SYSTEM, Ising((6, 9))) for t in (0.5, 0.51)}
    assert len(keys) == 4
    assert SYSTEM.point_key({"T": 0.1 + 0.2}) == SYSTEM.point_key({"T": 0.3})
    assert all(0 <= key < 2**32 for key in keys)


def test_check_knows_two_spins():
    states = np.zeros((3, 1, 9, 6), dtype=np.uint16)
    states[1] = 1
    SYSTEM.check(states, POINT)
    states[2, 0, 8, 5] = 2
    with pytest.raises(RuntimeError, match="holds 2 up spins"):
        SYSTEM.check(states, POINT)


def test_channels_are_spins():
    states = np.random.default_rng(0).integers(0, 2, (3, 4, 1, 9, 6))
    for dtype in (torch.uint8, torch.int16):
        channels = SYSTEM.to_channels(torch.from_numpy(states).to(dtype))
        assert channels.dtype == torch.float32
        assert np.array_equal(channels.numpy(), 2.0 * states - 1)


def test_observables_of_known_states():
    system = Ising((6, 4))
    states = np.zeros((5, 1, 6, 4), dtype=np.uint16)
    states[1] = 1
    states[2, 0, :3] = 1  # two walls across y
    states[3, 0, ::2, ::2] = states[3, 0, 1::2, 1::2] = 1  # an antiferromagnet
    states[4, 0, 5, 3] = 1  # a single spin
    observed = system.observables(states)
    assert observed["magnetisation"] == pytest.approx([-1, 1, 0, 0, -22 / 24])
    assert observed["order"] == pytest.approx([1, 1, 0, 0, 22 / 24])
    assert observed["energy"] == pytest.approx([-2, -2, -2 + 2 * 8 / 24, 2, -2 + 8 / 24])
    assert all(values.dtype == np.float64 for values in observed.values())


def test_mirror_keeps_the_energy():
    states = np.random.default_rng(1).integers(0, 2, (3, 1, 9, 6)).astype(np.uint16)
    spins = SYSTEM.to_channels(torch.from_numpy(states)).numpy()[:, 0]
    turned = (SYSTEM.mirror(spins)[:, None] + 1) / 2
    assert np.array_equal(SYSTEM.observables(turned)["energy"], SYSTEM.observables(states)["energy"])
    assert np.array_equal(SYSTEM.observables(turned)["magnetisation"], -SYSTEM.observables(states)["magnetisation"])


@pytest.mark.parametrize(
    ("order", "names"),
    [
        ([0.95, 0.9, 0.15], ["F", "F", "P"]),
        ([0.1, 0.92], ["P", "F"]),
        ([0.9, 0.2, 0.1, 0.7], ["F", "P", "P", "F"]),
        ([0.9, 0.7], None),  # not twice as ordered
        ([0.9, 0.5, 0.3, 0.1], None),  # no clear cut
        ([0.9], None),
        ([0.0, 0.0], None),
    ],
)
def test_groups_are_named_by_their_order(order, names):
    group = np.repeat(np.arange(len(order)), 20)
    observables = {"order": np.repeat(order, 20)}
    assert SYSTEM.name_groups(observables, group) == names


def test_a_group_that_mixes_phases_has_no_name():
    group = np.repeat([0, 1], 20)
    order = np.repeat([0.9, 0.1], 20)
    order[:2] = 0.1
    assert SYSTEM.name_groups({"order": order}, group) == ["F", "P"]
    order[:3] = 0.1
    assert SYSTEM.name_groups({"order": order}, group) is None


# --- exact results ---


@pytest.mark.parametrize("extents", BRUTE)
@pytest.mark.parametrize("temperature", [0.3, 1.0, 2.0, onsager.CRITICAL_TEMPERATURE, 2.5, 10.0])
def test_torus_energy_is_that_of_all_configurations(extents, temperature):
    volume = extents[0] * extents[1]
    states = (np.arange(2**volume)[:, None] >> np.arange(volume) & 1).reshape(-1, 1, *extents)
    energy = Ising(extents).observables(states)["energy"]
    weight = np.exp(-volume * (energy - energy.min()) / temperature)
    assert onsager.torus_energy(extents, temperature) == pytest.approx(energy @ weight / weight.sum(), abs=1e-12)


@pytest.mark.parametrize("temperature", [0.5, 1.5, 2.0, 2.6, 4.0])
def test_large_tori_are_infinite(temperature):
    for extents in ((400, 400), (401, 301)):
        assert onsager.torus_energy(extents, temperature) == pytest.approx(onsager.energy(temperature), abs=1e-12)


def test_exact_results_of_the_infinite_lattice():
    assert pytest.approx(2.269185314213022) == onsager.CRITICAL_TEMPERATURE
    assert onsager.energy(onsager.CRITICAL_TEMPERATURE) == pytest.approx(-np.sqrt(2), abs=1e-7)
    assert onsager.energy(0.05) == pytest.approx(-2)
    assert onsager.energy(1e3) == pytest.approx(-2 / 1e3, rel=1e-5)  # - 2 tanh K + O(K^3)
    # Low temperature: spins turned over one by one, m = 1 - 2 x^4 - 8 x^6, x = exp(-2K).
    x = np.exp(-2 / 0.6)
    assert onsager.spontaneous_magnetisation(0.6) == pytest.approx(1 - 2 * x**4 - 8 * x**6, abs=40 * x**8)
    assert onsager.spontaneous_magnetisation(0.05) == 1.0
    assert onsager.spontaneous_magnetisation(2.0) == pytest.approx((1 - np.sinh(1.0) ** -4) ** 0.125)
    assert onsager.spontaneous_magnetisation(2.27) == 0.0


# --- the sweep ---


@pytest.mark.parametrize("extents", TORI)
def test_every_site_has_one_colour_and_no_neighbour_has_it(extents):
    lists = colour_lists(extents)
    assert len(lists) == (2 if extents[0] % 2 == extents[1] % 2 == 0 else 3)
    colour = np.full(extents[0] * extents[1], -1)
    for number, sites in enumerate(lists):
        assert sites.dtype == np.uint32
        assert len(sites) % 4 == 0
        real = sites[sites < colour.size]
        assert np.all(colour[real] == -1)
        colour[real] = number
    assert colour.min() == 0
    assert np.all(colour[neighbours(extents)] != colour[:, None])


@pytest.mark.parametrize("extents", TORI)
def test_a_sweep_is_what_it_says(extents):
    """The same spins from a plain loop over sites, by the docstring's three steps."""
    system, point, seed, replica, sweeps = Ising(extents), {"T": 2.1}, 3, 4, 6
    spins = start_state(system, point, seed, replica, "random").ravel().astype(int)
    key = rng.stream_key(seed, replica, system.point_key(point), rng.SWEEPS)
    beside, lists = neighbours(extents), colour_lists(extents)
    blocks, number, changes = sum(len(sites) // 4 for sites in lists), 0, 0
    for _ in range(sweeps):
        for sites in lists:
            words = np.empty((len(sites) // 4, 4), np.uint32)
            rng.fill_words(key, np.uint64(number), words)
            number += len(words)
            for site, word in zip(sites, words.T.ravel(), strict=True):
                if site < spins.size:
                    before, up = spins[site], spins[beside[site]].sum()
                    spins[site] = int(word) < int(thresholds(2.1)[up])
                    changes += spins[site] != before
    assert number == sweeps * blocks
    lane = Lane(point, replica, (sweeps,))
    assert np.array_equal(sample(system, [lane], seed)[0, 0, 0].ravel(), spins)
    trajectory = Checkerboard(system, [lane], seed, start_state(system, point, seed, replica, "random")[None], Cpu())
    trajectory.advance([sweeps], no_tick)
    assert trajectory.changed() == [changes]


@pytest.mark.parametrize("temperature", [1e-3, 0.3, 1.0, 2.27, 1e6])
def test_thresholds(temperature):
    words = thresholds(temperature).astype(object)
    assert words[2] == 2**31
    assert all(words[u] + words[4 - u] == 2**32 for u in range(5))
    assert all(words[u] <= words[u + 1] for u in range(4))
    if temperature > 0.3:
        expected = [1 / (1 + np.exp(-2 * (2 * u - 4) / temperature)) for u in range(5)]
        assert np.abs(words / 2**32 - np.array(expected)).max() <= 2.0**-33 * 1.001


def test_certainty_is_certain():
    """At T -> 0 a spin among four up ones is up even if its word is the largest: the threshold is 2^32."""
    assert thresholds(0.1).tolist() == [0, 0, 2**31, 2**32, 2**32]
    system = Ising((64, 64))
    cold = sample(system, [Lane({"T": 0.1}, r, (20,)) for r in range(4)], start="ordered")
    assert set(system.observables(cold)["order"].ravel()) == {1.0}


def test_a_cold_lattice_turns_a_lone_spin_back():
    system, lane = Ising((8, 7)), Lane({"T": 0.2}, 0, (1,))
    up = np.ones((1, 8, 7), np.uint8)
    up[0, 3, 2] = up[0, 0, 6] = up[0, 7, 3] = 0
    trajectory = Checkerboard(system, [lane], 1, up, Cpu())
    trajectory.advance([1], no_tick)
    assert trajectory.up.all()
    assert trajectory.changed() == [3]


# --- the sampler ---


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
    with pytest.raises(UserError, match="does not know the rules of active_ising: give system=ising"):
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
