"""Configurations without labels: principal components of their channels, then UMAP to a plane.

The data matrix holds every channel of every site of every configuration, n × (channels Lx Ly), raw: neither smoothed
nor scaled. Which channels, and in what units, is the system's to say (``System.embedded``): by default all that a net
sees; of the Active Ising Model the magnetisation. The principal components are the eigenvectors w_k of the covariance
matrix, with eigenvalues lambda_k, and the coordinates p_k = (M - <M>) w_k. UMAP lays the leading coordinates out in a
plane by their Euclidean distances: they carry what the matrix knows of order and bands, the components left out are
noise of single sites, and the same clusters come several times cheaper.

The rules have symmetries: those of the system itself (``System.symmetries``: the spin flip of an Ising magnet, the
permutations of Potts colours, of a flock m -> -m with the drift reversed, x -> -x), and the translations of the torus.
An image of a configuration under them is as probable as the configuration, so images are laid out beside the
configurations. They fill the ring of band positions, which breaks into arcs or dissolves where an ensemble of a few
hundred samples it thinly, and they show which clusters are one another's image. The principal components are those of
the configurations alone.

Source: Casert et al., PRE 99, 023304, Sec. III; UMAP: McInnes, Healy, Melville, arXiv:1802.03426.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Float32, Int64

from lattice_ml.systems.base import System
from lattice_ml.systems.channels import channels_of, embedded_channels

if TYPE_CHECKING:
    import xarray as xr


ROWS = 1500
"""Configurations and images that are laid out at least; every configuration has one image at least."""


@dataclass(frozen=True)
class Embedding:
    """What the configurations look like without labels; n runs over (point, replica, sample), sample fastest.

    ratios: lambda_k / sum of all lambda, the components that were not kept included. components: w_k, unit vectors on
    the lattice. mean: the mean configuration that was subtracted. principal: p_k. plane: UMAP coordinates, whose
    neighbourhoods mean something and whose lengths do not. images: the plane's coordinates of images of each
    configuration, all shifted at random. symmetry: which of the system's symmetries each image has gone through
    besides, from 1; 0 for none.
    """

    ratios: Float[np.ndarray, " component"]
    components: Float32[np.ndarray, "component channel x y"]
    mean: Float32[np.ndarray, "channel x y"]
    principal: Float32[np.ndarray, "n component"]
    plane: Float32[np.ndarray, "n 2"]
    images: Float32[np.ndarray, "n image 2"]
    symmetry: Int64[np.ndarray, "n image"]


def embed(ensemble: xr.Dataset, system: System, components: int = 25, neighbours: int = 15, seed: int = 0) -> Embedding:
    """Embed a whole ensemble: see ``embed_field``.

    ensemble: with ``configurations`` [point, replica, sample, species, x, y]; it must fit in memory as float32.
    """
    return embed_fields(embedded_fields(ensemble, system), system, components, neighbours, seed)


def embed_fields(
    fields: Float32[np.ndarray, "n channel x y"],
    system: System,
    components: int = 25,
    neighbours: int = 15,
    seed: int = 0,
) -> Embedding:
    """Embed the ``embedded`` channels of configurations of a system, whose symmetries it knows.

    components: principal components kept. neighbours: UMAP's ``n_neighbors``. seed: of the randomised singular value
    decomposition, the images and UMAP; the same seed gives the same plane.
    """
    count, *shape = fields.shape
    matrix = fields.reshape(count, -1)
    ratios, weights, mean, principal = principal_components(matrix, min(components, *matrix.shape), seed)
    images, symmetry = symmetric_images(fields, mean, weights, max(1, math.ceil(ROWS / count) - 1), seed, system)
    everything = np.concatenate((principal[:, None], images), axis=1)
    plane = lay_out(everything.reshape(-1, principal.shape[1]), neighbours, seed).reshape(count, -1, 2)
    return Embedding(
        ratios=ratios,
        components=weights.reshape(-1, *shape),
        mean=mean.reshape(shape),
        principal=principal,
        plane=plane[:, 0],
        images=plane[:, 1:],
        symmetry=symmetry,
    )


def embedded_fields(ensemble: xr.Dataset, system: System) -> Float32[np.ndarray, "n channel x y"]:
    """The channels of every configuration that the system wants embedded."""
    configurations = ensemble["configurations"].transpose("point", "replica", "sample", "species", "x", "y")
    points, replicas, samples, _, width, height = configurations.shape
    own = embedded_channels(system)
    fields = np.empty((points, replicas * samples, len(own), width, height), dtype=np.float32)
    for k in range(points):
        states = configurations[k].to_numpy()
        fields[k] = channels_of(system, states.reshape(-1, *states.shape[-3:])).numpy()[:, own]
    return fields.reshape(-1, len(own), width, height)


def order_field(ensemble: xr.Dataset, system: System) -> Float32[np.ndarray, "n x y"]:
    """The first embedded channel of every configuration (the magnetisation of the Active Ising Model)."""
    return embedded_fields(ensemble, system)[:, 0]


def images_of(
    fields: Float32[np.ndarray, "n channel x y"], system: System
) -> list[Float32[np.ndarray, "n channel x y"]]:
    """The images of embedded channels under the system's own symmetries.

    A symmetry is told of all channels; those that are not embedded are zero here, so none of them may show in one that
    is: ``check_system`` sees to it.
    """
    own = embedded_channels(system)
    everything = np.zeros((len(fields), len(system.channels), *fields.shape[2:]), dtype=fields.dtype)
    everything[:, own] = fields
    return [image[:, own] for image in system.symmetries(everything)]


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
    fields: Float32[np.ndarray, "n channel x y"],
    mean: Float32[np.ndarray, " number"],
    weights: Float32[np.ndarray, "component number"],
    count: int,
    seed: int,
    system: System,
) -> tuple[Float32[np.ndarray, "n image component"], Int64[np.ndarray, "n image"]]:
    """Principal coordinates of ``count`` images of each configuration, and the symmetry that each went through.

    Each is shifted by its own uniform (dx, dy); images 0, 2, ... go through one of the system's symmetries as well,
    which take turns over images and configurations.
    """
    generator = np.random.default_rng(seed)
    images = np.empty((len(fields), count, len(weights)), dtype=np.float32)
    symmetry = np.zeros((len(fields), count), dtype=np.int64)
    for n, configuration in enumerate(fields):
        shifts = generator.integers(configuration.shape[1:], size=(count, 2))
        moved = np.stack([np.roll(configuration, tuple(shift), axis=(1, 2)) for shift in shifts])
        turned = images_of(moved[::2], system)
        if turned:
            symmetry[n, ::2] = (n + np.arange(len(moved[::2]))) % len(turned) + 1
            moved[::2] = np.stack(turned)[symmetry[n, ::2] - 1, np.arange(len(moved[::2]))]
        images[n] = (moved.reshape(count, -1) - mean) @ weights.T
    return images, symmetry


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
