"""How much of what the plane shows is the phases', and how much this ensemble's: the same steps on resampled data.

A resampling draws, at every temperature on its own, as many replicas with replacement as there are; all samples of a
replica move together, since they are one trajectory. Each configuration drawn is replaced by an image of it under the
symmetries of the rules, any of them or none (mirrored with probability 1/2), shifted at random: it is as probable as
the configuration itself, and no two rows are the same, which would be neighbours at distance zero and a cluster of
their own. Principal components, UMAP, clusters and names are found anew, with other random numbers as well.

The standard deviation of a transition temperature over resamplings, times sqrt(R / (R - 1)) as in ``boundary.py``, is
thus an error of the whole method: of the configurations, of the layout and of the clusters. Source of the bootstrap:
Efron & Tibshirani (1993), "An Introduction to the Bootstrap", Chap. 6.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Float32, Int64

from lattice_ml.phases.embed import embed_fields, images_of
from lattice_ml.phases.label import Labels, find_phases
from lattice_ml.systems.base import Point, System


def drawn_replicas(shape: Sequence[int], seed: int) -> Int64[np.ndarray, "point replica"]:
    """Numbers of the replicas drawn at every point; shape: (points, replicas, ...)."""
    return np.random.default_rng(seed).integers(shape[1], size=tuple(shape[:2]))


def rows_of(replicas: Int64[np.ndarray, "point replica"], samples: int) -> Int64[np.ndarray, " n"]:
    """Numbers of the configurations of these replicas, n over (point, replica, sample), sample fastest."""
    points, count = replicas.shape
    first = (np.arange(points)[:, None] * count + replicas) * samples
    return (first[:, :, None] + np.arange(samples)).ravel()


def random_images(
    fields: Float32[np.ndarray, "n channel x y"], system: System, seed: int
) -> Float32[np.ndarray, "n channel x y"]:
    """Each configuration shifted by its own uniform (dx, dy), and under one of the symmetries or none, all as likely.

    With a mirror alone every second one on average is mirrored.
    """
    generator = np.random.default_rng(seed)
    shifts = generator.integers(fields.shape[2:], size=(len(fields), 2))
    known = len(images_of(fields[:1], system))
    symmetry = generator.integers(known + 1, size=len(fields))
    images = np.stack([np.roll(own, tuple(shift), axis=(1, 2)) for own, shift in zip(fields, shifts, strict=True)])
    for one in range(1, known + 1):
        turned = symmetry == one
        images[turned] = images_of(images[turned], system)[one - 1]
    return images


def resample(
    fields: Float32[np.ndarray, "n channel x y"],
    observables: Mapping[str, Float[np.ndarray, " n"]],
    points: Sequence[Point],
    shape: tuple[int, ...],
    system: System,
    seed: int,
    **settings: Any,
) -> Labels:
    """The labels of one resampling; arguments as of ``embed_fields`` and ``find_phases``, whose errors it raises.

    observables: those that a name depends on must be the same of a configuration and of its images.
    """
    rows = rows_of(drawn_replicas(shape, seed), shape[2])
    images = random_images(fields[rows], system, seed + 1)
    embedding = embed_fields(images, system, **{**settings, "seed": seed})
    own = {name: values[rows] for name, values in observables.items()}
    return find_phases(embedding, own, points, shape, system, seed)


def composition(labels: Labels) -> dict[str, int]:
    """Into how many oriented groups each phase falls: {"L": 2, "L+G": 2, "G": 1} if mirror images alone divide them."""
    return {name: len(np.unique(labels.group[labels.phase == k])) for k, name in enumerate(labels.phases)}
