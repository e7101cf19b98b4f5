"""What a comparison of committees with the truth passes on: what they were asked about, and what they said."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    import xarray as xr

    from lattice_ml.systems.base import System
    from lattice_ml.tasks.classify_committee import ClassifyCommittee


class Part(NamedTuple):
    """Configurations that the committees are asked about: what they are, and on which torus."""

    name: str
    system: System
    ensemble: xr.Dataset


class Judged(NamedTuple):
    """A committee and what it said. found: by the name of the part. history: the metrics of every epoch."""

    l2: float
    task: ClassifyCommittee
    found: dict[str, np.ndarray]
    history: list[dict[str, float]]
