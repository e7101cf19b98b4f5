"""Observables of a whole ensemble, read point by point."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float

from lattice_ml.ensembles.store import points_of

if TYPE_CHECKING:
    import xarray as xr

    from lattice_ml.systems.base import System


def observed(ensemble: xr.Dataset, system: System) -> dict[str, Float[np.ndarray, "point replica sample"]]:
    """Every observable of the system, of every configuration."""
    configurations = ensemble["configurations"].transpose("point", "replica", "sample", "species", "x", "y")
    seen = [
        system.observables(own.to_numpy(), point)
        for own, point in zip(configurations, points_of(ensemble), strict=True)
    ]
    return {name: np.stack([row[name] for row in seen]) for name in seen[0]}
