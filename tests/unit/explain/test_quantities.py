import numpy as np
import pytest
import xarray as xr

from lattice_ml.explain.prior import kept_apart, structure_factors, summaries
from lattice_ml.explain.quantities import band, quantities, trajectories
from lattice_ml.systems.active_ising.physics import ActiveIsing
from lattice_ml.systems.ising.physics import Ising

AIM = ActiveIsing((24, 6))


def test_a_slab_has_its_width_and_its_place():
    states = np.zeros((3, 2, 24, 6), dtype=np.uint16)
    states[0, 0, 4:10] = 5  # centred at 6.5
    states[1, 0] = 2
    states[2, :] = 1
    found = band(AIM, states)
    assert found["band_width"] == pytest.approx([6 / 24, 1.0, 0.0])
    phase = np.arctan2(found["band_sin"][0], found["band_cos"][0]) * 24 / (2 * np.pi)
    assert phase == pytest.approx(6.5)
    modulus = np.hypot(found["band_sin"], found["band_cos"])
    assert modulus == pytest.approx(AIM.observables(states)["density_band"], abs=1e-12)
    assert band(Ising((8, 8)), np.zeros((2, 1, 8, 8), np.uint16)) == {}


def test_quantities_are_those_that_vary_in_the_order_of_the_configurations():
    rng = np.random.default_rng(0)
    states = rng.integers(0, 2, (2, 3, 4, 1, 8, 8)).astype(np.uint16)
    ensemble = xr.Dataset(
        {"configurations": (("point", "replica", "sample", "species", "x", "y"), states)},
        coords={"T": ("point", [2.0, 3.0]), "field": ("point", [1.0, 1.0])},
        attrs={"plan": {"points": {"T": [2.0, 3.0], "field": [1.0, 1.0]}}},
    )
    found = quantities(Ising((8, 8)), ensemble)
    assert set(found) == {"magnetisation", "order", "energy", "T"}
    assert found["T"].tolist() == [2.0] * 12 + [3.0] * 12
    assert found["energy"] == pytest.approx(Ising((8, 8)).observables(states)["energy"].ravel())
    assert trajectories(ensemble).tolist() == np.repeat(np.arange(6), 4).tolist()


def test_structure_factors_of_independent_counts_are_their_mean():
    states = np.random.default_rng(1).poisson(1.5, (400, 2, 24, 6)).astype(np.uint16)
    found = structure_factors(AIM, states)
    assert found.shape == (400, 2, 2, 6)
    seen = found[:, :, 0].mean(0)
    assert np.all(np.abs(seen - 3.0) < 4 * 3.0 / 20)  # |m_k|² and |rho_k|² are exponential with mean 3
    assert not found[:, :, 1, 3:].any()  # y has three modes only
    plane = np.zeros((1, 2, 24, 6), np.uint16)
    plane[0, 0] = (4 + 4 * np.cos(2 * np.pi * 2 * np.arange(24) / 24)).round().astype(int)[:, None]
    assert structure_factors(AIM, plane)[0, 1, 0].argmax() == 1


def test_summaries_share_out_all_sites():
    states = np.random.default_rng(2).poisson(1.5, (5, 2, 24, 6)).astype(np.uint16)
    found = summaries(AIM, states, [0, 0], [3, 3])
    assert found["density histogram"].shape == (5, 8)
    assert found["density histogram"].sum(1) == pytest.approx(np.full(5, 2.0))


def test_rows_are_taken_evenly_from_every_trajectory():
    groups = np.repeat(np.arange(4), 10)
    rows, per = kept_apart(groups, 8)
    assert per == 2
    assert rows.tolist() == [9, 0, 19, 10, 29, 20, 39, 30]
    assert kept_apart(groups, 3)[1] == 1
    assert kept_apart(groups, 1000)[1] == 10
