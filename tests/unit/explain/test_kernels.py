"""Kernels of known kinds, and what random ones make of the same measure."""

import numpy as np
import pytest

from lattice_ml.explain.kernels import derivative_share, judge_kernels, strong_kernels


def test_gradients_have_all_of_it_and_even_kernels_none():
    x, y = np.meshgrid(np.arange(5.0) - 2, np.arange(5.0) - 2, indexing="ij")
    ramp, turned, blob = x, 3 * x - 2 * y, np.exp(-(x**2 + y**2) / 2)
    laplacian = (x**2 + y**2 - 2) * blob
    found = derivative_share(np.stack([ramp, turned, x * blob, np.ones((5, 5)), laplacian, np.zeros((5, 5))]))
    np.testing.assert_allclose(found, [1, 1, 1, 0, 0, 0], atol=1e-12)
    prewitt = np.sign(x)
    assert 0.8 < derivative_share(prewitt[None])[0] < 1


def test_random_kernels_have_two_of_25_dimensions_and_a_little_more():
    told = judge_kernels(np.random.default_rng(3).normal(size=(20, 2, 5, 5)))
    # E of one fixed plane is 2 / 25, its variance below 2 (2 / 25)² / 2; the best of four widths is above it.
    assert 2 / 25 < told["random"] < 0.16
    assert told["value"] == pytest.approx(told["random"], abs=5 * 0.08 / np.sqrt(40))
    assert told["p"] > 0.01
    assert told["n"] == 40


def test_strong_kernels_are_those_above_the_threshold_in_their_order():
    weight = np.zeros((3, 2, 5, 5))
    weight[2, 0, 0, 0], weight[0, 1, 2, 2], weight[1, 1, 3, 3] = -4.0, 2.0, 0.03
    found = strong_kernels(weight)
    assert found.filter.tolist() == [2, 0]
    assert found.channel.tolist() == [0, 1]
    assert found.weights[0].min() == -1
    assert strong_kernels(np.zeros((3, 2, 5, 5))).weights.shape == (0, 5, 5)
    assert judge_kernels(np.zeros((3, 2, 5, 5)))["value"] is None


def test_gradient_kernels_are_told_from_chance():
    rng = np.random.default_rng(0)
    ramp = np.arange(5.0) - 2
    weight = ramp[:, None] * np.ones(5) + rng.normal(0, 0.3, (6, 2, 5, 5))
    told = judge_kernels(weight)
    assert told["value"] > 0.8
    assert told["p"] < 1e-3
