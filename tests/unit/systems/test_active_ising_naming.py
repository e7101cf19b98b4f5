"""Bands, liquids and gases by a rule, and Otsu's cut that it makes."""

import numpy as np
import pytest

from lattice_ml.systems.active_ising.naming import band_or_not, otsu
from lattice_ml.systems.active_ising.physics import ActiveIsing


@pytest.mark.parametrize("sizes", [(3000, 3000), (1000, 4000)])
def test_the_cut_lies_in_the_gap_between_two_gaussians(sizes):
    rng = np.random.default_rng(0)
    low, high = rng.normal(0, 1, sizes[0]), rng.normal(12, 1, sizes[1])
    values = rng.permutation(np.concatenate((low, high)))
    assert otsu(values) == pytest.approx((low.max() + high.min()) / 2)


def test_the_cut_of_two_equal_gaussians_that_overlap_is_their_middle():
    rng = np.random.default_rng(1)
    count, apart = 200_000, 4.0
    values = np.concatenate((rng.normal(0, 1, count), rng.normal(apart, 1, count)))
    # The best cut is t = (m_1(t) + m_2(t)) / 2, the middle by symmetry. Each mean moves with the cut by
    # f(2) / F(2) * 2 = 2 phi(2) * 2 = 0.22, and their half sum has the error 1 / sqrt(2 count) = 0.0016, so the cut
    # has 0.0016 / (1 - 0.22) = 0.002. Five of them.
    assert otsu(values) == pytest.approx(apart / 2, abs=0.01)


def test_no_other_cut_separates_better():
    rng = np.random.default_rng(2)
    for size in (2, 3, 7, 40):
        values = rng.normal(size=size) ** 3
        ordered = np.sort(values)

        def between(cut, values=values):
            low, high = values[values <= cut], values[values > cut]
            return len(low) * len(high) * (low.mean() - high.mean()) ** 2

        best = max(between(cut) for cut in ordered[:-1])
        assert between(otsu(values)) == pytest.approx(best)
        assert otsu(3 * values - 1) == pytest.approx(3 * otsu(values) - 1)


def test_equal_values_are_on_one_side():
    assert otsu(np.full(5, 0.3)) == 0.3
    assert not (np.full(5, 0.3) > otsu(np.full(5, 0.3))).any()


def observables(count: int = 50) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Of a scan: liquids without a band, bands, gases without one; shuffled."""
    rng = np.random.default_rng(3)
    mean = {"density_band": [0.01, 0.3, 0.01], "order": [0.9, 0.5, 0.05]}
    phase = rng.permutation(np.repeat([0, 1, 2], count))
    return {name: np.abs(np.array(own)[phase] + rng.normal(0, 0.02, 3 * count)) for name, own in mean.items()}, phase


def test_a_scan_is_told_apart():
    seen, phase = observables()
    found = band_or_not(seen)
    assert found.dtype == np.int64
    np.testing.assert_array_equal(found, phase)
    np.testing.assert_array_equal(ActiveIsing((81, 81)).recognise(seen), phase)
    assert ActiveIsing((81, 81)).phases == ("L", "L+G", "G")


def test_a_polarised_band_is_a_band_and_a_weakly_polarised_liquid_is_a_liquid():
    """The order of a band has no say, be it that of a liquid or of a gas."""
    seen, phase = observables()
    bands = np.flatnonzero(phase == 1)
    seen["order"][bands] = np.linspace(0, 1, len(bands))
    seen["order"][phase == 0] = 0.4
    np.testing.assert_array_equal(band_or_not(seen), phase)
