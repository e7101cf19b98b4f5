"""Binodals from planted bands, and transition temperatures from planted binodals."""

import json

import numpy as np
import pytest

from lattice_ml.phases.binodal import Binodals, T_of, ensemble_binodals, find_binodals
from lattice_ml.phases.plateaus import steps

LENGTH, HEIGHT = 400, 32


def band(low, high, rng):
    """A noisy profile of half gas and half liquid, somewhere on the torus, with edges of a few sites."""
    rho = steps(np.arange(LENGTH), low, high, LENGTH / 4, 3 * LENGTH / 4, 6.0, 4.0)
    return np.roll(rng.poisson(rho * HEIGHT) / HEIGHT, rng.integers(LENGTH))


def planted(T, low, high, error=0.0):
    size = len(T)
    return Binodals(
        np.array(T), np.array(low), error * np.array(low), np.array(high), error * np.array(high), np.ones(size)
    )


def test_densities_and_errors_of_planted_bands():
    rng = np.random.default_rng(1)
    T, low, high = [0.45, 0.5, 0.55], np.array([0.74, 1.0, 1.33]), np.array([4.57, 5.3, 6.31])
    profiles = np.array(
        [[[band(*pair, rng) for _ in range(4)] for _ in range(3)] for pair in zip(low, high, strict=True)]
    )
    found = find_binodals(T[::-1], profiles[::-1])
    assert found.T.tolist() == T
    assert found.bands.tolist() == [1, 1, 1]
    # 140 columns of 32 sites, 12 configurations.
    for value, error, truth in ((found.low, found.low_error, low), (found.high, found.high_error, high)):
        expected = np.sqrt(truth / (140 * HEIGHT * 12))
        assert np.all(np.abs(value - truth) < 4 * expected)
        # Pooled over 3 × 2 degrees of freedom: a scatter of 1 / sqrt(12) = 29 %; Poisson's own differs by T, and the
        # halves of the samples differ by a normal number of half of which the standard deviation is expected too.
        assert np.all((error > 0.2 * expected) & (error < np.hypot(2.5, 3.5) * expected))
    json.dumps(found.summary(), allow_nan=False)


def test_temperatures_and_replicas_without_a_band_are_left_out():
    rng = np.random.default_rng(2)
    gas = rng.poisson(3.0 * HEIGHT, (2, 2, LENGTH)) / HEIGHT
    bands = np.array([[band(1.0, 5.0, rng) for _ in range(2)] for _ in range(2)])
    half = np.stack([bands[0], gas[0]])
    found = find_binodals([0.5, 0.6, 0.9], np.stack([bands, half, gas]))
    assert found.T.tolist() == [0.5, 0.6]
    assert found.bands.tolist() == [1, 0.5]
    with pytest.raises(ValueError, match="no profile"):
        find_binodals([0.9], gas[None])


def test_densities_that_still_change_say_so():
    rng = np.random.default_rng(4)
    profiles = np.array([[[band(1.0, 5.0 - 0.1 * s, rng) for s in range(4)] for _ in range(2)]])
    found = find_binodals([0.3], profiles)
    # Halves of 4.95 and 4.75: half their difference is 0.1, Poisson's scatter 0.01.
    assert found.high_error[0] == pytest.approx(0.1, abs=0.03)
    assert found.low_error[0] < 0.03


def test_a_single_replica_has_no_error():
    rng = np.random.default_rng(3)
    found = find_binodals([0.5], np.array([[[band(1.0, 5.0, rng)]]]))
    assert np.isnan(found.low_error).all()
    assert found.summary()[0]["rho_l"]["error"] is None


def test_transition_temperatures_invert_the_binodals():
    # rho_h = exp(8 T) and rho_l = exp(6 T - 3): straight lines in log rho, which any interpolation inverts exactly.
    T = np.linspace(0.3, 0.8, 11)
    found = T_of(planted(T, np.exp(6 * T - 3), np.exp(8 * T), 0.01), 4.0)
    assert [entry["transition"] for entry in found] == ["L|L+G", "L+G|G"]
    assert found[0]["value"] is None  # exp(8 × 0.3) = 11 is denser than 4 already
    assert found[0]["reason"]
    assert found[1]["value"] == pytest.approx((np.log(4.0) + 3) / 6, abs=1e-9)
    # An error of 1 % of the density at the nearest nodes is 0.01 / 6 in T, less where two nodes share it.
    assert 0.4 * 0.01 / 6 < found[1]["error"] < 1.3 * 0.01 / 6
    json.dumps(found)


def test_curved_binodals_are_inverted_within_the_stated_error():
    # rho_h = 1 / (1 - T)^2, which diverges at T = 1 as the critical point at infinite density asks.
    T = np.arange(0.25, 0.85, 0.05)
    (entry, _) = T_of(planted(T, 0.2 / (1 - T), 1 / (1 - T) ** 2), 6.7)
    assert entry["value"] == pytest.approx(1 - 6.7**-0.5, abs=1e-3)
    assert abs(entry["value"] - (1 - 6.7**-0.5)) < entry["error"] < 2e-3


def test_the_binodals_of_an_ensemble_do_not_ask_for_its_mean_densities():
    import xarray as xr

    from lattice_ml.systems.active_ising.physics import ActiveIsing

    rng = np.random.default_rng(5)
    x = np.arange(LENGTH)
    rho = np.stack([steps(x, 1.0, 5.0, 100.0, right, 6.0, 4.0) for right in (280.0, 320.0)])
    states = rng.poisson(rho[:, None, None, None, :, None] / 2, (2, 2, 2, 2, LENGTH, HEIGHT))
    names = ("point", "replica", "sample", "species", "x", "y")
    coordinates = {"T": ("point", [0.5, 0.5]), "rho0": ("point", rho.mean(axis=1))}
    found = ensemble_binodals(
        xr.Dataset({"configurations": (names, states)}, coordinates), ActiveIsing((LENGTH, HEIGHT))
    )
    assert found.T.tolist() == [0.5]
    # 100 columns of 32 sites and more, 8 configurations.
    assert found.low[0] == pytest.approx(1.0, abs=4 * np.sqrt(1.0 / (100 * HEIGHT * 8)))
    assert found.high[0] == pytest.approx(5.0, abs=4 * np.sqrt(5.0 / (100 * HEIGHT * 8)))
