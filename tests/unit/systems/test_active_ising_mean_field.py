"""The mean-field theory against its own expansion, direct averages and direct eigenvalues."""

import numpy as np
import pytest

from lattice_ml.systems.active_ising.mean_field import Sites, excess, spinodals


def test_flips_are_the_average_over_poisson_sites():
    rho, m, T = 3.0, 1.2, 0.6
    rng = np.random.default_rng(0)
    plus, minus = (rng.poisson(mean, 100_000) for mean in ((rho + m) / 2, (rho - m) / 2))
    there = plus + minus > 0
    x = np.where(there, (plus - minus) / np.maximum(plus + minus, 1) / T, 0.0)
    changes = 2 * (minus * np.exp(x) - plus * np.exp(-x))
    assert Sites(rho).flips(rho, m, T) == pytest.approx(changes.mean(), abs=4 * changes.std() / np.sqrt(len(changes)))


@pytest.mark.parametrize("T", [0.6, 0.8, 0.95])
def test_the_gas_is_that_of_the_expansion_at_high_density(T):
    # 2 (beta - 1 - r / rho), corrections of the order of 1 / rho².
    rho, beta = 60.0, 1 / T
    r = 1.5 * beta**2 * (1 - beta / 3)
    measured = (beta - 1 - Sites(rho).growth(rho, T) / 2) * rho
    assert measured == pytest.approx(r, abs=3 * r / rho**0.5)


def test_the_criterion_is_that_of_the_eigenvalues():
    rho, D = 3.0, 1.0
    sites = Sites(rho)
    for T, eps in ((0.54, 0.9), (0.58, 0.9), (0.58, 0.6), (0.63, 0.6), (0.63, 0.3), (0.67, 0.3)):
        slope, relaxation = sites.slopes(rho, sites.liquid(rho, T), T)
        v, q = 2 * D * eps, 1e-3
        matrix = np.array([[-D * q**2, -1j * v * q], [-1j * v * q + slope, -D * q**2 - relaxation]])
        grows = np.linalg.eigvals(matrix).real.max() > 0
        assert grows == (excess(sites, rho, T, v**2 / D) > 0)


def test_the_spinodals_close_in_on_each_other_as_the_activity_falls():
    found = [spinodals(3.0, activity) for activity in (3.24, 1.44, 0.36, 0.01)]
    assert len({round(one.gas, 9) for one in found}) == 1
    liquids = [one.liquid for one in found]
    assert liquids == sorted(liquids)
    assert found[0].gas - found[0].liquid > 0.1
    assert found[-1].gas - found[-1].liquid < 0.015
    # A site of independent particles overrates order, so the gas is unstable above the model's own transition, 0.64.
    assert 0.64 < found[0].gas < 0.75
