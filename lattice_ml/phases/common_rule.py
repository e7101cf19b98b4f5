"""Boundaries of several ensembles by one rule: the system's own, its cuts found on all of them together.

Cuts that each ensemble found for itself would differ, and one without bands would be cut all the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lattice_ml.ensembles.store import points_of
from lattice_ml.phases.boundary import boundary_table
from lattice_ml.phases.observed import observed

if TYPE_CHECKING:
    import xarray as xr

    from lattice_ml.systems.base import System


def boundaries_by_one_rule(
    ensembles: Sequence[xr.Dataset], system: System, methods: Sequence[str], seed: int = 0
) -> list[list[dict[str, Any]]]:
    """Contract 4's boundaries of each ensemble, ``methods`` their names; [] for each if the system has no rule.

    system: whose rule it is; the observables of one torus are compared, so the ensembles must share it.
    """
    seen = [observed(ensemble, system) for ensemble in ensembles]
    phase = system.recognise({name: np.concatenate([one[name].ravel() for one in seen]) for name in seen[0]})
    if phase is None:
        return [[] for _ in ensembles]
    tables, first = [], 0
    for ensemble, values, method in zip(ensembles, seen, methods, strict=True):
        shape = next(iter(values.values())).shape
        own = phase[first : first + np.prod(shape)].reshape(shape)
        first += int(np.prod(shape))
        member = np.eye(len(system.phases))[own]
        tables.append(boundary_table(points_of(ensemble), member, system.phases, system.control, method, seed))
    return tables
