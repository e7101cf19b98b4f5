"""Names for what the embedding shows: clusters, their symmetries, their physics, their temperatures.

With no human in between:

1. Clusters of the UMAP plane by density (HDBSCAN: Campello, Moulavi, Sander, 2013), whose number is an outcome. A
   configuration that HDBSCAN leaves out as noise joins its nearest clustered neighbour.
2. Groups: a symmetry of the rules maps a phase onto itself or its twin (the mirror takes the liquid with m > 0 to the
   one with m < 0, a translation moves a band). So clusters that the images of one another fall into are one group.
3. Names: the observables of the groups say which phase each is, or that they are no phases (the system's own
   ``name_groups``). Finer and finer clusters are tried, coarsest first, until every phase of the system is found.
4. Temperatures: the transition between two phases lies where their shares of the configurations cross
   (``boundary.boundaries``), and every configuration is labelled by the temperature range that it lies in.

Source of the idea: Casert et al., PRE 99, 023304, Sec. III (there a human named the groups).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Float32, Int64

from lattice_ml.ensembles.store import points_of
from lattice_ml.errors import UserError
from lattice_ml.phases.boundary import boundary_table, ordered_assignment
from lattice_ml.phases.embed import Embedding
from lattice_ml.systems.base import System

if TYPE_CHECKING:
    import xarray as xr

SMALLEST_SHARES = (0.06, 0.045, 0.03, 0.02, 0.014, 0.01)
"""Sizes of the smallest cluster, as shares of the ensemble, in the order in which they are tried."""

SMALLEST = 5
"""Configurations that the smallest cluster has at least."""

TWIN = 0.15
"""Share of a cluster's images that must fall into another cluster for the two to be one group: well above the stray
images at the rim of a cluster, well below the share of one of three arcs into which a ring of band positions may
break."""


@dataclass(frozen=True)
class Labels:
    """Phases of an ensemble found without labels; phases are indices into ``phases``.

    labels: by the temperature range that the configuration lies in. phase: by its own cluster. cluster: numbers of
    the clusters of the plane, -1 where HDBSCAN saw noise. shares: of each phase among the configurations of a point.
    transitions: contract 4's list with ``"method": "umap"``. observables: means over the configurations of a phase.
    """

    phases: tuple[str, ...]
    labels: Int64[np.ndarray, "point replica sample"]
    phase: Int64[np.ndarray, "point replica sample"]
    cluster: Int64[np.ndarray, "point replica sample"]
    shares: Float[np.ndarray, "point phase"]
    transitions: list[dict[str, Any]]
    observables: dict[str, dict[str, float]]

    def middle(self, control: Float[np.ndarray, " point"], phase: int) -> int:
        """The point nearest to the middle of a phase's range; control: the values along the scan ``[point]``."""
        own = control[self.labels[:, 0, 0] == phase]
        return int(np.argmin(np.abs(control - (own.min() + own.max()) / 2)))

    def summary(self) -> dict[str, Any]:
        """Plain JSON values for ``results.json``."""
        return {
            "transitions": self.transitions,
            "clusters": int(self.cluster.max()) + 1,
            "noise": float((self.cluster < 0).mean()),
            "moved": float((self.phase != self.labels).mean()),
            "counts": {name: int((self.labels == k).sum()) for k, name in enumerate(self.phases)},
            "observables": self.observables,
        }


def name_clusters(
    embedding: Embedding,
    ensemble: xr.Dataset,
    system: System,
    seed: int = 0,
) -> Labels:
    """Label an embedded ensemble, which must be one scan of the control parameter.

    seed: of the bootstrap.
    Raises ``UserError`` if the ensemble holds several scans, or if no clustering of the plane shows the system's phases
    in the order that the system states.
    """
    control = np.asarray(ensemble[system.control].values, dtype=np.float64)
    if len(np.unique(control)) < len(control):
        raise UserError(
            f"this ensemble has several points at the same {system.control}, and labels are found along a single scan: "
            f"give one value of every other parameter, e.g. ensemble.grid.rho0=[3]."
        )
    configurations = ensemble["configurations"].transpose("point", "replica", "sample", "species", "x", "y")
    shape = configurations.shape[:3]
    points = points_of(ensemble)
    observables = [system.observables(configurations[k].to_numpy(), points[k]) for k in range(shape[0])]
    flat = {name: np.concatenate([point[name].ravel() for point in observables]) for name in observables[0]}
    everything = np.concatenate((embedding.plane[:, None], embedding.images), axis=1)
    plane = everything.reshape(-1, 2)

    sorting, seen = np.argsort(control), []
    for share in SMALLEST_SHARES:
        raw = find_clusters(plane, max(SMALLEST, round(share * len(plane))))
        if raw.max() < 0:
            continue
        cluster = join_noise(plane, raw).reshape(everything.shape[:2])
        raw = raw.reshape(cluster.shape)[:, 0]
        group = group_twins(cluster[:, 0], cluster[:, 1:])[cluster[:, 0]]
        group = np.unique(group, return_inverse=True)[1]
        seen.append(int(group.max()) + 1)
        names = system.name_groups(flat, group)
        if names is None or set(names) != set(system.phases):
            continue
        index = np.array([system.phases.index(name) for name in names])
        phase = index[group].reshape(shape)
        member = np.eye(len(system.phases))[phase]
        shares = member.mean(axis=(1, 2))
        ranges = np.empty(shape[0], dtype=np.int64)
        ranges[sorting] = ordered_assignment(shares[sorting])
        if len(np.unique(ranges)) < len(system.phases):
            continue
        return Labels(
            phases=tuple(system.phases),
            labels=np.broadcast_to(ranges[:, None, None], shape).copy(),
            phase=phase,
            cluster=raw.reshape(shape),
            shares=shares,
            transitions=boundary_table(points_of(ensemble), member, system.phases, system.control, "umap", seed),
            observables=_means(flat, phase.ravel(), system.phases),
        )
    raise UserError(
        f"the embedding shows {' or '.join(map(str, sorted(set(seen)))) or 'no'} groups of configurations that do not "
        f"look like the {len(system.phases)} phases {', '.join(system.phases)}: see figures/embedding.png; let "
        f"ensemble.grid.{system.control} reach into every phase, or raise ensemble.samples."
    )


def find_clusters(plane: Float32[np.ndarray, "n 2"], smallest: int) -> Int64[np.ndarray, " n"]:
    """Clusters of at least ``smallest`` points; -1 is noise."""
    from sklearn.cluster import HDBSCAN

    finder = HDBSCAN(min_cluster_size=smallest, min_samples=SMALLEST, copy=True)  # pyright: ignore[reportArgumentType]
    clusters = finder.fit_predict(plane)
    return clusters.astype(np.int64)


def join_noise(plane: Float32[np.ndarray, "n 2"], cluster: Int64[np.ndarray, " n"]) -> Int64[np.ndarray, " n"]:
    """Give each noise point the cluster of the nearest point that has one."""
    from sklearn.neighbors import KNeighborsClassifier

    clustered = cluster >= 0
    if clustered.all():
        return cluster
    nearest = KNeighborsClassifier(n_neighbors=1).fit(plane[clustered], cluster[clustered])
    joined = cluster.copy()
    joined[~clustered] = nearest.predict(plane[~clustered])
    return joined


def group_twins(
    cluster: Int64[np.ndarray, " n"], images: Int64[np.ndarray, "n image"]
) -> Int64[np.ndarray, " cluster"]:
    """Number of the group that each cluster belongs to.

    cluster: of each configuration. images: of its symmetric images. Clusters a and b are twins if at least the share
    TWIN of a's images lie in b, or the other way round; groups are the connected sets of twins.
    """
    from scipy.sparse.csgraph import connected_components

    count = int(max(cluster.max(), images.max())) + 1
    flow = np.zeros((count, count))
    np.add.at(flow, (np.repeat(cluster, images.shape[1]), images.ravel()), 1)
    flow /= np.maximum(flow.sum(axis=1, keepdims=True), 1)
    return connected_components(flow >= TWIN, directed=False)[1].astype(np.int64)


def _means(
    observables: Mapping[str, Float[np.ndarray, " n"]], phase: Int64[np.ndarray, " n"], phases: Sequence[str]
) -> dict[str, dict[str, float]]:
    return {
        name: {key: float(values[phase == k].mean()) for key, values in observables.items()}
        for k, name in enumerate(phases)
    }
