"""The checkerboard sweep of the Ising model does what it says."""

import numpy as np
import pytest

from lattice_ml.kernels import rng
from lattice_ml.kernels.device import Cpu
from lattice_ml.kernels.lattice import neighbours
from lattice_ml.systems.ising.checkerboard import Checkerboard, colour_lists, thresholds
from lattice_ml.systems.ising.physics import Ising
from lattice_ml.systems.ising.sampler import IsingSampler
from lattice_ml.systems.ising.start import start_state
from lattice_ml.systems.sampler import Lane

TORI = [(4, 6), (9, 6), (5, 7), (3, 3), (3, 130), (33, 4)]


def no_tick(work):
    pass


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
    assert np.array_equal(IsingSampler("cpu").sample(system, [lane], seed, "random", no_tick)[0, 0, 0].ravel(), spins)
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
    cold = IsingSampler("cpu").sample(system, [Lane({"T": 0.1}, r, (20,)) for r in range(4)], 5, "ordered", no_tick)
    assert set(system.observables(cold)["order"].ravel()) == {1.0}


def test_a_cold_lattice_turns_a_lone_spin_back():
    system, lane = Ising((8, 7)), Lane({"T": 0.2}, 0, (1,))
    up = np.ones((1, 8, 7), np.uint8)
    up[0, 3, 2] = up[0, 0, 6] = up[0, 7, 3] = 0
    trajectory = Checkerboard(system, [lane], 1, up, Cpu())
    trajectory.advance([1], no_tick)
    assert trajectory.up.all()
    assert trajectory.changed() == [3]
