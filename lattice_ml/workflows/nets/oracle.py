"""How exactly the hand-set net of a task answers: the floor that the error of every trained net is a distance from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lattice_ml.ground.errors import UserError
from lattice_ml.ground.recipe import Recipe
from lattice_ml.workflows.nets.data import Test, cases
from lattice_ml.workflows.nets.instances import shape_of

if TYPE_CHECKING:
    from lattice_ml.nets.lattice_cnn import LatticeCNN
    from lattice_ml.systems.base import Point, System
    from lattice_ml.tasks.members import MemberTask


def measure_oracle(
    oracle: Recipe[LatticeCNN], task: Recipe[MemberTask], system: System, tests: list[Test]
) -> list[dict[str, Any]]:
    """``[{"part", "lattice", <score>}]`` of the hand-set net, averages over the points of every test lattice.

    The weights are a function of the point: W of the scalar field depends on eta. In float32, as trained nets are.
    """
    from lattice_ml.ensembles.store import points_of

    found: dict[tuple[str, str], list[dict[str, float]]] = {}
    for case in cases(set_by_hand(oracle, task, system, points_of(tests[0].dataset)[0]), tests):
        scores = set_by_hand(oracle, task, system, case.point).judge(case.states, case.targets)
        own = {name: float(values[0]) for name, values in scores.items()}
        found.setdefault((case.part, case.torus), []).append(own)
    return [
        {"part": part, "lattice": torus, **{name: float(np.mean([row[name] for row in rows])) for name in rows[0]}}
        for (part, torus), rows in found.items()
    ]


def set_by_hand(oracle: Recipe[LatticeCNN], task: Recipe[MemberTask], system: System, point: Point) -> MemberTask:
    """The task with the net ``oracle`` as its only member, of the weights by which it answers exactly at a point.

    Raises ``UserError`` if the task knows no such weights, or not for these layers.
    """
    from lattice_ml.nets.members import Members

    if "layers" not in oracle.settings:
        raise UserError(f"oracle is {oracle.name}, no list of layers: leave it to the task, or oracle=null.")
    try:
        net = task.kind.oracle(oracle(**shape_of(task, system)), system, point)
    except NotImplementedError:
        raise UserError(f"{task.name} has no weights that answer exactly: give oracle=null.") from None
    except ValueError as error:
        raise UserError(f"the net of oracle will not do, {error}: leave it to the task, or oracle=null.") from error
    return task(net=Members([net]), system=system)
