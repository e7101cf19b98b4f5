"""Integrated autocorrelation times against autoregressive chains, for which they are known."""

import numpy as np
import pytest

from lattice_ml.ground.autocorrelation import integrated_time


def autoregressive(rho, chains, length, seed=0):
    """x_i = rho x_(i - 1) + noise, stationary from the start: tau = 1/2 + rho / (1 - rho)."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(chains, length))
    x[:, 1:] *= np.sqrt(1 - rho**2)
    for n in range(1, length):
        x[:, n] += rho * x[:, n - 1]
    return x


@pytest.mark.parametrize("rho", [0.0, 0.3, 0.8, 0.95])
def test_autoregressive_chains(rho):
    found = integrated_time(autoregressive(rho, chains=8, length=20000))
    assert found.error < 0.1 * found.tau
    assert abs(found.tau - (0.5 + rho / (1 - rho))) < 3 * found.error


def test_a_series_that_swings():
    found = integrated_time(autoregressive(-0.5, chains=4, length=20000))
    assert found.tau == pytest.approx(0.5 - 0.5 / 1.5, abs=0.06)


def test_integers_have_the_same_bits_wherever_they_lie():
    series = np.rint(10 * autoregressive(0.8, chains=3, length=500)).astype(np.int64)
    assert integrated_time(series + 10**9) == integrated_time(series)
    assert integrated_time(series).tau == pytest.approx(integrated_time(series.astype(float)).tau, rel=1e-12)


def test_what_never_changes():
    assert integrated_time(np.full((3, 10), 7)) == (0.5, 0.0, 0)


def test_chains_that_disagree_never_forget():
    """Each alone looks independent; their common mean tells."""
    chains = np.random.default_rng(0).normal(size=(4, 400)) + np.array([[0.0], [0.0], [9.0], [9.0]])
    found = integrated_time(chains)
    assert found.lags is None
    assert found.tau > 100
    assert max(integrated_time(chain[None]).tau for chain in chains) < 1
