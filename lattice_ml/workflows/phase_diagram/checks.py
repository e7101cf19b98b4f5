"""What would stop a phase-diagram run later, found before any work."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from omegaconf import DictConfig

from lattice_ml.cli.config import speaking_of
from lattice_ml.cli.runtime import build, build_trainer, ensembles, plan_of, prepare_ensemble
from lattice_ml.ensembles.plan import shared_trajectory
from lattice_ml.ground.errors import UserError

if TYPE_CHECKING:
    from lightning import Trainer
    from torch import nn

    from lattice_ml.systems.base import System


def require_classifier(config: DictConfig) -> None:
    """Raise ``UserError`` on choices that are made for workflow=compare_nets."""
    classifier = config.task._target_.endswith(".ClassifyPhase")
    if config.get("models") or "layers" in config.model or config.data.get("split") is None or not classifier:
        raise UserError(
            "workflow=phase_diagram trains one net to classify phases: leave out models, and give model=phase_cnn, "
            "data=default and task=classify_phase, or an experiment that compares, e.g. experiment=flux_regression."
        )


def require_sound(config: DictConfig, system: System, net: nn.Module) -> None:
    """Raise ``UserError``, before any work, on what would stop the run later."""
    from lattice_ml.data.dealing import deal_replicas
    from lattice_ml.tasks.classify_phase import load_classifier

    deal_replicas(config.ensemble.replicas, list(config.data.split), config.seed)
    require_metrics(config)
    require_augmentation(config)
    require_disjoint(config, system)
    if config.ckpt_path not in (None, "last"):  # an unfinished run goes on from its last one in any case
        load_classifier(config.ckpt_path, net, system)  # leaves its weights in the net
    for key, section in ensembles(config).items():
        with speaking_of(key):
            prepare_ensemble(config.system, config.sampler, section)  # last: it makes the store


def build_party(config: DictConfig) -> Trainer:
    """A Trainer that trains nothing and knows which of how many processes this is.

    Raises ``UserError`` on settings that Lightning refuses, and on several nodes that cannot find each other.
    """
    if config.trainer.get("num_nodes", 1) > 1 and "SLURM_NTASKS" not in os.environ:
        missing = [name for name in ("MASTER_ADDR", "MASTER_PORT", "NODE_RANK") if name not in os.environ]
        if missing and "TORCHELASTIC_RUN_ID" not in os.environ:
            raise UserError(
                f"trainer.num_nodes = {config.trainer.num_nodes} needs {', '.join(missing)} in the environment: "
                "export MASTER_ADDR, MASTER_PORT and NODE_RANK on every node, or start it with srun or torchrun."
            )
    with tempfile.TemporaryDirectory() as nowhere:
        return build_trainer(config, Path(nowhere), [], [])


def require_metrics(config: DictConfig) -> None:
    """Raise ``UserError`` on a callback that waits for a metric that the task does not log."""
    from lattice_ml.tasks.classify_phase import MONITORED

    for name, callback in config.callbacks.items():
        monitor = callback.get("monitor") if callback is not None else None
        if monitor is not None and monitor not in MONITORED:
            raise UserError(
                f"callbacks.{name}.monitor = {monitor} is never logged: give one of {', '.join(MONITORED)}."
            )


def require_augmentation(config: DictConfig) -> None:
    """Raise ``UserError`` on an augmentation of the training data that cannot be built."""
    if config.data.get("augment") is not None:
        build(config.data.augment)


def require_disjoint(config: DictConfig, system: System) -> None:
    """Raise ``UserError`` unless the training ensemble is one scan and the survey is something else on its torus."""
    training = plan_of(config.ensemble)
    for name in training.parameters:
        if name != system.control and len({point[name] for point in training.points}) > 1:
            raise UserError(
                f"labels are found along one scan in {system.control}, and ensemble.grid.{name} has several values: "
                f"give one, e.g. ensemble.grid.{name}=[{training.points[0][name]:g}], and the others to "
                f"survey.grid.{name}."
            )
    if config.get("survey") is not None:
        require_apart(config)


def require_apart(config: DictConfig) -> None:
    """Raise ``UserError`` unless the survey is something else than the training ensemble, on the same torus."""
    training = plan_of(config.ensemble)
    survey = plan_of(config.survey)
    if list(config.survey.extents) != list(config.ensemble.extents):
        raise UserError(
            f"the survey's torus {config.survey.extents} is not the training ensemble's {config.ensemble.extents}: "
            f"give survey.extents={list(config.ensemble.extents)}."
        )
    if Path(config.survey.path).resolve() == Path(config.ensemble.path).resolve():
        raise UserError("the survey and the training ensemble share one store: give survey.name=<another name>.")
    shown = shared_trajectory(survey, training)
    if shown:
        raise UserError(
            f"the survey holds {shown}, which with the same seed is a trajectory of the training ensemble: leave the "
            "point out, or give another survey.seed."
        )
