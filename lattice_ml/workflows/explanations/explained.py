"""A finished run, opened again: its rules, its ensembles and its trained task, to be asked why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import xarray as xr
    from torch import nn

    from lattice_ml.systems.base import System


@dataclass(frozen=True)
class Explained:
    """folder: of the run. system: on the torus of its training. task: its LightningModule with the best weights, in
    evaluation mode on the CPU. score: what is explained, channels ``[batch, channel, x, y]`` -> ``[batch, output]``, a
    module whose layers can be watched. outputs: names along its last axis. classes: whether they are scores of phases.
    unseen: opens an ensemble on the torus of the training that shares no trajectory with it; raises ``UserError`` if a
    store is not there any more.
    """

    folder: Path
    system: System
    task: Any
    score: nn.Module
    outputs: tuple[str, ...]
    classes: bool
    unseen: Callable[[], xr.Dataset]
