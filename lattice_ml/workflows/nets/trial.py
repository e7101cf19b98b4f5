"""One trial of a search among nets for an observable: a single net of ``compare_nets``, trained and tested."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from omegaconf import DictConfig

from lattice_ml.cli.runtime import build_system, seed_everything
from lattice_ml.ensembles.family import torus_name
from lattice_ml.ground.errors import UserError
from lattice_ml.runs.evaluation import Evaluation
from lattice_ml.runs.trial_run import open_trial, opening
from lattice_ml.search.outcome import Infeasible, Outcome
from lattice_ml.workflows.nets.checks import require_comparable, require_sizes
from lattice_ml.workflows.nets.data import build_data, read_lesson
from lattice_ml.workflows.nets.results import loss_of, pooled, reported, tell
from lattice_ml.workflows.nets.workflow import architectures, build_task, learn, sample

if TYPE_CHECKING:
    from lightning import Callback

    from lattice_ml.systems.base import System


def try_net(config: DictConfig, watch: Callback, limit: int | None) -> Outcome:
    """Train ``data.members`` instances of the configuration's net and test them, bit for bit as ``compare_nets`` would.

    validation and test of the outcome are the loss (mean squared error, or cross-entropy) of the instances' best
    weights, on the validation configurations and on the survey's configurations of the training torus; all are medians
    over the instances. limit: most trainable numbers of a net. Raises ``Infeasible``, before any work, on layers that
    do not fit and on a larger net; ``UserError`` on what the user can mend.
    """
    seed_everything(config.seed)
    system = build_system(config.system, config.ensemble)
    require_comparable(config, system)
    require_one(config)
    parameters = feasible(config, system, limit)
    with open_trial(config) as (run, loggers):
        run.results["system"] = system.parameters()
        with opening(run):
            training, tests = sample(config, run)
            lesson = read_lesson(config, training)
            require_sizes(list(config.data.sizes), build_data(config, system, lesson, None).index["train"].shape[1])
        ((name, section),) = architectures(config, system).items()
        with run.step("train", "training and testing"):
            trained = learn(config, run, loggers, name, section, config.data.sizes[0], lesson, tests, [watch])
        tell(run, [trained])
        found = outcome(trained.evaluation, parameters, torus_name(system.extents))
        run.results["metrics"] = {"parameters": {"value": parameters, "error": None}, **run.results["metrics"]}
    return found


def require_one(config: DictConfig) -> None:
    """Raise ``UserError`` unless the configuration holds one net and one size of the training set."""
    if config.get("models"):
        raise UserError("a trial trains one net, and the search's experiment holds several: add models=null to it.")
    if len(config.data.sizes) != 1:
        raise UserError(
            f"a trial trains once, and data.sizes = {config.data.sizes} are several: give data.sizes=[one]."
        )


def feasible(config: DictConfig, system: System, limit: int | None) -> int:
    """The trainable numbers of one net; raises ``Infeasible`` where it cannot be built or has more than ``limit``."""
    try:
        net = build_task(config, config.model, system).net.template
    except UserError as error:
        raise Infeasible(str(error)) from error
    parameters = sum(weight.numel() for weight in net.parameters())
    if limit is not None and parameters > limit:
        raise Infeasible(f"the net has {parameters:,} parameters where at most {limit:,} are allowed.")
    return parameters


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
