"""Overlap with the edges of planted bands: of maps that mark them, of maps that do not."""

import numpy as np
import pytest
import torch
from torch import nn

from lattice_ml.explain.edges import (
    edge_overlap,
    gradient,
    inside_overlap,
    judge_saliency,
    site_overlap,
    slope_along_x,
    smoothness,
)
from lattice_ml.systems.active_ising.physics import ActiveIsing
from lattice_ml.tasks.classify_phase import ClassifyPhase

X, Y, N = 54, 27, 12


def planted(seed=0):
    """Poisson densities of bands anywhere, and their mean profiles [n, x, y]."""
    rng = np.random.default_rng(seed)
    distance = (np.arange(X) - rng.integers(X, size=(N, 1))) % X
    profile = np.where(distance < 20, 5.0, 1.0)[:, :, None].repeat(Y, axis=2)
    return rng.poisson(profile).astype(float), profile, rng


def two_channels(field):
    return np.stack([field, np.zeros_like(field)], axis=1)


def test_the_slope_is_large_at_the_flanks_alone():
    density, profile, _ = planted()
    slope = slope_along_x(density)
    jump = np.abs(profile[..., 0] - np.roll(profile[..., 0], 1, axis=1)) > 0
    assert slope[jump].min() > 5 * np.median(slope)
    flat = np.zeros((1, X, Y))
    assert not gradient(flat).any()


def test_a_map_of_the_edges_has_a_score_far_from_its_shifts():
    density, profile, rng = planted()
    edges = np.abs(profile - np.roll(profile, 1, axis=1))
    found = edge_overlap(two_channels(edges + rng.uniform(0, 1, edges.shape)), density)
    assert found.score > 0.8
    assert found.score > 2 * inside_overlap(two_channels(edges), density).score
    assert found.z > 5
    assert found.p == pytest.approx(1e-4)
    assert found.n == N
    assert site_overlap(two_channels(edges), density).p == pytest.approx(1e-4)


def test_noise_has_none_and_its_p_value_is_uniform():
    density, _, rng = planted()
    p = [edge_overlap(rng.uniform(0, 1, (N, 2, X, Y)), density, seed=k).p for k in range(30)]
    # Uniform on (0, 1): the mean of 30 within four of its errors, 1 / sqrt(12 30).
    assert np.mean(p) == pytest.approx(0.5, abs=4 / np.sqrt(12 * 30))
    assert edge_overlap(np.ones((N, 2, X, Y)), density).score == 0


def test_a_map_of_the_bands_inside_is_not_one_of_its_edges():
    density, profile, _ = planted()
    # Half of either edge lies in the band, so that its score is positive; that of the inside is nearly one.
    assert inside_overlap(two_channels(profile), density).score > 0.95
    assert edge_overlap(two_channels(profile), density).score < 0.4


class Slopes(nn.Module):
    """S = sum of the squared differences of neighbouring columns: its gradient lies where the density changes."""

    def __init__(self) -> None:
        super().__init__()
        self.in_channels = 2
        self.weight = nn.Linear(1, 3)

    def forward(self, x):
        mean = x[:, 1].mean(dim=-1)
        steps = (mean - mean.roll(4, dims=-1)).square().sum(dim=-1, keepdim=True)
        return self.weight(steps)


def test_noise_is_not_smooth_and_a_wave_is():
    rng = np.random.default_rng(3)
    noise = smoothness(two_channels(rng.normal(size=(40, X, Y))))
    assert abs(noise.mean()) < 4 / np.sqrt(40 * X * Y)  # 1/sqrt(sites) a map
    wave = 2 + np.sin(2 * np.pi * np.arange(X) / X)[:, None] * np.ones(Y)
    np.testing.assert_allclose(smoothness(two_channels(wave[None])), (np.cos(2 * np.pi / X) + 1) / 2)
    assert smoothness(np.ones((1, 2, X, Y))) == 0


def test_a_classifier_that_looks_at_slopes_is_found_out():
    torch.manual_seed(0)
    density, *_ = planted()
    states = np.stack((density, np.zeros_like(density)), axis=1).astype(np.int64)
    told = judge_saliency(ClassifyPhase(Slopes(), ActiveIsing((X, Y))), states, "L+G")
    assert told["columns"]["value"] > 0.3
    assert told["columns"]["p"] < 1e-3
    assert told["randomised"]["value"] == pytest.approx(1, abs=1e-3)  # its map shows the input whatever its weights
    assert told["untrained"]["n"] == 3
