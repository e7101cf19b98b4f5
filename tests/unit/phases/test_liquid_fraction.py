"""The liquid fraction of planted bands, and what the leading modes see of it."""

import numpy as np
import pytest

from lattice_ml.phases.liquid_fraction import (
    band_magnetisation,
    find_levels,
    half,
    liquid_fraction,
    mode_amplitude,
    summit,
)

LENGTH, WIDTH = 80, 60


def bands(fraction, count=20, gas=1.0, liquid=5.0, seed=0):
    """y-averaged densities [n, x] and magnetisations of Poisson particles in a band anywhere."""
    rng = np.random.default_rng(seed)
    inside = (np.arange(LENGTH) - rng.integers(LENGTH, size=(count, 1))) % LENGTH < round(fraction * LENGTH)
    density = rng.poisson(np.where(inside, liquid, gas) * WIDTH) / WIDTH
    return density, np.where(inside, 0.8 * density, 0.0), inside


@pytest.mark.parametrize("fraction", [0.1, 0.5, 0.85])
def test_planted_plateaus_and_fractions_are_found(fraction):
    density, magnetisation, inside = bands(fraction)
    found = find_levels(density)
    assert found is not None
    # Medians of Poisson means: standard error below sqrt(5 / WIDTH / 160).
    assert found.gas == pytest.approx(1.0, abs=0.1)
    assert found.liquid == pytest.approx(5.0, abs=0.15)
    np.testing.assert_allclose(liquid_fraction(density, found.threshold), inside.mean(axis=1))
    assert band_magnetisation(magnetisation, density, found.threshold) == pytest.approx(4.0, abs=0.1)


def test_one_phase_alone_has_no_plateaus():
    assert find_levels(np.random.default_rng(0).poisson(3.0 * WIDTH, (20, LENGTH)) / WIDTH) is None
    assert find_levels(np.full((3, LENGTH), 2.0)) is None


@pytest.mark.parametrize("fraction", [0.25, 0.5, 0.75])
def test_the_mode_amplitude_is_that_of_a_box(fraction):
    field = np.zeros((LENGTH, WIDTH))
    field[: round(fraction * LENGTH)] = 2.0
    wave = np.exp(2j * np.pi * np.arange(LENGTH) / LENGTH) * np.sqrt(2 / (LENGTH * WIDTH))
    exact = abs((field * wave[:, None]).sum())
    found = mode_amplitude(np.array([fraction]), np.array([2.0]), (LENGTH, WIDTH))[0]
    assert found == pytest.approx(exact, rel=1e-3)  # a sum over sites for the integral


def test_the_half_and_the_summit_of_curves():
    T = np.linspace(0.3, 0.7, 41)
    assert half(T, 1 - (T - 0.3) / 0.4) == pytest.approx(0.5)
    assert np.isnan(half(T, np.full(41, np.nan)))
    assert summit(T, 5 - (T - 0.437) ** 2 * 100) == pytest.approx(0.437)
    assert np.isnan(summit(T, T))
