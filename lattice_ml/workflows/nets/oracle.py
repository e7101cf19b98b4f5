"""How exactly the hand-set net of a task answers: the floor that the error of every trained net is a distance from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from hydra.utils import get_class
from omegaconf import DictConfig

from lattice_ml.cli.runtime import build, plan_of
from lattice_ml.ensembles.store import points_of
from lattice_ml.ground.errors import UserError
from lattice_ml.nets.members import Members
from lattice_ml.tasks.members import MemberTask
from lattice_ml.workflows.nets.data import Test, cases

if TYPE_CHECKING:
    from lattice_ml.systems.base import Point, System


def require_oracle(config: DictConfig, system: System) -> None:
    """Raise ``UserError`` if there is an ``oracle`` whose weights the task cannot set, before any work."""
    if config.get("oracle") is None:
        return
    if not hasattr(get_class(config.task._target_), "oracle"):
        raise UserError(f"{config.task._target_} has no weights that answer exactly: give oracle=null.")
    set_by_hand(config, system, plan_of(config.ensemble).points[0])


def measure_oracle(config: DictConfig, system: System, tests: list[Test]) -> list[dict[str, Any]]:
    """``[{"part", "lattice", <score>}]`` of the hand-set net, averages over the points of every test lattice.

    The weights are a function of the point: W of the scalar field depends on eta. In float32, as trained nets are.
    """
    found: dict[tuple[str, str], list[dict[str, float]]] = {}
    for case in cases(config, set_by_hand(config, system, points_of(tests[0][1])[0]), tests):
        scores = set_by_hand(config, system, case.point).judge(case.states, case.targets)
        own = {name: float(values[0]) for name, values in scores.items()}
        found.setdefault((case.part, case.torus), []).append(own)
    return [
        {"part": part, "lattice": torus, **{name: float(np.mean([row[name] for row in rows])) for name in rows[0]}}
        for (part, torus), rows in found.items()
    ]


def set_by_hand(config: DictConfig, system: System, point: Point) -> MemberTask:
    """The task with the net of ``oracle`` as its only member, of the weights by which it answers exactly at a point."""
    task: Any = get_class(config.task._target_)
    shape = {"in_channels": len(system.channels), "extents": system.extents, "outputs": len(task.outputs)}
    if "layers" not in config.oracle:
        raise UserError(f"oracle is {config.oracle._target_}, no list of layers: leave it to the task, or oracle=null.")
    try:
        net = task.oracle(build(config.oracle, **shape), system, point)
    except ValueError as error:
        raise UserError(f"the net of oracle will not do, {error}: leave it to the task, or oracle=null.") from error
    return build(config.task, net=Members([net]), system=system)
