"""What |m| and the energy of the Ising model tell of its temperature: exactly, on a torus whose states can be
counted."""

import itertools

import numpy as np
import pytest

from lattice_ml.explain.information import mutual_information
from lattice_ml.systems.ising.physics import Ising

TEMPERATURES = (1.5, 2.0, 2.5, 3.0, 3.5)


def enumerated() -> tuple[np.ndarray, np.ndarray]:
    """|m| and E of all 2^9 states of a 3 × 3 torus."""
    spins = np.array(list(itertools.product((0, 1), repeat=9)), dtype=np.uint16).reshape(-1, 1, 3, 3)
    found = Ising((3, 3)).observables(spins)
    return found["order"], np.rint(found["energy"] * 9)


def exact(values: np.ndarray, energy: np.ndarray) -> float:
    """I(T; value) in nats, temperatures equally probable, from the Boltzmann weights."""
    weights = np.exp(-energy / np.array(TEMPERATURES)[:, None])
    weights /= weights.sum(axis=1, keepdims=True)
    _, number = np.unique(np.round(values, 9), return_inverse=True)
    law = np.stack([np.bincount(number, own) for own in weights]) / len(TEMPERATURES)
    marginal = law.sum(axis=0) / len(TEMPERATURES)
    return float(np.sum(law * np.log(np.divide(law, marginal, out=np.ones_like(law), where=law > 0))))


@pytest.mark.statistical
@pytest.mark.parametrize("what", ["order", "energy"])
def test_discrete_information_is_that_of_the_boltzmann_weights(what: str) -> None:
    """4,000 independent draws: within four jackknife errors of the exact value, by both methods."""
    order, energy = enumerated()
    values = order if what == "order" else energy
    rng = np.random.default_rng(11)
    T = rng.choice(TEMPERATURES, 4000)
    drawn = np.empty(4000)
    for temperature in TEMPERATURES:
        weights = np.exp(-energy / temperature)
        rows = temperature == T
        drawn[rows] = values[rng.choice(len(values), rows.sum(), p=weights / weights.sum())]
    truth = exact(values, energy)
    assert truth > 0.02
    for method in ("gmm", "ksg"):
        found = mutual_information(T, drawn, method)
        assert abs(found.value - truth) < 4 * found.error, (method, found, truth)


@pytest.mark.statistical
@pytest.mark.slow
def test_a_sampled_lattice_agrees_with_the_histogram() -> None:
    """The energy of 32 × 32 spins takes hundreds of values: nearest neighbours and mixtures against counted bins.

    24 bins of equal occupation and 6 temperatures: the histogram's bias, (24 - 1)(6 - 1) / 2n, is taken off.
    """
    from lattice_ml.systems.ising.sampler import IsingSampler
    from lattice_ml.systems.sampler import Lane

    system, temperatures = Ising((32, 32)), (1.8, 2.1, 2.3, 2.5, 2.8, 3.2)
    times = [float(t) for t in range(300, 300 + 25 * 50, 50)]
    lanes = [Lane({"T": T}, replica, times) for T in temperatures for replica in range(8)]
    states = np.concatenate([IsingSampler().sample(system, [lane], 0, "random", lambda _: None) for lane in lanes])
    energy = system.observables(states)["energy"].reshape(-1)
    T = np.repeat(temperatures, 8 * len(times))
    groups = np.repeat(np.arange(len(lanes)), len(times))
    edges = np.quantile(energy, np.linspace(0, 1, 25)[1:-1])
    counts = np.zeros((len(temperatures), 24))
    np.add.at(counts, (np.searchsorted(temperatures, T), np.searchsorted(edges, energy)), 1)
    law = counts / counts.sum()
    product = law.sum(axis=0) * law.sum(axis=1)[:, None]
    histogram = float(np.sum(law * np.log(np.divide(law, product, out=np.ones_like(law), where=law > 0))))
    histogram -= 23 * 5 / (2 * len(energy))
    for method in ("gmm", "ksg"):
        found = mutual_information(T, energy, method, groups)
        # Bins lose a little of what a continuous estimate keeps: at most 0.05 nat with 24 of them here.
        assert -4 * found.error < found.value - histogram < 4 * found.error + 0.05, (method, found, histogram)
