"""The floor and the spread of noise eigenvalues, on counted particles of known means."""

import numpy as np
import pytest

from lattice_ml.phases.shot_noise import noise_edges, noise_spectrum, short_waves, structure_factor
from lattice_ml.phases.spectrum import spectrum

DENSITY = 3.0


def counted(count, width, height, seed=0):
    """Magnetisations of independent particles that drift with a wave of random place: the profile varies, the mean
    density does not."""
    rng = np.random.default_rng(seed)
    x = 2 * np.pi * np.arange(width) / width
    wave = 0.9 * np.cos(x + rng.uniform(0, 2 * np.pi, (count, 1)))
    plus, minus = (DENSITY / 2 * (1 + sign * wave) for sign in (1, -1))
    return np.repeat(plus[:, :, None], height, 2), np.repeat(minus[:, :, None], height, 2), rng


@pytest.mark.parametrize("count", [300, 900])
def test_counted_particles_raise_every_eigenvalue_by_their_density(count):
    width, height = 20, 24
    plus, minus, rng = counted(count, width, height)
    matrix = (rng.poisson(plus) - rng.poisson(minus)).reshape(count, -1).astype(np.float32)
    found = spectrum(matrix)
    sites = width * height
    # Two components carry the wave, DENSITY² 0.81 sites / 4 each (a cosine of random phase, amplitude 0.9 DENSITY).
    signal = DENSITY**2 * 0.81 * sites / 4
    assert found[:2].mean() == pytest.approx(signal + DENSITY, rel=5 / np.sqrt(count))
    # All of the rest is noise, but for what the two leading components carry away: 2 (1 + gamma) of gamma n = sites.
    assert found[2:].sum() / sites == pytest.approx(DENSITY, rel=0.02)
    expected = noise_spectrum(DENSITY, count, sites)
    rest = found[2:]
    np.testing.assert_allclose(rest[:200], expected[: len(rest)][:200], rtol=0.06)
    assert rest[0] == pytest.approx(noise_edges(DENSITY, count, sites)[1], rel=0.06)  # Tracy and Widom: n^(-2/3)


@pytest.mark.parametrize(("samples", "sites"), [(4050, 6561), (300, 100), (200, 200)])
def test_the_expected_spectrum_lies_within_its_edges_and_keeps_the_trace(samples, sites):
    found = noise_spectrum(2.5, samples, sites)
    low, high = noise_edges(2.5, samples, sites)
    assert len(found) == min(samples, sites)
    assert np.all(np.diff(found) <= 0)
    assert low - 1e-9 <= found[-1]
    assert found[0] <= high + 1e-9
    assert found.sum() == pytest.approx(2.5 * sites, rel=2e-3)


def test_the_structure_factor_of_poisson_noise_is_its_density():
    rng = np.random.default_rng(3)
    plus, minus = rng.poisson(DENSITY / 2, (2, 200, 12, 15))
    found = structure_factor((plus - minus).astype(np.float32))
    short = short_waves((12, 15))
    assert found.shape == short.shape == (12, 15)
    # An exponential variable at every independent wave: its mean over w waves and n configurations within five errors.
    assert found[short].mean() == pytest.approx(DENSITY, rel=5 / np.sqrt(200 * short.sum() / 2))
