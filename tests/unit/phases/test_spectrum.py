"""Spectra with known eigenvalues."""

import numpy as np
import pytest

from lattice_ml.phases.spectrum import coarse_grained, gram, jackknife, leading_shares, shares, spectrum


def matrix(count, sites, seed=0):
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(count, sites)) * np.geomspace(4, 0.2, sites)).astype(np.float32)


@pytest.mark.parametrize(("count", "sites"), [(40, 70), (70, 40)])
def test_the_spectrum_is_that_of_the_covariance_from_either_side(count, sites):
    rows = matrix(count, sites)
    exact = np.linalg.eigvalsh(np.cov(rows.astype(np.float64).T))[::-1][: min(count - 1, sites)]
    np.testing.assert_allclose(spectrum(rows), exact, rtol=1e-3, atol=1e-4)  # float32 products


def test_one_configuration_has_no_covariance():
    with pytest.raises(ValueError, match="two configurations"):
        spectrum(np.ones((1, 5)))


def test_shares_of_a_known_spectrum():
    found = shares(np.array([8.0, 4.0, 2.0, 1.0, 1.0]), 2, kept=3)
    assert found == pytest.approx((12 / 16, 80 / 86, 12 / 14))


def test_shares_of_some_rows_are_those_of_their_own_spectrum():
    rows = matrix(60, 90)
    kept = np.arange(60) % 3 != 1
    expected = shares(spectrum(rows[kept]), 4, kept=10)
    np.testing.assert_allclose(leading_shares(gram(rows), np.flatnonzero(kept), 4, kept=10), expected, rtol=1e-4)


def test_blocks_are_means_and_keep_their_place():
    field = np.arange(2 * 4 * 6, dtype=np.float64).reshape(2, 4, 6)
    found = coarse_grained(field, (2, 3))
    assert found.shape == (2, 4)
    assert found[1, 1] == pytest.approx(field[1, :2, 3:].mean())
    with pytest.raises(ValueError, match="do not tile"):
        coarse_grained(field, (3, 3))


def test_the_jackknife_of_a_mean_is_its_standard_error():
    values = np.random.default_rng(1).normal(size=12)
    found = jackknife(lambda rows: values[rows].mean()[None], np.arange(12))
    assert found[0] == pytest.approx(values.std(ddof=1) / np.sqrt(12))
    assert np.isnan(jackknife(lambda rows: values[rows].mean()[None], np.zeros(12, dtype=int))).all()
