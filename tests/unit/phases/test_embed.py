"""Principal components against exact answers, images against the system's symmetries, UMAP on planted blobs."""

import numpy as np
import pytest
import xarray as xr

from lattice_ml.phases.embed import embed, embedded_fields, lay_out, order_field, principal_components, symmetric_images
from lattice_ml.systems.active_ising.physics import ActiveIsing


def test_ratios_are_shares_of_the_whole_variance():
    rng = np.random.default_rng(0)
    matrix = (rng.normal(size=(300, 60)) * np.geomspace(10, 0.5, 60)).astype(np.float32)
    ratios, weights, mean, principal = principal_components(matrix, 5, seed=0)
    centred = matrix - matrix.mean(axis=0)
    exact = np.linalg.eigvalsh(np.cov(centred.T))[::-1]
    np.testing.assert_allclose(ratios, exact[:5] / exact.sum(), rtol=1e-3)
    np.testing.assert_allclose(mean, matrix.mean(axis=0), atol=1e-4)
    np.testing.assert_allclose(weights @ weights.T, np.eye(5), atol=1e-4)
    np.testing.assert_allclose(principal, centred @ weights.T, atol=1e-2)


def test_order_field_runs_over_point_replica_sample():
    counts = np.random.default_rng(0).integers(0, 300, (3, 2, 4, 2, 6, 5)).astype(np.uint16)
    ensemble = xr.Dataset({"configurations": (("point", "replica", "sample", "species", "x", "y"), counts)})
    field = order_field(ensemble, ActiveIsing(extents=(6, 5)))
    np.testing.assert_array_equal(field, embedded_fields(ensemble, ActiveIsing(extents=(6, 5)))[:, 0])
    flat = counts.reshape(-1, 2, 6, 5).astype(np.float32)
    assert field.dtype == np.float32
    np.testing.assert_array_equal(field, flat[:, 0] - flat[:, 1])


def test_images_keep_the_modulus_of_every_symmetric_mode():
    # On Fourier components of the lattice, a shift turns a pair of coordinates and the mirror changes the sign of m.
    rng = np.random.default_rng(0)
    field = rng.normal(size=(7, 12, 4)).astype(np.float32)
    x = 2 * np.pi * np.arange(12) / 12
    weights = np.stack([np.repeat(w[:, None], 4, axis=1).ravel() for w in (np.ones(12), np.cos(x), np.sin(x))])
    own = field.reshape(7, -1) @ weights.T
    images, symmetry = symmetric_images(
        field[:, None], np.zeros(48, dtype=np.float32), weights.astype(np.float32), 4, 0, ActiveIsing((12, 4))
    )
    assert np.array_equal(symmetry, np.tile([1, 0, 1, 0], (7, 1)))
    sign = np.array([-1, 1, -1, 1])
    np.testing.assert_allclose(images[..., 0], own[:, :1] * sign, atol=1e-3)
    np.testing.assert_allclose(
        np.hypot(images[..., 1], images[..., 2]), np.hypot(own[:, 1:2], own[:, 2:3]).repeat(4, axis=1), atol=1e-3
    )


@pytest.mark.slow
def test_plane_separates_planted_phases_and_repeats_itself():
    rng = np.random.default_rng(0)
    signs = np.repeat([-1.0, 1.0, 0.0], 40)
    plus = rng.poisson(1.5 * (1 + 0.9 * signs)[:, None, None], (120, 9, 9))
    minus = rng.poisson(1.5 * (1 - 0.9 * signs)[:, None, None], (120, 9, 9))
    counts = np.stack((plus, minus), axis=1).reshape(3, 4, 10, 2, 9, 9).astype(np.uint16)
    ensemble = xr.Dataset({"configurations": (("point", "replica", "sample", "species", "x", "y"), counts)})
    first = embed(ensemble, ActiveIsing(extents=(9, 9)), components=8)
    again = embed(ensemble, ActiveIsing(extents=(9, 9)), components=8)
    assert first.plane.shape == (120, 2)
    assert first.components.shape == (8, 1, 9, 9)
    np.testing.assert_array_equal(first.plane, again.plane)
    centres = np.array([first.plane[signs == s].mean(axis=0) for s in (-1, 1, 0)])
    distance = np.linalg.norm(first.plane[:, None] - centres, axis=2)
    assert np.array_equal(distance.argmin(axis=1), np.repeat(np.arange(3), 40))
    # Image 0 of every configuration is mirrored: it lies with the other sign.
    mirrored = np.linalg.norm(first.images[:, 0][:, None] - centres, axis=2).argmin(axis=1)
    assert np.array_equal(mirrored, np.repeat([1, 0, 2], 40))


def test_fewer_configurations_than_neighbours():
    plane = lay_out(np.random.default_rng(0).normal(size=(12, 3)).astype(np.float32), neighbours=15, seed=0)
    assert plane.shape == (12, 2)
    assert np.isfinite(plane).all()
