"""Names for what the embedding shows: clusters, their symmetries, their physics, their temperatures.

With no human in between:

1. Clusters of the UMAP plane by density (HDBSCAN: Campello, Moulavi, Sander, 2013), whose number is an outcome. A
   configuration that HDBSCAN leaves out as noise joins its nearest clustered neighbour.
2. Groups: a symmetry of the rules maps a phase onto itself or its twin (the mirror takes the liquid with m > 0 to the
   one with m < 0, a permutation one Potts colour to another, a translation moves a band). So clusters that the images
   of one another fall into are one group.
3. Names: the observables of the groups say which phase each is, or that they are no phases (the system's own
   ``name_groups``). Finer and finer clusters are tried, coarsest first, until every phase of the system is found.
4. Temperatures: the transition between two phases lies where their shares of the configurations cross
   (``boundary.boundaries``), and every configuration is labelled by the temperature range that it lies in.

Source of the idea: Casert et al., PRE 99, 023304, Sec. III (there a human named the groups).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Float32, Int64

from lattice_ml.ensembles.store import points_of
from lattice_ml.ground.errors import UserError
from lattice_ml.phases.boundary import boundary_table, ordered_assignment
from lattice_ml.phases.embed import Embedding
from lattice_ml.phases.groups import group_twins, orient_groups
from lattice_ml.phases.not_found import Attempt, not_found
from lattice_ml.phases.observed import observed
from lattice_ml.systems.base import Point, System

if TYPE_CHECKING:
    import xarray as xr

SMALLEST_SHARES = (0.06, 0.045, 0.03, 0.02, 0.014, 0.01)
"""Sizes of the smallest cluster, as shares of the ensemble, in the order in which they are tried."""

SMALLEST = 5
"""Configurations that the smallest cluster has at least."""


@dataclass(frozen=True)
class Labels:
    """Phases of an ensemble found without labels; phases are indices into ``phases``.

    labels: by the temperature range that the configuration lies in. phase: by its own cluster. cluster: numbers of
    the clusters of the plane, -1 where HDBSCAN saw noise. group: numbers of the oriented groups, which a mirror image
    tells apart (``groups.py``). shares: of each phase among the configurations of a point.
    transitions: contract 4's list with ``"method": "umap"``. observables: means over the configurations of a phase.
    """

    phases: tuple[str, ...]
    labels: Int64[np.ndarray, "point replica sample"]
    phase: Int64[np.ndarray, "point replica sample"]
    cluster: Int64[np.ndarray, "point replica sample"]
    group: Int64[np.ndarray, "point replica sample"]
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
            "groups": int(self.group.max()) + 1,
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
    """Label an embedded ensemble, which must be one scan of the control parameter; ``seed`` of the bootstrap.

    Raises ``UserError`` as ``find_phases`` does.
    """
    shape = tuple(ensemble.sizes[name] for name in ("point", "replica", "sample"))
    return find_phases(embedding, read_observables(ensemble, system), points_of(ensemble), shape, system, seed)


def read_observables(ensemble: xr.Dataset, system: System) -> dict[str, Float[np.ndarray, " n"]]:
    """The system's observables of every configuration, n over (point, replica, sample), sample fastest."""
    return {name: values.ravel() for name, values in observed(ensemble, system).items()}


def find_phases(
    embedding: Embedding,
    observables: Mapping[str, Float[np.ndarray, " n"]],
    points: Sequence[Point],
    shape: tuple[int, ...],
    system: System,
    seed: int = 0,
) -> Labels:
    """Label the configurations of one scan from their place in the plane.

    observables: of the configurations, in the order of the embedding. points: of the scan. shape: (points, replicas,
    samples). seed: of the bootstrap.
    Raises ``UserError`` if there are several scans, or if no clustering of the plane shows the system's phases in the
    order that the system states.
    """
    if not system.phases:
        raise UserError(f"{system.name} names no phases that could be sought: give its class phases, in their order.")
    control = np.array([point[system.control] for point in points])
    if len(np.unique(control)) < len(control):
        other = next((name for name in points[0] if name != system.control), None)
        example = f", e.g. ensemble.grid.{other}=[{points[0][other]:g}]" if other is not None else ""
        raise UserError(
            f"this ensemble has several points at the same {system.control}, and labels are found along a single scan: "
            f"give one value of every other parameter{example}."
        )
    own_names = list(observables)
    observables = {system.control: np.repeat(control, shape[1] * shape[2]), **observables}
    everything = np.concatenate((embedding.plane[:, None], embedding.images), axis=1)
    plane = everything.reshape(-1, 2)

    sorting, attempts = np.argsort(control), []
    for share in SMALLEST_SHARES:
        raw = find_clusters(plane, max(SMALLEST, round(share * len(plane))))
        if raw.max() < 0:
            continue
        cluster = join_noise(plane, raw).reshape(everything.shape[:2])
        raw, own = raw.reshape(cluster.shape)[:, 0], cluster[:, 0]
        group = np.unique(group_twins(own, cluster[:, 1:], embedding.symmetry)[own], return_inverse=True)[1]
        names = system.name_groups(observables, group)
        attempts.append(Attempt(group, names))
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
        oriented = orient_groups(own, cluster[:, 1:], embedding.symmetry).of_cluster[own]
        return Labels(
            phases=tuple(system.phases),
            labels=np.broadcast_to(ranges[:, None, None], shape).copy(),
            phase=phase,
            cluster=raw.reshape(shape),
            group=np.unique(oriented, return_inverse=True)[1].reshape(shape),
            shares=shares,
            transitions=boundary_table(points, member, system.phases, system.control, "umap", seed),
            observables=_means({name: observables[name] for name in own_names}, phase.ravel(), system.phases),
        )
    raise UserError(not_found(system, attempts, observables))


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


def _means(
    observables: Mapping[str, Float[np.ndarray, " n"]], phase: Int64[np.ndarray, " n"], phases: Sequence[str]
) -> dict[str, dict[str, float]]:
    return {
        name: {key: float(values[phase == k].mean()) for key, values in observables.items()}
        for k, name in enumerate(phases)
    }
