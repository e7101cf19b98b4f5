"""What would stop a comparison of nets later, found before any work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lattice_ml.data.settings import DataSettings
from lattice_ml.ensembles.ensemble import Ensemble
from lattice_ml.ensembles.plan import shared_trajectory
from lattice_ml.ground.errors import UserError
from lattice_ml.ground.recipe import Recipe
from lattice_ml.runs.training import Training

if TYPE_CHECKING:
    from lattice_ml.tasks.members import MemberTask


def require_members(task: Recipe[MemberTask], settings: DataSettings, training: Training) -> None:
    """Raise ``UserError`` unless task, data and training are for several instances of a net."""
    from lattice_ml.tasks.members import NOT_COMPARED, MemberTask

    sizes, steps = settings.sizes, settings.steps
    for_one_net = settings.members is None or settings.split is not None or not issubclass(task.kind, MemberTask)
    if for_one_net or sizes is None:
        raise UserError(NOT_COMPARED)
    if isinstance(steps, list) and len(steps) != len(sizes):
        raise UserError(
            f"data.steps = {steps} does not go with data.sizes = {sizes}: give a number of steps for each size, or one "
            "for all."
        )
    if not training.alone:
        raise UserError("the instances of a net train in one process: leave out trainer=ddp and trainer.devices.")


def require_tests(ensembles: Mapping[str, Ensemble], task: Recipe[MemberTask]) -> None:
    """Raise ``UserError`` unless the ensembles fit the task, and the tests hold nothing learned.

    ensembles: by their roles; nets learn from ``ensemble``.
    """
    training = ensembles["ensemble"]
    if "survey" not in ensembles:
        raise UserError("nets are compared on test ensembles: give a survey, e.g. ensemble@survey=flux_generalisation.")
    task.kind.require(training.system, training.plan.parameters)
    own = training.torus_names[0]
    if own not in ensembles["survey"].torus_names:
        raise UserError(
            f"the survey leaves out {own}, the lattice of the training, on which all nets are compared: add it to "
            "survey.extents."
        )
    _require_apart(ensembles)


def require_own_task(own: Mapping[str, Any] | None, models: Mapping[str, Any] | None) -> None:
    """Raise ``UserError`` unless settings of the task for one net alone are for nets that are compared."""
    if own and not models:
        raise UserError(
            f"workflow.own_task has settings for {' and '.join(own)}, and one net is trained alone: give "
            "workflow.own_task=null and settings of the task, e.g. task.lr=1e-3."
        )
    for name in own or ():
        if name not in (models or ()):
            raise UserError(
                f"workflow.own_task names {name}, which is not compared: give settings of {' or '.join(models or ())}."
            )


def require_sizes(sizes: Sequence[int | None], most: int) -> None:
    """Raise ``UserError`` if a training set is larger than what there is to train with."""
    asked = max((size for size in sizes if size is not None), default=0)
    if asked > most:
        raise UserError(
            f"data.sizes asks for {asked:,} configurations and {most:,} are there to train with: sample more."
        )


def _require_apart(ensembles: Mapping[str, Ensemble]) -> None:
    """No trajectory of a test is one of the training or of another test: same seed, torus and point."""
    parts = list(ensembles)
    for number, part in enumerate(parts):
        for other in parts[:number]:
            mine, its = ensembles[part], ensembles[other]
            both = sorted(set(mine.torus_names) & set(its.torus_names))
            shown = shared_trajectory(mine.plan, its.plan)
            if both and shown:
                raise UserError(
                    f"{part} and {other} both hold {shown} on {both[0]} with the "
                    f"same seed, which are the same trajectories: leave the point out, or give another {part}.seed."
                )
