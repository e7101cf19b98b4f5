"""What would stop a comparison of nets later, found before any work."""

from __future__ import annotations

from typing import Any

from hydra.utils import get_class
from omegaconf import DictConfig

from lattice_ml.cli.runtime import ensembles, family, plan_of
from lattice_ml.ensembles.family import torus_name
from lattice_ml.ensembles.plan import Plan, shared_trajectory
from lattice_ml.ground.errors import UserError
from lattice_ml.systems.base import System
from lattice_ml.tasks.members import MemberTask


def require_comparable(config: DictConfig, system: System) -> None:
    """Raise ``UserError`` unless task, data, system and ensembles fit each other, and tests hold nothing learned."""
    task: Any = get_class(config.task._target_)
    compared = issubclass(task, MemberTask) and hasattr(task, "targets")
    if not compared or not {"members", "sizes", "force"} <= set(config.data):
        raise UserError(
            "nets are compared on a task for several instances, from data for several: give e.g. "
            "task=regress_observables and data=members."
        )
    steps = config.data.steps
    if not isinstance(steps, int | None) and len(steps) != len(config.data.sizes):
        raise UserError(
            f"data.steps = {list(steps)} does not go with data.sizes = {list(config.data.sizes)}: give a number of "
            "steps for each size, or one for all."
        )
    if config.ckpt_path not in (None, "last"):
        raise UserError("workflow=compare_nets trains from the beginning: leave out ckpt_path.")
    if config.trainer.get("strategy") is not None or config.trainer.devices not in (1, "1", "auto"):
        raise UserError("the instances of a net train in one process: leave out trainer=ddp and trainer.devices.")
    plans = {part: plan_of(section) for part, section in ensembles(config).items()}
    if "survey" not in plans:
        raise UserError("nets are compared on test ensembles: give a survey, e.g. ensemble@survey=flux_generalisation.")
    question: Any = task  # which may have no such method, for all that issubclass tells
    question.require(system, plans["ensemble"].parameters)
    tori = {
        part: [torus_name(member.extents) for member in family(section)] for part, section in ensembles(config).items()
    }
    own = tori["ensemble"][0]
    if own not in tori["survey"]:
        raise UserError(
            f"the survey leaves out {own}, the lattice of the training, on which all nets are compared: add it to "
            "survey.extents."
        )
    _require_apart(plans, tori)


def require_sizes(sizes: list[int | None], most: int) -> None:
    """Raise ``UserError`` if a training set is larger than what there is to train with."""
    asked = max((size for size in sizes if size is not None), default=0)
    if asked > most:
        raise UserError(
            f"data.sizes asks for {asked:,} configurations and {most:,} are there to train with: sample more."
        )


def _require_apart(plans: dict[str, Plan], tori: dict[str, list[str]]) -> None:
    """No trajectory of a test is one of the training or of another test: same seed, torus and point."""
    parts = list(plans)
    for number, part in enumerate(parts):
        for other in parts[:number]:
            both = sorted(set(tori[part]) & set(tori[other]))
            shown = shared_trajectory(plans[part], plans[other])
            if both and shown:
                raise UserError(
                    f"{part} and {other} both hold {shown} on {both[0]} with the "
                    f"same seed, which are the same trajectories: leave the point out, or give another {part}.seed."
                )
