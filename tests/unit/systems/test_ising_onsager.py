"""Exact results of the Ising model, against all configurations of small tori and against known series."""

import numpy as np
import pytest

from lattice_ml.systems.ising import onsager
from lattice_ml.systems.ising.physics import Ising

BRUTE = [(3, 3), (3, 4), (4, 3), (4, 4), (5, 3)]


@pytest.mark.parametrize("extents", BRUTE)
@pytest.mark.parametrize("temperature", [0.3, 1.0, 2.0, onsager.CRITICAL_TEMPERATURE, 2.5, 10.0])
def test_torus_energy_is_that_of_all_configurations(extents, temperature):
    volume = extents[0] * extents[1]
    states = (np.arange(2**volume)[:, None] >> np.arange(volume) & 1).reshape(-1, 1, *extents)
    energy = Ising(extents).observables(states)["energy"]
    weight = np.exp(-volume * (energy - energy.min()) / temperature)
    assert onsager.torus_energy(extents, temperature) == pytest.approx(energy @ weight / weight.sum(), abs=1e-12)


@pytest.mark.parametrize("temperature", [0.5, 1.5, 2.0, 2.6, 4.0])
def test_large_tori_are_infinite(temperature):
    for extents in ((400, 400), (401, 301)):
        assert onsager.torus_energy(extents, temperature) == pytest.approx(onsager.energy(temperature), abs=1e-12)


def test_exact_results_of_the_infinite_lattice():
    assert pytest.approx(2.269185314213022) == onsager.CRITICAL_TEMPERATURE
    assert onsager.energy(onsager.CRITICAL_TEMPERATURE) == pytest.approx(-np.sqrt(2), abs=1e-7)
    assert onsager.energy(0.05) == pytest.approx(-2)
    assert onsager.energy(1e3) == pytest.approx(-2 / 1e3, rel=1e-5)  # - 2 tanh K + O(K^3)
    # Low temperature: spins turned over one by one, m = 1 - 2 x^4 - 8 x^6, x = exp(-2K).
    x = np.exp(-2 / 0.6)
    assert onsager.spontaneous_magnetisation(0.6) == pytest.approx(1 - 2 * x**4 - 8 * x**6, abs=40 * x**8)
    assert onsager.spontaneous_magnetisation(0.05) == 1.0
    assert onsager.spontaneous_magnetisation(2.0) == pytest.approx((1 - np.sinh(1.0) ** -4) ** 0.125)
    assert onsager.spontaneous_magnetisation(2.27) == 0.0
