"""One trial of a search among nets for an observable: a single net of ``compare_nets``, trained and tested."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lattice_ml.ensembles.family import torus_name
from lattice_ml.ground.errors import UserError
from lattice_ml.runs.evaluation import Evaluation
from lattice_ml.runs.run import Place
from lattice_ml.runs.training import seed_everything
from lattice_ml.runs.trial_run import open_trial, opening
from lattice_ml.search.outcome import Outcome, trainable_numbers
from lattice_ml.workflows.nets.checks import require_own_task, require_sizes
from lattice_ml.workflows.nets.data import build_data, read_lesson, sample
from lattice_ml.workflows.nets.results import loss_of, pooled, reported, tell
from lattice_ml.workflows.nets.training import learn

if TYPE_CHECKING:
    from lightning import Callback

    from lattice_ml.systems.base import System
    from lattice_ml.workflows.nets.workflow import CompareNets


def try_net(workflow: CompareNets, place: Place, watch: Callback, limit: int | None) -> Outcome:
    """Train ``data.members`` instances of the workflow's net and test them: ``Workflow.try_once``.

    validation and test of the outcome are the loss (mean squared error, or cross-entropy) of the instances' best
    weights, on the validation configurations and on the survey's configurations of the training torus; all are medians
    over the instances.
    """
    seed_everything(workflow.seed)
    system = workflow.ensemble.system
    workflow.require_comparable()
    size = require_one(workflow)
    parameters = feasible(workflow, system, limit)
    require_own_task(workflow.own_task, workflow.models)
    ((name, model),) = workflow.nets(system).items()
    with open_trial(place, workflow.logger, workflow.ensembles) as (run, loggers):
        run.results["system"] = system.parameters()
        with opening(run):
            training, tests = sample(run, workflow.ensembles, workflow.data.force)
            lesson = read_lesson(workflow.task.kind, system, training)
            whole = build_data(workflow.data, system, lesson, None, workflow.seed)
            require_sizes([size], whole.index["train"].shape[1])
        with run.step("train", "training and testing"):
            trained = learn(workflow, run, loggers, name, model, size, lesson, tests, [watch])
        tell(run, [trained])
        found = outcome(trained.evaluation, parameters, torus_name(system.extents))
        run.results["metrics"] = {"parameters": {"value": parameters, "error": None}, **run.results["metrics"]}
    return found


def require_one(workflow: CompareNets) -> int | None:
    """The size of the training set; raises ``UserError`` unless there is one net and one size."""
    if workflow.models:
        raise UserError("a trial trains one net, and the search's experiment holds several: add models=null to it.")
    sizes = workflow.data.sizes or []
    if len(sizes) != 1:
        raise UserError(f"a trial trains once, and data.sizes = {sizes} are several: give data.sizes=[one].")
    return sizes[0]


def feasible(workflow: CompareNets, system: System, limit: int | None) -> int:
    """The trainable numbers of one net; raises ``Infeasible`` where it cannot be built or has more than ``limit``."""
    return trainable_numbers(lambda: workflow.alone(system).net.template, limit)


def outcome(evaluation: Evaluation, parameters: int, torus: str) -> Outcome:
    """What the search is told of a trained net; ``torus``: that of the training."""
    test = pooled(evaluation, loss_of(evaluation.scores), torus)
    known = reported(evaluation, evaluation.tori("survey"))
    return Outcome(
        validation=float(np.median(evaluation.validation)),
        parameters=parameters,
        test=float(np.median(test)) if np.isfinite(test).all() else None,
        scores={name: float(np.median(values)) for name, values in known.items() if not name.startswith("validation")},
    )
