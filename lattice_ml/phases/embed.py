"""Configurations without labels: principal components of the order field, then UMAP to a plane.

The data matrix holds the magnetisation of every site of every configuration, n × (Lx Ly), raw: neither smoothed nor
scaled. Its principal components are the eigenvectors w_k of the covariance matrix, with eigenvalues lambda_k, and the
coordinates p_k = (M - <M>) w_k. UMAP lays the leading coordinates out in a plane by their Euclidean distances: they
carry what the matrix knows of order and bands, the components left out are Poisson noise of single sites, and the same
clusters come several times cheaper.

The rules have symmetries: m -> -m (with the particles' drift reversed, x -> -x), and the translations of the torus. An
image of a configuration under them is as probable as the configuration, so images are laid out beside the
configurations. They fill the ring of band positions, which breaks into arcs or dissolves where an ensemble of a few
hundred samples it thinly, and they show which clusters are one another's mirror image. The principal components are
those of the configurations alone.

Source: Casert et al., PRE 99, 023304, Sec. III; UMAP: McInnes, Healy, Melville, arXiv:1802.03426.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Float32

from lattice_ml.systems.base import System

if TYPE_CHECKING:
    import xarray as xr


ROWS = 1500
"""Configurations and images that are laid out at least; every configuration has one image at least."""


@dataclass(frozen=True)
class Embedding:
    """What the configurations look like without labels; n runs over (point, replica, sample), sample fastest.

    ratios: lambda_k / sum of all lambda, the components that were not kept included. components: w_k, unit vectors on
    the lattice. mean: the mean configuration that was subtracted. principal: p_k. plane: UMAP coordinates, whose
    neighbourhoods mean something and whose lengths do not. images: the plane's coordinates of symmetric images of each
    configuration; even ones are mirrored, all are shifted at random.
    """

    ratios: Float[np.ndarray, " component"]
    components: Float32[np.ndarray, "component x y"]
    mean: Float32[np.ndarray, "x y"]
    principal: Float32[np.ndarray, "n component"]
    plane: Float32[np.ndarray, "n 2"]
    images: Float32[np.ndarray, "n image 2"]


def embed(ensemble: xr.Dataset, system: System, components: int = 25, neighbours: int = 15, seed: int = 0) -> Embedding:
    """Embed a whole ensemble: see ``embed_field``.

    ensemble: with ``configurations`` [point, replica, sample, species, x, y]; it must fit in memory as float32.
    """
    return embed_field(order_field(ensemble, system), system.mirror, components, neighbours, seed)


def embed_field(
    field: Float32[np.ndarray, "n x y"],
    mirror: Callable[[np.ndarray], np.ndarray],
    components: int = 25,
    neighbours: int = 15,
    seed: int = 0,
) -> Embedding:
    """Embed configurations of the order field, whose ``mirror`` the system knows.

    components: principal components kept. neighbours: UMAP's ``n_neighbors``. seed: of the randomised singular value
    decomposition, the images and UMAP; the same seed gives the same plane.
    """
    count, *extents = field.shape
    matrix = field.reshape(count, -1)
    ratios, weights, mean, principal = principal_components(matrix, min(components, *matrix.shape), seed)
    images = symmetric_images(field, mean, weights, max(1, math.ceil(ROWS / count) - 1), seed, mirror)
    everything = np.concatenate((principal[:, None], images), axis=1)
    plane = lay_out(everything.reshape(-1, principal.shape[1]), neighbours, seed).reshape(count, -1, 2)
    return Embedding(
        ratios=ratios,
        components=weights.reshape(-1, *extents),
        mean=mean.reshape(extents),
        principal=principal,
        plane=plane[:, 0],
        images=plane[:, 1:],
    )


def order_field(ensemble: xr.Dataset, system: System) -> Float32[np.ndarray, "n x y"]:
    """The first channel of every configuration (the magnetisation of the Active Ising Model)."""
    import torch

    configurations = ensemble["configurations"].transpose("point", "replica", "sample", "species", "x", "y")
    points, replicas, samples, _, width, height = configurations.shape
    field = np.empty((points, replicas * samples, width, height), dtype=np.float32)
    for k in range(points):
        states = configurations[k].to_numpy().astype(np.int32)
        states = torch.from_numpy(states.reshape(-1, *states.shape[-3:]))
        field[k] = system.to_channels(states)[:, 0].numpy()
    return field.reshape(-1, width, height)


def principal_components(
    matrix: Float32[np.ndarray, "n site"], components: int, seed: int
) -> tuple[
    Float[np.ndarray, " component"],
    Float32[np.ndarray, "component site"],
    Float32[np.ndarray, " site"],
    Float32[np.ndarray, "n component"],
]:
    """Shares of the total variance, components, mean and coordinates of the leading principal components.

    Randomised singular value decomposition (Halko, Martinsson, Tropp, SIAM Rev. 53, 217): 1 s for 4,050 × 6,561 on a
    core, where diagonalising the covariance takes minutes. The total variance is that of the matrix itself.
    """
    from sklearn.decomposition import PCA

    analysis = PCA(n_components=components, svd_solver="randomized", random_state=seed)
    principal = analysis.fit_transform(matrix)
    return (
        np.asarray(analysis.explained_variance_ratio_, dtype=np.float64),
        np.asarray(analysis.components_, dtype=np.float32),
        np.asarray(analysis.mean_, dtype=np.float32),
        np.asarray(principal, dtype=np.float32),
    )


def symmetric_images(
    field: Float32[np.ndarray, "n x y"],
    mean: Float32[np.ndarray, " site"],
    weights: Float32[np.ndarray, "component site"],
    count: int,
    seed: int,
    mirror: Callable[[np.ndarray], np.ndarray],
) -> Float32[np.ndarray, "n image component"]:
    """Principal coordinates of ``count`` images of each configuration.

    Each is shifted by its own uniform (dx, dy); images 0, 2, ... go through the system's ``mirror`` as well.
    """
    generator = np.random.default_rng(seed)
    images = np.empty((len(field), count, len(weights)), dtype=np.float32)
    for n, configuration in enumerate(field):
        shifts = generator.integers(configuration.shape, size=(count, 2))
        moved = np.stack([np.roll(configuration, tuple(shift), axis=(0, 1)) for shift in shifts])
        moved[::2] = mirror(moved[::2])
        images[n] = (moved.reshape(count, -1) - mean) @ weights.T
    return images


def lay_out(principal: Float32[np.ndarray, "n component"], neighbours: int, seed: int) -> Float32[np.ndarray, "n 2"]:
    """UMAP of the coordinates to two dimensions, Euclidean, min_dist = 0 so that clusters are dense.

    One thread (``n_jobs=1``): UMAP's parallel layout depends on the order of its threads. Neighbours are found exactly.
    """
    from sklearn.neighbors import NearestNeighbors

    neighbours = min(neighbours, len(principal) - 1)
    distances, indices = (
        NearestNeighbors(n_neighbors=neighbours, algorithm="brute").fit(principal).kneighbors(principal)
    )

    with warnings.catch_warnings():
        # UMAP warns of an optional part that is not installed, and that neighbours given from outside cannot place
        # new points, which nobody asks of it here.
        warnings.simplefilter("ignore")
        import umap

        layout = umap.UMAP(
            n_components=2,
            n_neighbors=neighbours,
            min_dist=0.0,
            metric="euclidean",
            precomputed_knn=(indices, distances.astype(np.float32)),
            random_state=seed,
            n_jobs=1,
            tqdm_kwds={"desc": "UMAP", "disable": None, "leave": False},
        )
        return np.asarray(layout.fit_transform(principal), dtype=np.float32)
