"""Bands of known fraction along a scan: what the leading modes say, and with which error."""

import numpy as np
import pytest

from lattice_ml.phases.liquid_fraction import mode_amplitude
from lattice_ml.phases.mode_curves import measure_band, read_with_errors

LENGTH, HEIGHT, REPLICAS, SAMPLES = 60, 40, 4, 5
T = np.round(np.linspace(0.40, 0.60, 21), 10)
FRACTION = 0.8 - 3.0 * (T - 0.40)  # one half at T = 0.5
LIQUID = 3.0 + 6.0 * (T - 0.40)  # grows with T


def flock(seed=0):
    """y-averaged m and rho ``[T, replica, sample, x]`` of Poisson particles, all polarised in the band alone."""
    rng = np.random.default_rng(seed)
    shape = (len(T), REPLICAS, SAMPLES)
    front = rng.integers(LENGTH, size=(*shape, 1))
    inside = (np.arange(LENGTH) - front) % LENGTH < np.round(FRACTION * LENGTH)[:, None, None, None]
    density = rng.poisson(np.where(inside, LIQUID[:, None, None, None], 0.5) * HEIGHT) / HEIGHT
    return np.where(inside, density, 0.0), density


def test_the_summit_is_below_half_and_where_a_box_of_the_same_band_has_its():
    magnetisation, density = flock()
    band = measure_band(magnetisation, density)
    np.testing.assert_allclose(band.fraction.mean(axis=1), np.round(FRACTION * LENGTH) / LENGTH, atol=1e-9)
    np.testing.assert_allclose(band.liquid, LIQUID, rtol=0.03)
    wave = np.exp(-2j * np.pi * np.arange(LENGTH) / LENGTH) * np.sqrt(2 * HEIGHT / LENGTH)
    amplitude = np.abs(magnetisation @ wave).mean(axis=2)
    value, error = read_with_errors(T, amplitude, band, (LENGTH, HEIGHT))
    exact = mode_amplitude(FRACTION, LIQUID, (LENGTH, HEIGHT))
    assert value.half == pytest.approx(0.5, abs=0.005)
    assert value.summit == pytest.approx(T[exact.argmax()], abs=0.01)
    assert value.box == pytest.approx(value.summit, abs=0.01)
    assert value.fraction < 0.5
    assert value.shift == pytest.approx(value.summit - value.half)
    assert 0 < error.summit < 0.01
    np.testing.assert_allclose(band.lever(3.0), (3.0 - band.gas) / (band.liquid - band.gas))


def test_no_band_no_fraction():
    density = np.random.default_rng(0).poisson(3.0 * HEIGHT, (3, 2, 4, LENGTH)) / HEIGHT
    band = measure_band(density, density)
    assert np.isnan(band.fraction).all()
    value, error = read_with_errors(T[:3], np.ones((3, 2)), band, (LENGTH, HEIGHT))
    assert np.isnan(value.half)
    assert np.isnan(error.shift)
