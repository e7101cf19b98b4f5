"""The Active Ising samplers: conservation, reproducible bits, start states, settings, errors."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numba import njit

from lattice_ml.ground.errors import UserError
from lattice_ml.kernels import rng
from lattice_ml.kernels.device import THREADS_TO_FILL, Cpu
from lattice_ml.kernels.domains import cut
from lattice_ml.systems.active_ising import event_driven, random_sequential, sublattice
from lattice_ml.systems.active_ising.flip_chain import FLIP_BATCH, FlipRates, RateTables, advance
from lattice_ml.systems.active_ising.physics import ActiveIsing
from lattice_ml.systems.active_ising.sampler import ALGORITHMS, ActiveIsingSampler
from lattice_ml.systems.active_ising.start import start_state
from lattice_ml.systems.sampler import Lane

SYSTEM = ActiveIsing((9, 27))  # odd and unequal
POINT = {"T": 0.45, "rho0": 2.0}
TIMES = (3.5, 10.0)
LANES = [Lane({"T": t, "rho0": rho0}, r, TIMES) for t in (0.3, 0.9) for rho0 in (1.0, 3.0) for r in (0, 5)]


def no_tick(work):
    pass


def sample(algorithm, lanes=LANES, seed=7, start="band", system=SYSTEM, tick=no_tick, **settings):
    return ActiveIsingSampler(algorithm, "cpu", **settings).sample(system, lanes, seed, start, tick)


def at(times, lanes=LANES[:3]):
    return [lane._replace(times=times) for lane in lanes]


@pytest.fixture(scope="module", params=ALGORITHMS)
def algorithm(request):
    return request.param


@pytest.fixture(scope="module")
def states(algorithm):
    return sample(algorithm)


def test_shape_and_conservation(states):
    assert states.shape == (len(LANES), 2, 2, 9, 27)
    assert states.dtype == np.uint16
    for state, lane in zip(states, LANES, strict=True):
        SYSTEM.check(state, lane.point)


def test_lanes_do_not_see_each_other(algorithm, states):
    for n in (0, 3, 6):
        assert np.array_equal(sample(algorithm, LANES[n : n + 1])[0], states[n])
    assert np.array_equal(sample(algorithm, LANES[::-1]), states[::-1])


def test_threads_do_not_matter(algorithm, states):
    with ThreadPoolExecutor(4) as pool:
        again = list(pool.map(lambda lane: sample(algorithm, [lane])[0], LANES))
    assert np.array_equal(np.stack(again), states)


@pytest.mark.parametrize("call", [1, 3])
def test_slicing_does_not_matter(algorithm, states, call, monkeypatch):
    for module in (event_driven, random_sequential):
        monkeypatch.setattr(module, "CALL", call)
        monkeypatch.setattr(module, "SHORTEST_CALL", call)
    monkeypatch.setattr(sublattice, "WINDOWS", call)
    assert np.array_equal(sample(algorithm), states)


def test_every_part_of_the_name_of_a_lane_counts(algorithm, states):
    different = [
        sample(algorithm, seed=8),
        sample(algorithm, [lane._replace(replica=lane.replica + 1) for lane in LANES]),
        sample(algorithm, start="random"),
        *(sample(other) for other in ALGORITHMS if other != algorithm),
    ]
    for other in different:
        assert not any(np.array_equal(a, b) for a, b in zip(other, states, strict=True))
    assert not np.array_equal(states[2], states[3])


def test_reading_out_at_multiples_of_the_sweep_leaves_the_trajectory(algorithm):
    often = sample(algorithm, at((4.0, 8.0, 12.0, 16.0, 24.0)))
    once = sample(algorithm, at((24.0,)))
    assert np.array_equal(often[:, -1], once[:, -1])


def test_reading_out_never_matters_to_random_sequential():
    often = sample("random_sequential", at((0.1, 1.234, 5.0, 5.001)))
    once = sample("random_sequential", at((5.001,)))
    assert np.array_equal(often[:, -1], once[:, -1])


def test_every_lane_has_times_of_its_own(algorithm):
    lanes = [lane._replace(times=(4.0 * n, 8.0 * n + 4.0)) for n, lane in enumerate(LANES, start=1)]
    together = sample(algorithm, lanes)
    for n in (0, 3, 7):
        assert np.array_equal(together[n], sample(algorithm, lanes[n : n + 1])[0])


def test_sublattice_windows_do_not_see_the_read_out():
    often = sample("sublattice", at((0.5, 1.0, 3.5, 5.0)))
    assert np.array_equal(often[:, -1], sample("sublattice", at((5.0,)))[:, -1])


def test_larger_tables_give_the_same_bits():
    """A trajectory that outgrows its tables goes on as if they had been large from the start."""
    system, device = ActiveIsing((5, 3)), Cpu()
    lanes = [Lane({"T": temperature, "rho0": 4.0}, 0, ()) for temperature in (0.4, 1.5)]
    counts = np.zeros((2, 2, 5, 3), dtype=np.uint16)
    counts[:, 0], counts[:, 1] = 3, 1

    def states(make, shrink):
        trajectories = make(system, lanes, 1, counts, device)
        if shrink:
            shrink(trajectories)
        for time in range(4, 100, 4):
            trajectories.advance([time, time], no_tick)
            yield trajectories.counts()

    def few_rates(trajectories):
        bits = np.full(2, 3)  # up to 7 particles on a site
        trajectories.rates = RateTables([lane.point["T"] for lane in lanes], bits, device)

    def few_bits(trajectories):
        trajectories.pack(trajectories.counts(), np.full(2, 1))

    def domains(*arguments):
        return sublattice.Sublattice(*arguments, domains=cut((5, 3), (2, 1)), window=0.25)

    for make, shrink in (
        (event_driven.EventDriven, few_rates),
        (domains, few_rates),
        (random_sequential.RandomSequential, few_bits),
    ):
        grown, large = list(states(make, shrink)), list(states(make, None))
        assert np.array_equal(grown, large)
        assert all(max(c[lane].max() for c in large) > counts.max() for lane in range(2))


def test_many_sites_need_wider_indices(algorithm):
    system = ActiveIsing((301, 243))  # more than 2^16 sites
    point = {"T": 0.4, "rho0": 1.0}
    state = sample(algorithm, [Lane(point, 0, (1.0,))], system=system)
    system.check(state, point)
    assert np.all(state.sum(axis=(0, 1, 2, 4)) > 0)  # no column of sites was lost


def test_tick_reports_the_work(algorithm):
    work = []
    sample(algorithm, LANES[:2], tick=work.append)
    done = 10.0 * sum(SYSTEM.particles(lane.point) for lane in LANES[:2])
    assert sum(work) == pytest.approx(done, rel=0.01)


def test_tick_may_stop_the_sampler(algorithm):
    def stop(work):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sample(algorithm, tick=stop)


@pytest.mark.parametrize("start", SYSTEM.starts)
@pytest.mark.parametrize("extents", [(9, 27), (8, 3)])
def test_start_states(start, extents):
    system, point = ActiveIsing(extents), {"T": 0.5, "rho0": 2.0}
    one = start_state(system, point, 3, 1, start)
    system.check(one, point)
    assert np.array_equal(one, start_state(system, point, 3, 1, start))
    assert not np.array_equal(one, start_state(system, point, 3, 2, start))
    if start == "ordered":
        assert {float(m) for r in range(20) for m in [magnetisation(system, point, r, start)]} == {-1.0, 1.0}


def magnetisation(system, point, replica, start):
    return float(system.observables(start_state(system, point, 3, replica, start))["magnetisation"])


def test_band_start_holds_the_slab_it_promises():
    system, point = ActiveIsing((81, 27)), {"T": 0.5, "rho0": 3.0}
    firsts, signs = set(), set()
    for replica in range(30):
        counts = start_state(system, point, 3, replica, "band").astype(int)
        columns = counts.sum(axis=(0, 2))
        # The slab's 40 columns are the window with the most particles: 80 % of all, each side exactly filled.
        windows = [np.roll(columns, -x)[:40].sum() for x in range(81)]
        first = int(np.argmax(windows))
        assert windows[first] == round(0.8 * columns.sum())
        slab = np.roll(counts, -first, axis=1)[:, :40].sum(axis=(1, 2))
        assert min(slab) == 0
        firsts.add(first)
        signs.add(int(np.argmax(slab)))
    assert len(firsts) > 15
    assert signs == {0, 1}


def test_settings_name_the_algorithm():
    sampler = ActiveIsingSampler(device="cpu")
    assert sampler.settings({"T": 0.3, "rho0": 3.0}) == {"algorithm": "event_driven", "version": 1}
    assert sampler.settings({"T": 0.9, "rho0": 3.0}) == {"algorithm": "random_sequential", "version": 1}
    assert ActiveIsingSampler("event_driven").settings({"T": 0.9, "rho0": 3.0})["algorithm"] == "event_driven"
    domains = {"algorithm": "sublattice", "version": 1, "domain": [9, 3], "window": 0.5}
    assert ActiveIsingSampler("sublattice", domain=[9, 3], window=0.5).settings({"T": 0.3, "rho0": 3.0}) == domains


@pytest.mark.parametrize(("exact", "temperature"), [("event_driven", 0.3), ("random_sequential", 0.9)])
def test_auto_is_the_algorithm_that_its_settings_name(exact, temperature):
    lanes = [Lane({"T": temperature, "rho0": 1.0}, 0, TIMES)]
    assert np.array_equal(sample("auto", lanes), sample(exact, lanes))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"lanes": at((4.0, 4.0))}, "do not increase"),
        ({"lanes": at((0.0, 4.0))}, "do not increase"),
        ({"start": "hot"}, "band, ordered, random"),
        ({"seed": -1}, "seed = -1"),
        ({"lanes": [Lane({"T": -0.3, "rho0": 3.0}, 0, TIMES)]}, "T = -0.3"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(UserError, match=message):
        sample("auto", **arguments)


def test_bad_settings():
    with pytest.raises(UserError, match="no algorithm 'worm'"):
        ActiveIsingSampler("worm")
    with pytest.raises(UserError, match="device 'tpu'"):
        ActiveIsingSampler(device="tpu")
    with pytest.raises(UserError, match=r"\[9\] is no domain"):
        ActiveIsingSampler(domain=[9])
    with pytest.raises(UserError, match="domain = 9 is no domain"):
        ActiveIsingSampler(domain=9)
    with pytest.raises(UserError, match="window = 1e-12"):
        ActiveIsingSampler(window=1e-12)
    with pytest.raises(UserError, match="beyond the samplers' clocks"):
        sample("random_sequential", at((2e7,)))
    with pytest.raises(UserError, match="window = 5"):
        ActiveIsingSampler(window=5.0)
    with pytest.raises(UserError, match=r"no whole numbers of windows of 0\.3"):
        sample("sublattice", window=0.3)
    with pytest.raises(UserError, match=r"T = 0\.01"):
        sample("random_sequential", [Lane({"T": 0.01, "rho0": 3.0}, 0, TIMES)])
    with pytest.raises(UserError, match="too rarely"):
        sample("event_driven", [Lane({"T": 0.3, "rho0": 1 / 9}, 0, TIMES)], system=ActiveIsing((3, 3), D=0.1))


@pytest.mark.parametrize("temperature", [1e-3, 1e6])
def test_extreme_temperatures(temperature):
    point = {"T": temperature, "rho0": 3.0}
    for algorithm in ("event_driven", "sublattice"):
        SYSTEM.check(sample(algorithm, [Lane(point, 0, TIMES)], start="random"), point)


@njit
def first_jump(counts, age, bits, rate, share, key, words):
    """The chain after trial 1 of the batch ``words``, whose next trials lie in ``words`` too."""
    return advance(counts, age, 0.0, 1.0, bits, rate, share, np.array([1], np.uint64), key, words)


@pytest.mark.parametrize("temperature", [0.2, 0.47, 2.0])
@pytest.mark.parametrize("occupation", [1, 5])
@pytest.mark.parametrize("aligned", ["plus", "minus"])
@pytest.mark.parametrize("word", [0, 2**32 - 1])
def test_an_aligned_site_flips_a_particle_that_it_has(temperature, occupation, aligned, word):
    """Once in 2^32 flips the deciding word is the largest there is: certainty must hold even then."""
    rates = FlipRates.at(temperature, 4)
    words = np.full((FLIP_BATCH, 4), 2**32 - 1, np.uint32)  # of the later trials: no further jump
    words[0, 2:] = 0, word  # the first jump comes at once, and ``word`` decides what flips
    counts = np.uint64(occupation if aligned == "plus" else occupation << 16)
    age = np.uint64(max(1, round(0.01 / rates.rate.max())))
    key = rng.stream_key(0, 0, 0, rng.FLIPS)
    after = int(first_jump(counts, age, np.uint64(rates.bits), rates.rate, rates.plus, key, words))
    flipped = (occupation - 1, 1) if aligned == "plus" else (1, occupation - 1)
    assert (after & 0xFFFF, after >> 16) == flipped


@pytest.mark.parametrize(
    ("algorithm", "trajectories", "expected"),
    [
        ("auto", THREADS_TO_FILL, "random_sequential"),
        ("auto", THREADS_TO_FILL - 1, "sublattice"),
        ("exact", 1, "random_sequential"),
    ],
)
def test_a_gpu_that_replicas_fill_gets_the_exact_algorithm(monkeypatch, algorithm, trajectories, expected):
    gpu = Cpu()
    gpu.name = "cuda"
    monkeypatch.setattr("lattice_ml.systems.active_ising.sampler.open_device", lambda name: gpu)
    sampler = ActiveIsingSampler(algorithm, "cuda", trajectories=trajectories)
    point = {"T": 0.6, "rho0": 3.0}
    assert sampler.settings(point)["algorithm"] == expected
    system = ActiveIsing((81, 81))
    assert sampler.lanes_at_once(system, point, 1) == THREADS_TO_FILL // (33 if expected == "sublattice" else 1)
    vast = ActiveIsing((2000, 2000))  # half a gigabyte a lattice with ten read-outs
    assert sampler.lanes_at_once(vast, point, 10) < 50


def test_a_default_is_not_taken_beyond_what_was_measured(monkeypatch):
    gpu = Cpu()
    gpu.name = "cuda"
    monkeypatch.setattr("lattice_ml.systems.active_ising.sampler.open_device", lambda name: gpu)
    fast, point = ActiveIsing((9, 9), D=4.0), {"T": 0.6, "rho0": 3.0}
    with pytest.raises(UserError, match=r"not known for D dt = 0\.125"):
        ActiveIsingSampler("auto", "cuda").validate(fast, point, (4.0,))
    ActiveIsingSampler("sublattice", "cuda").validate(fast, point, (4.0,))  # asked for
    ActiveIsingSampler("auto", "cuda", window=1 / 128).validate(fast, point, (4.0,))


@pytest.mark.parametrize("algorithm", ["auto", "exact"])
def test_a_cpu_gets_an_exact_algorithm(algorithm):
    settings = ActiveIsingSampler(algorithm, "cpu", trajectories=1).settings({"T": 0.3, "rho0": 3.0})
    assert settings["algorithm"] == "event_driven"
