"""Planted bands that travel, and what they are found to do."""

import numpy as np
import pytest

from lattice_ml.phases.band import (
    along_drift,
    band_share,
    channel_profiles,
    lever_rule,
    mean_and_error,
    mean_profile,
    speed,
    travel,
)
from lattice_ml.systems.active_ising.physics import ActiveIsing

LENGTH, WIDTH = 200, 101  # odd: its centre is a site
LOW, HIGH, POLARISATION, DRIFT = 1.0, 5.0, 0.8, 1.8
SPEED = DRIFT * POLARISATION * HIGH / (HIGH - LOW)
"""What continuity asks of a band of these plateaus, in a gas without magnetisation."""


def planted(times, sign=1, noise=0, seed=0):
    """Density and magnetisation ``[time, x]`` of a band that travels at SPEED in the direction of its sign."""
    rng = np.random.default_rng(seed)
    rho, m = np.empty((2, len(times), LENGTH))
    for t, time in enumerate(times):
        inside = (np.arange(LENGTH) - round(sign * SPEED * time)) % LENGTH < WIDTH
        rho[t] = np.where(inside, HIGH, LOW)
        if noise:
            rho[t] = rng.poisson(rho[t] * noise) / noise
        m[t] = np.where(inside, sign * POLARISATION * HIGH, 0.0)
    return rho, m


@pytest.mark.parametrize("velocity", [2.3, -0.7, 0.0])
def test_speed_round_the_torus(velocity):
    times = np.arange(0, 400, 4.0)
    assert speed((11 + velocity * times) % LENGTH, times, LENGTH) == pytest.approx(velocity, abs=1e-12)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_travelling_band_obeys_continuity(sign):
    times = np.arange(0, 200, 4.0)
    rho, m = planted(times, sign, noise=32)
    found = travel(rho[None], m[None], times)
    # Positions are whole sites and noisy to about one: the slope over T of n points is known to 1 sqrt(12 / n) / T.
    assert found.speed[0] == pytest.approx(SPEED, abs=4 * np.sqrt(12 / len(times)) / times[-1])
    # 40 columns of 32 sites in each plateau, 50 times.
    assert found.low[0] == pytest.approx(LOW, abs=4 * np.sqrt(LOW / (40 * 32 * 50)))
    assert found.high[0] == pytest.approx(HIGH, abs=4 * np.sqrt(HIGH / (40 * 32 * 50)))
    assert found.predicted(DRIFT)[0] == pytest.approx(SPEED, rel=0.01)


def test_without_a_band_there_are_no_plateaus():
    flat = np.full((1, 3, LENGTH), 3.0)
    found = travel(flat, 0 * flat, np.arange(3.0))
    assert np.isnan(found.high).all()
    assert mean_and_error(found.predicted(DRIFT)) == {"value": None, "error": None, "n": 0}


def test_a_band_to_the_left_is_the_mirror_image_of_one_to_the_right():
    right, left = planted([0.0], 1), planted([0.0], -1)
    rho, m = along_drift(*left)
    assert m.sum() == pytest.approx(right[1].sum())
    assert rho.tolist() == right[0][..., ::-1].tolist()


def test_profiles_laid_over_each_other_keep_their_edges():
    rho, m = planted(np.arange(0, 100, 7.0), -1)
    profile, error = mean_profile(rho, m)
    assert sorted(set(profile[0].round(9))) == [LOW, HIGH]
    assert profile[1].max() == pytest.approx(POLARISATION * HIGH)
    assert np.abs(error).max() < 1e-12


def test_the_width_of_the_magnetisation_obeys_the_lever_rule():
    rho, m = planted([13.0], -1)
    share = band_share(m[0])
    assert share == pytest.approx(WIDTH / LENGTH, abs=1 / LENGTH)
    assert lever_rule(rho.mean(), LOW, HIGH) == pytest.approx(WIDTH / LENGTH)
    assert band_share(np.zeros(LENGTH)) is None


def test_profiles_of_channels():
    states = np.random.default_rng(0).poisson(2.0, (4, 2, 9, 5))
    found = channel_profiles(ActiveIsing((9, 5)), states)
    assert set(found) == {"magnetisation", "density"}
    assert np.allclose(found["density"], states.sum(axis=1).mean(axis=-1))
    assert np.allclose(found["magnetisation"], (states[:, 0] - states[:, 1]).mean(axis=-1))


def test_mean_and_error():
    assert mean_and_error(np.array([1.0, 3.0, np.nan])) == {"value": 2.0, "error": 1.0, "n": 2}
