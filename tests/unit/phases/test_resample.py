"""Which rows a resampling draws, and what it does to them."""

import numpy as np

from lattice_ml.phases.label import Labels
from lattice_ml.phases.resample import composition, drawn_replicas, random_images, rows_of
from lattice_ml.systems.active_ising.physics import ActiveIsing


def test_all_samples_of_a_drawn_replica_move_together():
    drawn = drawn_replicas((50, 5, 4), seed=3)
    assert drawn.shape == (50, 5)
    assert drawn.max() == 4
    rows = rows_of(drawn, 4).reshape(50, 5, 4)
    number = np.arange(50 * 5 * 4).reshape(50, 5, 4)
    np.testing.assert_array_equal(rows[7, 2], number[7, drawn[7, 2]])
    # With replacement: 1 - (4 / 5)^5 of the replicas are drawn, 67 %.
    share = np.mean([len(np.unique(own)) for own in drawn]) / 5
    assert abs(share - (1 - 0.8**5)) < 0.1


def test_an_image_keeps_what_phases_are_told_by():
    field = np.random.default_rng(0).normal(size=(40, 12, 6)).astype(np.float32)
    images = random_images(field[:, None], ActiveIsing((12, 6)), seed=1)[:, 0]
    total = images.sum(axis=(1, 2)) / field.sum(axis=(1, 2))
    np.testing.assert_allclose(np.abs(total), 1, rtol=1e-3)
    assert 5 < (total < 0).sum() < 35
    power = [np.abs(np.fft.fft(own.sum(axis=2), axis=1)) for own in (field, images)]
    np.testing.assert_allclose(*power, rtol=1e-3, atol=1e-3)
    assert not np.array_equal(np.abs(images), np.abs(field))


def test_the_composition_counts_oriented_groups_of_each_phase():
    phase = np.array([0, 0, 0, 1, 1, 2]).reshape(2, 1, 3)
    group = np.array([0, 1, 1, 2, 3, 4]).reshape(2, 1, 3)
    labels = Labels(("L", "L+G", "G"), phase, phase, group, group, np.zeros((2, 3)), [], {})
    assert composition(labels) == {"L": 2, "L+G": 2, "G": 1}
