"""One rule for several ensembles: one without bands is not cut into three phases."""

import numpy as np
import pytest
import xarray as xr

from lattice_ml.phases.common_rule import boundaries_by_one_rule
from lattice_ml.systems.active_ising.naming import band_or_not

T = np.round(np.arange(0.3, 0.8, 0.05), 10)


class Flock:
    """Its states are its observables: order and band mode in thousandths."""

    phases, control = ("L", "L+G", "G"), "T"

    def observables(self, states, point=None):
        return {"order": states[..., 0, 0, 0] / 1000, "density_band": states[..., 1, 0, 0] / 1000}

    def recognise(self, observables):
        return band_or_not(observables)


class Nothing(Flock):
    def recognise(self, observables):
        return None


def scan(low, high, seed):
    """Liquid below ``low``, band below ``high``, gas above, two replicas of three samples."""
    rng = np.random.default_rng(seed)
    order = np.where(low > T, 0.95, np.where(high > T, 0.6, 0.02))[:, None, None] + rng.uniform(0, 0.02, (len(T), 2, 3))
    band = np.where((low < T) & (high > T), 0.4, 0.01)[:, None, None] * rng.uniform(0.8, 1.2, (len(T), 2, 3))
    states = np.rint(1000 * np.stack([order, band], axis=-1)).astype(int)[..., None, None]
    names = ("point", "replica", "sample", "species", "x", "y")
    return xr.Dataset({"configurations": (names, states)}, {"T": ("point", T)})


def test_boundaries_of_two_ensembles():
    first, second = boundaries_by_one_rule([scan(0.42, 0.62, 0), scan(0.52, 0.57, 1)], Flock(), ["wide", "narrow"])
    assert [row["method"] for row in first + second] == ["wide", "wide", "narrow", "narrow"]
    for rows, (low, high) in ((first, (0.42, 0.62)), (second, (0.52, 0.57))):
        assert rows[0]["value"] == pytest.approx(low, abs=0.025)
        assert rows[1]["value"] == pytest.approx(high, abs=0.025)


def test_an_ensemble_without_bands_has_none():
    with_bands, without = boundaries_by_one_rule([scan(0.42, 0.62, 0), scan(0.52, 0.52, 1)], Flock(), ["a", "b"])
    assert with_bands[0]["value"] is not None
    assert [row["value"] for row in without[:2]] == [None, None]
    assert without[2]["transition"] == "L|G"
    assert without[2]["value"] == pytest.approx(0.525, abs=0.026)


def test_a_system_without_a_rule_has_no_boundaries():
    assert boundaries_by_one_rule([scan(0.42, 0.62, 0)], Nothing(), ["a"]) == [[]]
