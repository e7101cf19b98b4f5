"""Phase boundaries from the observables of the configurations alone: the independent truth at the same torus.

The system's own rule says of every configuration which phase it shows (``System.recognise``: is a band there, and if
not, is the lattice polarised); the boundary of two phases lies where their shares cross, by the same ``boundary_table``
that reads a net's class probabilities. So what differs from the net's boundaries is the net, and not the reading.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float

from lattice_ml.ensembles.store import points_of
from lattice_ml.phases.boundary import boundary_table
from lattice_ml.phases.observed import observed
from lattice_ml.phases.scan import place_of
from lattice_ml.systems.base import System

if TYPE_CHECKING:
    import xarray as xr


def recognised(ensemble: xr.Dataset, system: System) -> Float[np.ndarray, "point replica sample phase"] | None:
    """1 for the phase that a configuration shows, 0 for the others; None where the system has no rule.

    Configurations are compared with those of their own scan: the points that differ in the control parameter alone.
    """
    points = points_of(ensemble)
    seen = observed(ensemble, system)
    shape = next(iter(seen.values())).shape
    member = np.zeros((*shape, len(system.phases)))
    for place in {place_of(point, system.control) for point in points}:
        scan = [k for k, point in enumerate(points) if place_of(point, system.control) == place]
        phase = system.recognise({name: values[scan].ravel() for name, values in seen.items()})
        if phase is None:
            return None
        member[scan] = np.eye(len(system.phases))[phase].reshape(len(scan), *member.shape[1:])
    return member


def true_boundaries(ensemble: xr.Dataset, system: System, seed: int = 0, method: str = "band") -> list[dict[str, Any]]:
    """Contract 4's list of boundaries with their errors, bootstrapped over replicas; [] where there is no rule."""
    member = recognised(ensemble, system)
    if member is None:
        return []
    return boundary_table(points_of(ensemble), member, system.phases, system.control, method, seed)
