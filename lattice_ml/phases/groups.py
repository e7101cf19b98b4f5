"""Which clusters are one another's symmetric images, and which of these are told apart by the mirror.

A symmetry of the rules maps a phase onto itself or onto its twin. So clusters that images of one another fall into
are one **group**, whatever the symmetry: the liquids of both signs, ordered Potts colours, or the arcs into which a
ring of band positions may break. Among them translations join what belongs together and the mirror joins twins: an
**oriented group** is what translations alone join. A gas is its own mirror image, one oriented group; a liquid and a
band have a twin each. Where there are several symmetries, each is a mirror here, and the flow is looked at of one at a
time: a large group of symmetries would thin it out.

Both follow from the flow of images between clusters, F(a, b) = share of the images of cluster a that fall into b, of
which TWIN must go one way or the other for a link. For oriented groups every cluster is taken twice, as itself and as
its mirror image: mirrored images link (a, +) with (b, -) and (a, -) with (b, +), unmirrored ones equal signs. In this
double cover the connected set of a group that is its own mirror image holds both signs, and that of a group with a
twin falls into two.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int64

TWIN = 0.15
"""Share of a cluster's images that must fall into another cluster for the two to be one group: well above the stray
images at the rim of a cluster, well below the share of one of three arcs into which a ring of band positions may
break."""


class OrientedGroups(NamedTuple):
    """of_cluster: number of the oriented group of each cluster. twin: of each oriented group its mirror image, itself
    for one without a twin."""

    of_cluster: Int64[np.ndarray, " cluster"]
    twin: Int64[np.ndarray, " group"]


def group_twins(
    cluster: Int64[np.ndarray, " n"],
    images: Int64[np.ndarray, "n image"],
    symmetry: Int64[np.ndarray, "n image"] | None = None,
) -> Int64[np.ndarray, " cluster"]:
    """Number of the group that each cluster belongs to.

    cluster: of each configuration. images: of its symmetric images. symmetry: that each went through, see
    ``symmetric_images``; None: one mirror or none.
    """
    from scipy.sparse.csgraph import connected_components

    count = int(max(cluster.max(), images.max())) + 1
    parts = [np.ones(images.shape, dtype=bool)]
    if symmetry is not None and symmetry.max() > 1:
        parts = [symmetry == one for one in range(symmetry.max() + 1)]
    joined = np.max([links(cluster, images, count, part) for part in parts], axis=0)
    return connected_components(joined, directed=False)[1].astype(np.int64)


def orient_groups(
    cluster: Int64[np.ndarray, " n"],
    images: Int64[np.ndarray, "n image"],
    symmetry: Int64[np.ndarray, "n image"] | None = None,
) -> OrientedGroups:
    """The oriented group of each cluster; all images are shifted, and those with a ``symmetry`` mirrored, by default
    images 0, 2, ... (``symmetric_images``)."""
    from scipy.sparse.csgraph import connected_components

    count = int(max(cluster.max(), images.max())) + 1
    if symmetry is None:
        symmetry = np.broadcast_to(1 - np.arange(images.shape[1]) % 2, images.shape)
    parts = [symmetry == one for one in range(1, int(symmetry.max()) + 1)]
    mirrored = np.max([np.zeros((count, count)), *(links(cluster, images, count, part) for part in parts)], axis=0)
    moved = links(cluster, images, count, symmetry == 0)
    cover = np.block([[moved, mirrored], [mirrored, moved]])
    component = connected_components(cover, directed=False)[1].reshape(2, count)
    numbers, renumbered = np.unique(component, return_inverse=True)
    own, reflected = renumbered.reshape(2, count).astype(np.int64)
    twin = np.arange(len(numbers))
    twin[own], twin[reflected] = reflected, own
    return OrientedGroups(own, twin)


def links(
    cluster: Int64[np.ndarray, " n"],
    images: Int64[np.ndarray, "n image"],
    count: int,
    part: Bool[np.ndarray, "n image"],
) -> Float[np.ndarray, "cluster cluster"]:
    """1 where a TWIN-th of the images of a cluster, of that ``part`` of them, falls into another, or the other way
    round."""
    flow = np.zeros((count, count))
    np.add.at(flow, (np.repeat(cluster, images.shape[1])[part.ravel()], images[part]), 1)
    flow /= np.maximum(flow.sum(axis=1, keepdims=True), 1)
    return ((flow >= TWIN) | (flow.T >= TWIN)).astype(np.float64)
