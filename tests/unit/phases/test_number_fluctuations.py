"""Numbers of particles in boxes: an ideal gas, and a density that varies from one configuration to the next."""

import numpy as np
import pytest

from lattice_ml.phases.number_fluctuations import box_numbers, box_sides, cell_densities, number_fluctuations


def ideal_gas(particles, replicas, samples, extents, seed=0):
    """Independent particles on a torus, their number fixed."""
    rng = np.random.default_rng(seed)
    volume = extents[0] * extents[1]
    counts = rng.multinomial(particles, np.full(volume, 1 / volume), size=(replicas, samples))
    return counts.reshape(replicas, samples, *extents)


def test_box_numbers_go_round_the_torus():
    density = np.random.default_rng(0).integers(0, 9, (2, 7, 5))
    found = box_numbers(density, 3)
    for x, y in ((0, 0), (6, 4), (5, 1)):
        rows, columns = (x + np.arange(3)) % 7, (y + np.arange(3)) % 5
        assert found[1, x, y] == density[1][np.ix_(rows, columns)].sum()
    assert np.array_equal(box_numbers(density, 1), density)


def test_an_ideal_gas_is_poissonian_up_to_the_largest_boxes():
    extents = (36, 36)
    density = ideal_gas(3 * 36 * 36, 4, 60, extents)
    found = number_fluctuations(density, box_sides(extents))
    assert found.mean[0] == pytest.approx(3.0)
    ratio = found.variance.mean(axis=0) / found.mean
    # About (36 / l)² independent boxes in each of 240 configurations: a variance is known to sqrt(2 / n).
    assert np.all(np.abs(ratio - 1) < 4 * np.sqrt(2 / (240 * (36 / found.sides) ** 2)))
    exponent = found.exponents(4)
    assert np.abs(exponent.mean() - 1) < 4 * exponent.std(ddof=1) / 2
    assert found.fano() == pytest.approx(np.ones(4), abs=0.3)


def test_a_density_that_varies_over_long_distances_has_the_exponent_two():
    # Boxes that see one of two densities: dN² = (<N> contrast)², and Poisson noise is left out.
    density = np.zeros((1, 1, 60, 60), dtype=int)
    density[..., :30, :] = 100
    found = number_fluctuations(density, [1, 2, 3, 4])
    # A wall is rarely in a box: corrections are of the order of l / 30, and the conserved number gives l² / V.
    assert found.exponents(1)[0] == pytest.approx(2.0, abs=0.05)


def test_one_box_has_no_exponent():
    found = number_fluctuations(ideal_gas(243, 2, 1, (9, 9)), [1])
    assert np.isnan(found.exponents(1)).all()


def test_cells_tile_what_fits():
    density = np.arange(7 * 9).reshape(7, 9)
    found = cell_densities(density, 3)
    assert found.shape == (6,)
    assert found[0] == density[:3, :3].mean()
    assert found[5] == density[3:6, 6:9].mean()


def test_sides_reach_a_third_of_the_shorter_extent():
    assert box_sides((81, 81))[-1] == 27
    assert box_sides((81, 9)) == [1, 2, 3]
