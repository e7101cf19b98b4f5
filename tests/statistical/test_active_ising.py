"""The Active Ising samplers against exact laws, against each other, and against reference values.

Errors are blocked over replicas, which are independent. Tolerances are 4 standard errors (4.5 where some twenty
numbers are compared at once), seeds are fixed.
"""

from math import comb

import numpy as np
import pytest
from numba import njit

from lattice_ml.kernels import rng
from lattice_ml.kernels.lattice import mirror
from lattice_ml.systems.active_ising.flip_chain import LOW16, TICKS, FlipRates, advance, flip_batch
from lattice_ml.systems.active_ising.physics import ActiveIsing
from lattice_ml.systems.active_ising.sampler import ActiveIsingSampler
from lattice_ml.systems.sampler import Lane

pytestmark = pytest.mark.statistical

WHOLE = "one domain as large as the torus"
EXACT = ("event_driven", "random_sequential", WHOLE)


def no_tick(work):
    pass


def sampler_of(algorithm):
    if algorithm == WHOLE:
        return ActiveIsingSampler("sublattice", "cpu", domain=(1000, 1000), window=0.5)
    return ActiveIsingSampler(algorithm, "cpu")


def sample(algorithm, system, point, replicas, times, start="band", seed=3):
    lanes = [Lane(point, replica, times) for replica in range(replicas)]
    return sampler_of(algorithm).sample(system, lanes, seed, start, no_tick)


def advanced(algorithm, system, point, counts, time):
    """Every state of ``counts`` ``[replica, species, x, y]`` a time later."""
    lanes = [Lane(point, replica, ()) for replica in range(len(counts))]
    name = "sublattice" if algorithm == WHOLE else algorithm
    trajectories = sampler_of(algorithm)._trajectories(name, system, lanes, 1, counts)
    trajectories.advance([time] * len(lanes), no_tick)
    return trajectories.counts()


def mean_and_error(values):
    """Mean over replicas (the first axis) and its standard error; other axes are averaged within a replica."""
    blocks = values.reshape(values.shape[0], -1).mean(axis=1)
    return blocks.mean(), blocks.std(ddof=1) / np.sqrt(blocks.size)


def assert_equal_within(values, expected, sigmas=4.0):
    mean, error = mean_and_error(np.asarray(values, dtype=np.float64))
    assert abs(mean - expected) < sigmas * error, (mean, error, expected)


def assert_same_mean(one, other, what, sigmas=4.5):
    (a, da), (b, db) = mean_and_error(one), mean_and_error(other)
    assert abs(a - b) < sigmas * np.hypot(da, db), (what, a, da, b, db)


# --- the flip chain of one site ---


@njit
def follow_chain(counts, age, readings, bits, rate, share, key, head):
    """n+ of an isolated site every ``age`` ticks; ``head``: its first trials have 16 bits in hand, as a hop has."""
    trials = np.zeros(1, np.uint64)
    words = flip_batch(key, trials)
    plus = np.empty(readings, np.int64)
    state = np.uint64(12345)
    for n in range(readings):
        lead, scale = 0.0, 1.0
        if head:
            state = state * np.uint64(6364136223846793005) + np.uint64(1442695040888963407)
            lead, scale = np.float64(np.int64(state >> np.uint64(48))), 2.0**-16
        counts = advance(counts, age, lead, scale, bits, rate, share, trials, key, words)
        plus[n] = np.int64(counts & LOW16)
    return plus


@pytest.mark.parametrize(("rho", "temperature", "age"), [(1, 0.5, 3.0), (3, 0.9, 2.0), (6, 0.7, 3.5), (9, 1.5, 3.0)])
@pytest.mark.parametrize("head", [False, True])
def test_isolated_site_is_stationary(rho, temperature, age, head):
    """P(n+ | rho) ∝ C(rho, n+) exp(beta m² / (2 rho)), every n+ within its error over 100 blocks of readings."""
    rates = FlipRates.at(temperature, 4)
    key = rng.stream_key(1, rho, 0, rng.FLIPS)
    readings = 200_000
    plus = follow_chain(
        np.uint64(rho), np.uint64(age * TICKS), readings, np.uint64(rates.bits), rates.rate, rates.plus, key, head
    )
    m = 2 * np.arange(rho + 1) - rho
    weight = np.array([comb(rho, n) for n in range(rho + 1)]) * np.exp(m**2 / (2 * rho * temperature))
    shares = np.stack([np.bincount(block, minlength=rho + 1) for block in plus.reshape(100, -1)]) / (readings // 100)
    for n, expected in enumerate(weight / weight.sum()):
        assert_equal_within(shares[:, n], expected, 4.5)


@pytest.mark.parametrize("age", [0.01, 0.3, 2.0])
def test_relaxation_of_one_particle(age):
    """One particle flips at rate g = exp(-beta) both ways: it has turned after t with (1 - exp(-2 g t)) / 2."""
    temperature, readings = 0.8, 200_000
    rates = FlipRates.at(temperature, 3)
    plus = follow_chain(
        np.uint64(1), np.uint64(round(age * TICKS)), readings, np.uint64(rates.bits), rates.rate, rates.plus,
        rng.stream_key(1, 2, 3, rng.FLIPS), True,
    )  # fmt: skip
    turned = np.abs(np.diff(plus))
    expected = (1 - np.exp(-2 * np.exp(-1 / temperature) * age)) / 2
    assert abs(turned.mean() - expected) < 4 * np.sqrt(expected * (1 - expected) / turned.size)


# --- limits in which particles are independent ---


@pytest.mark.parametrize("algorithm", EXACT)
@pytest.mark.parametrize("eps", [0.9, -0.5])
@pytest.mark.parametrize("axis", [0, 1])
def test_drift_and_diffusion_of_aligned_particles(algorithm, eps, axis):
    """At T -> 0 aligned particles never flip: <x> = 2 D eps t, <y> = 0, and the variance of either is 2 D t."""
    hop_rate, time, number = 1.3, 4.0, 81 * 80
    system, point = ActiveIsing((81, 81), D=hop_rate, eps=eps), {"T": 0.1, "rho0": number / 81**2}
    counts = np.zeros((1, 2, 81, 81), dtype=np.uint16)
    np.moveaxis(counts[0], 1 + axis, 1)[0, 40] = number // 81  # a line across the axis
    plus, minus = advanced(algorithm, system, point, counts, time)[0].astype(np.float64)
    assert minus.sum() < 5 * number * time * np.exp(-10)
    profile, steps = plus.sum(axis=1 - axis), np.arange(81) - 40
    drift, variance = (2 * hop_rate * eps * time, 0.0)[axis], 2 * hop_rate * time
    mean = (profile * steps).sum() / profile.sum()
    spread = (profile * (steps - mean) ** 2).sum() / profile.sum()
    assert abs(mean - drift) < 4 * np.sqrt(variance / number)
    # A difference of two Poisson variates: Var(s²) = (2 sigma⁴ + sigma²) / N.
    assert abs(spread - variance) < 4 * np.sqrt((2 * variance**2 + variance) / number)


@pytest.mark.parametrize("algorithm", EXACT)
def test_one_particle_runs_and_tumbles(algorithm):
    """A lone particle that starts as +: <x> = v (1 - exp(-2 g t)) / (2 g) with g = exp(-beta), v = 2 D eps."""
    system, temperature, time = ActiveIsing((41, 5)), 1.2, 1.5
    point = {"T": temperature, "rho0": 1 / system.volume}
    counts = np.zeros((2000, 2, 41, 5), dtype=np.uint16)
    counts[:, 0, 20, 2] = 1
    _, spin, x, _ = np.nonzero(advanced(algorithm, system, point, counts, time))
    steps, spins = x - 20, 1 - 2 * spin
    g = np.exp(-1 / temperature)
    decay = np.exp(-2 * g * time)
    assert_equal_within(steps, 1.8 * (1 - decay) / (2 * g))
    assert_equal_within(spins, decay)
    # <x(t) s(t)> of a telegraph process that starts with spin 1: v ∫ exp(-2 g (t - u)) du, the same number.
    assert_equal_within(steps * spins, 1.8 * (1 - decay) / (2 * g))


@pytest.mark.parametrize("algorithm", EXACT)
def test_infinite_temperature_is_a_gas_of_independent_walkers(algorithm):
    """N independent particles on 2 V cells (site, spin) are multinomial: mean, variance and covariance of n±."""
    system, point = ActiveIsing((27, 9)), {"T": 1e9, "rho0": 3.0}
    states = sample(algorithm, system, point, 60, tuple(float(t) for t in range(60, 260, 10))).astype(np.float64)
    number, cells = system.particles(point), 2 * system.volume
    cell = number / cells
    assert_equal_within((states - cell) ** 2, cell * (1 - 1 / cells))
    assert_equal_within((states[:, :, 0] - cell) * (states[:, :, 1] - cell), -number / cells**2)
    beside = np.roll(states, 1, axis=-2)
    assert_equal_within((states - cell) * (beside - cell), -number / cells**2)
    # P(n = 0) of a binomial variate, and the magnetisation's variance.
    assert_equal_within(states == 0, (1 - 1 / cells) ** number)
    magnetisation = system.observables(states.astype(np.uint16))["magnetisation"]
    assert_equal_within(magnetisation, 0.0)
    assert_equal_within(magnetisation**2, 1 / number)


@pytest.mark.parametrize("algorithm", EXACT)
def test_low_temperature_is_ordered(algorithm):
    system, point = ActiveIsing((27, 9)), {"T": 0.12, "rho0": 3.0}
    states = sample(algorithm, system, point, 2, (20.0, 30.0), start="ordered")
    order = system.observables(states)["order"]
    assert np.all(order > 1 - 0.005)  # exp(-1/0.12) = 0.0002, and a minority particle is soon turned back


# --- symmetry, and one sampler against the other ---


def local_observables(system, states):
    """Equal-time observables that see more than the global ones: local alignment, fluctuations, the band's front."""
    counts = states.astype(np.float64)
    m, rho = counts[..., 0, :, :] - counts[..., 1, :, :], counts.sum(axis=-3)
    number = rho.sum(axis=(-2, -1))
    right, up = np.roll(rho, -1, axis=-2), np.roll(rho, -1, axis=-1)
    local = {
        "m_squared": (m**2).sum(axis=(-2, -1)) / number,
        "rho_squared": (rho**2).sum(axis=(-2, -1)) / number,
        "rho_right": (rho * right).sum(axis=(-2, -1)) / number,
        "rho_up": (rho * up).sum(axis=(-2, -1)) / number,
        "front": (m * (right - np.roll(rho, 1, axis=-2))).sum(axis=(-2, -1)) / number,
        "empty": (rho == 0).mean(axis=(-2, -1)),
    }
    return local | {k: v for k, v in system.observables(states).items() if k != "magnetisation"}


@pytest.mark.parametrize("algorithm", EXACT)
def test_spin_flip_with_mirror_is_a_symmetry(algorithm):
    system, point = ActiveIsing((27, 9)), {"T": 0.5, "rho0": 3.0}
    states = sample(algorithm, system, point, 400, (12.0,))[:, 0]
    sign = system.observables(states)["magnetisation"] > 0
    image = mirror(states[~sign])[:, ::-1]
    plus, minus = local_observables(system, states[sign]), local_observables(system, image)
    for name, values in plus.items():
        assert_same_mean(values, minus[name], name)
    assert_equal_within(sign, 0.5)
    mean, error = mean_and_error(plus["front"])
    assert abs(mean) > 4 * error  # the mirror alone is no symmetry: the test would see a wrong image


@pytest.mark.parametrize("temperature", [0.3, 0.45, 0.55, 0.9])
def test_exact_samplers_agree_at_equal_times(temperature):
    system, point = ActiveIsing((27, 9)), {"T": temperature, "rho0": 3.0}
    times = (1.5, 8.0)
    one, *others = (sample(algorithm, system, point, 400, times) for algorithm in EXACT)
    for other, algorithm in zip(others, EXACT[1:], strict=True):
        for n, time in enumerate(times):
            mine, theirs = local_observables(system, one[:, n]), local_observables(system, other[:, n])
            for name, values in mine.items():
                assert_same_mean(values, theirs[name], f"{name} at {time} of {algorithm}")


def test_the_bias_of_small_domains_is_seen_and_vanishes_with_the_window():
    """Single sites that run for half a unit of time spread the counts; at dt = 1/32 nothing is left to see."""
    system, point = ActiveIsing((27, 9)), {"T": 0.9, "rho0": 3.0}
    lanes = [Lane(point, replica, (10.0, 20.0)) for replica in range(300)]
    exact = sample("event_driven", system, point, 300, (10.0, 20.0))
    spread = {0.5: None, 0.03125: None}
    for window in spread:
        sampler = ActiveIsingSampler("sublattice", "cpu", domain=(1, 1) if window == 0.5 else (9, 9), window=window)
        states = sampler.sample(system, lanes, 4, "band", no_tick)
        spread[window] = states.sum(axis=2, dtype=np.int64).astype(float) ** 2
    (a, da), (b, db) = mean_and_error(spread[0.5]), mean_and_error(exact.sum(axis=2).astype(float) ** 2)
    assert a - b > 20 * np.hypot(da, db)
    assert_same_mean(spread[0.03125], exact.sum(axis=2).astype(float) ** 2, "rho²", 4.0)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("algorithm", "temperature", "observable", "reference", "uncertainty", "waiting", "spacing"),
    [
        ("event_driven", 0.3, "order", 0.97662, 0.00003, 1500, 100),
        ("event_driven", 0.5, "order", 0.7176, 0.0003, 1500, 100),
        ("random_sequential", 0.5, "order", 0.7176, 0.0003, 1500, 100),
        ("event_driven", 0.9, "minority", 0.2458, 0.0001, 200, 20),
        ("random_sequential", 0.9, "minority", 0.2458, 0.0001, 200, 20),
    ],
)
def test_reference_values(algorithm, temperature, observable, reference, uncertainty, waiting, spacing):
    """L = 81, rho0 = 3: values measured for this project with independent programs."""
    system, point = ActiveIsing((81, 81)), {"T": temperature, "rho0": 3.0}
    states = sample(algorithm, system, point, 6, tuple(float(waiting + n * spacing) for n in range(20)))
    values = system.observables(states)
    mean, error = mean_and_error(values[observable])
    assert abs(mean - reference) < 4 * np.hypot(error, uncertainty), (mean, error)
