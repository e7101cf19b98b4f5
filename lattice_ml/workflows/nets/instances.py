"""The instances of a net that are trained at once: their weights and the task that they have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lattice_ml.data.settings import DataSettings
from lattice_ml.ground.errors import UserError
from lattice_ml.ground.recipe import Recipe

if TYPE_CHECKING:
    from lattice_ml.nets.lattice_cnn import LatticeCNN
    from lattice_ml.systems.base import System
    from lattice_ml.tasks.members import MemberTask


def build_task(
    task: Recipe[MemberTask], model: Recipe[LatticeCNN], settings: DataSettings, seed: int, system: System
) -> MemberTask:
    """The task on ``settings.members`` instances of a net, their weights a function of (seed, member)."""
    from lattice_ml.nets.members import Members

    assert settings.members is not None  # checked before any work
    shape = shape_of(task, system)
    return task(net=Members.initialise(lambda: build_net(model, **shape), settings.members, seed), system=system)


def build_net(model: Recipe[LatticeCNN], **shape: Any) -> LatticeCNN:
    """One net of this shape; raises ``UserError`` on one that is not trained in several instances."""
    from lattice_ml.nets.lattice_cnn import LatticeCNN

    net = model(**shape) if "layers" in model.settings else None
    if not isinstance(net, LatticeCNN):
        raise UserError(f"{model.name} is not trained in several instances: give e.g. model=flux/eq.")
    return net


def shape_of(task: Recipe[MemberTask], system: System) -> dict[str, Any]:
    """What a net must know: channels of the system, extents of its torus, outputs that the task asks for."""
    return {"in_channels": len(system.channels), "extents": system.extents, "outputs": len(task.kind.outputs)}
