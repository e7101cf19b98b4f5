"""What a run must be whose net stands beside white boxes."""

from __future__ import annotations

from typing import Any

from lattice_ml.data.settings import DataSettings
from lattice_ml.ensembles.ensemble import Ensemble
from lattice_ml.ground.errors import UserError
from lattice_ml.workflows.explanations.explained import Explained
from lattice_ml.workflows.workflow import Workflow


def require_same_training(found: Explained, theirs: Workflow, mine: Workflow) -> None:
    """Raise ``UserError`` unless two workflows have one ensemble to train on, and, where classes are compared, hold the
    same replicas back.

    found: the net that the other workflow trained. Where the stores lie makes no difference.
    """
    own, other = mine.ensembles["ensemble"], theirs.ensembles.get("ensemble")
    same = other is not None and same_configurations(own, other)
    if not same or (found.classes and dealing(mine) != dealing(theirs)):
        raise UserError(
            f"the run {found.folder} was trained on other configurations than ensemble={own.name} with "
            f"seed={mine.seed}: give white_boxes.compare=<a run on the same ensemble, data.split and seed>."
        )


def same_configurations(one: Ensemble, other: Ensemble) -> bool:
    """Do two ensembles hold the same configurations: one plan, one list of tori, rules with the same parameters?"""
    if (one.plan, one.tori) != (other.plan, other.tori):
        return False
    return [member.system.parameters() for member in one.members] == [
        member.system.parameters() for member in other.members
    ]


def dealing(workflow: Workflow) -> tuple[Any, int]:
    """What the dealing of replicas depends on, beside their number: the shares, None where none are dealt, and the
    seed."""
    data = getattr(workflow, "data", None)
    return data.split if isinstance(data, DataSettings) else None, workflow.seed
