"""Bands from planted profiles."""

import numpy as np
import pytest

from lattice_ml.phases.plateaus import centre, centred, find_plateaus, fit_steps, steps

LENGTH = 400


def planted(low, high, start, width, noise=0.0, seed=0):
    """A band of sharp edges from ``start`` on, round the torus, with the Poisson noise of ``noise`` sites along y."""
    x = np.arange(LENGTH)
    rho = np.where((x - start) % LENGTH < width, high, low).astype(float)
    return np.random.default_rng(seed).poisson(rho * noise) / noise if noise else rho


@pytest.mark.parametrize("start", [0, 30, 333])
def test_centre_of_a_band_wherever_it_stands(start):
    rho = planted(1.0, 5.0, start, 101)
    assert centre(rho) == pytest.approx((start + 50) % LENGTH, abs=1e-6)
    middle = centred(rho, float(centre(rho)))
    assert middle[LENGTH // 2 - 50 : LENGTH // 2 + 51].tolist() == [5.0] * 101


def test_centre_of_a_batch_is_that_of_each():
    rho = np.stack([planted(1.0, 5.0, start, 51) for start in (0, 100)])
    assert centre(rho) == pytest.approx([25, 125], abs=1e-6)


def test_steps_are_found_again():
    x = np.arange(LENGTH)
    rho = steps(x, 0.8, 4.6, 120.0, 282.0, 12.0, 4.0)
    rho = np.roll(rho, 77)
    fit = fit_steps(rho)
    assert fit is not None
    assert (fit.low, fit.high) == pytest.approx((0.8, 4.6), rel=1e-6)
    assert fit.width == pytest.approx(162.0, abs=1e-4)
    assert (fit.left_width, fit.right_width) == pytest.approx((12.0, 4.0), rel=1e-4)


def test_plateaus_of_a_noisy_band_are_within_their_poisson_errors():
    height, low, high, width = 32, 0.74, 4.57, 200
    found = np.array([find_plateaus(planted(low, high, 37 * s, width, height, s)) for s in range(40)])
    # Each plateau averages (200 - 60) columns of 32 sites; the mean of 40 is known 40 times better in variance.
    error = np.sqrt(np.array([low, high]) / (140 * height * 40))
    assert np.all(np.abs(found.mean(axis=0) - (low, high)) < 4 * error)


def test_long_tails_do_not_move_the_plateaus():
    # The rear edge decays exponentially into the gas over 8 sites, as a travelling band's does.
    x = np.arange(LENGTH)
    rho = planted(1.0, 5.0, 100, 200)
    rho[:100] += 4.0 * np.exp((x[:100] - 100) / 8.0)
    found = find_plateaus(rho)
    assert found is not None
    # Sites 30 and more from an edge feel exp(-30 / 8) = 2 % of the step at most, on average over the gas a tenth of it.
    assert found.low == pytest.approx(1.0, abs=0.02)
    assert found.high == pytest.approx(5.0, abs=1e-9)


def test_a_homogeneous_profile_has_no_band():
    rho = np.random.default_rng(3).poisson(3.0 * 32, LENGTH) / 32
    assert find_plateaus(rho) is None
    assert find_plateaus(np.full(LENGTH, 3.0)) is None
    assert find_plateaus(np.zeros(LENGTH)) is None


def test_a_band_too_narrow_for_a_plateau_has_steps_and_no_plateaus():
    rho = planted(1.0, 5.0, 100, 60, noise=32)
    fit = fit_steps(rho)
    assert fit is not None
    assert fit.width == pytest.approx(60, abs=2)
    assert find_plateaus(rho) is None


def test_a_profile_that_rises_all_the_way_has_no_plateau():
    # A rear edge as of a cold band that has not relaxed: steps are found, plateaus are not.
    x = np.arange(LENGTH)
    rho = np.where((x > 20) & (x < 360), 1.3 + 0.7 * (x - 20) / 340, 0.2)
    assert find_plateaus(rho) is None
