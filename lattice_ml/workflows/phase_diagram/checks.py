"""What would stop a phase-diagram run later, found before any work."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lattice_ml.data.dealing import deal_replicas
from lattice_ml.data.settings import DataSettings
from lattice_ml.ensembles.ensemble import Ensemble, speaking_of
from lattice_ml.ensembles.plan import shared_trajectory
from lattice_ml.ground.errors import UserError
from lattice_ml.ground.recipe import Recipe
from lattice_ml.runs.training import Training

if TYPE_CHECKING:
    import xarray as xr
    from lightning import Trainer

    from lattice_ml.systems.base import System


def require_dealt(settings: DataSettings, ensemble: Ensemble, seed: int) -> None:
    """Raise ``UserError`` if replicas cannot be dealt or the augmentation cannot be built."""
    assert settings.split is not None  # checked before
    deal_replicas(ensemble.plan.replicas, list(settings.split), seed)
    settings.augmentation()


def build_party(training: Training) -> Trainer:
    """A Trainer that trains nothing and knows which of how many processes this is.

    Raises ``UserError`` on settings that Lightning refuses, and on several nodes that cannot find each other.
    """
    nodes = training.trainer.settings.get("num_nodes", 1)
    if nodes > 1 and "SLURM_NTASKS" not in os.environ:
        missing = [name for name in ("MASTER_ADDR", "MASTER_PORT", "NODE_RANK") if name not in os.environ]
        if missing and "TORCHELASTIC_RUN_ID" not in os.environ:
            raise UserError(
                f"trainer.num_nodes = {nodes} needs {', '.join(missing)} in the environment: "
                "export MASTER_ADDR, MASTER_PORT and NODE_RANK on every node, or start it with srun or torchrun."
            )
    with tempfile.TemporaryDirectory() as nowhere:
        return training.build_trainer(Path(nowhere), [], [])


def require_metrics(callbacks: Mapping[str, Recipe[Any] | None]) -> None:
    """Raise ``UserError`` on a callback that waits for a metric that the task does not log."""
    from lattice_ml.tasks.classify_phase import MONITORED

    for name, callback in callbacks.items():
        monitor = callback.settings.get("monitor") if callback is not None else None
        if monitor is not None and monitor not in MONITORED:
            raise UserError(
                f"callbacks.{name}.monitor = {monitor} is never logged: give one of {', '.join(MONITORED)}."
            )


def require_disjoint(ensemble: Ensemble, survey: Ensemble | None, system: System) -> None:
    """Raise ``UserError`` unless the training ensemble is one scan and the survey is something else on its torus."""
    training = ensemble.plan
    for name in training.parameters:
        if name != system.control and len({point[name] for point in training.points}) > 1:
            raise UserError(
                f"labels are found along one scan in {system.control}, and ensemble.grid.{name} has several values: "
                f"give one, e.g. ensemble.grid.{name}=[{training.points[0][name]:g}], and the others to "
                f"survey.grid.{name}."
            )
    if survey is not None:
        require_apart(ensemble, survey)


def require_apart(ensemble: Ensemble, survey: Ensemble) -> None:
    """Raise ``UserError`` unless the survey is something else than the training ensemble, on the same torus."""
    own, other = ([list(torus) for torus in one.tori] for one in (ensemble, survey))
    if own != other:
        shown = [one[0] if len(one) == 1 else one for one in (other, own)]
        raise UserError(
            f"the survey's torus {shown[0]} is not the training ensemble's {shown[1]}: give survey.extents={shown[1]}."
        )
    if survey.path.resolve() == ensemble.path.resolve():
        raise UserError("the survey and the training ensemble share one store: give survey.name=<another name>.")
    shown = shared_trajectory(survey.plan, ensemble.plan)
    if shown:
        raise UserError(
            f"the survey holds {shown}, which with the same seed is a trajectory of the training ensemble: leave the "
            "point out, or give another survey.seed."
        )


def prepare_all(ensembles: Mapping[str, Ensemble]) -> None:
    """Make the stores of all, each of one torus or several; an error names the section that the user must change."""
    for key, ensemble in ensembles.items():
        with speaking_of(key):
            ensemble.prepare()


def test_replicas(settings: DataSettings, ensemble: Ensemble, seed: int) -> xr.Dataset:
    """The ensemble as it lies there, with the replicas alone that are held back for the test."""
    assert settings.split is not None  # a run that was trained has one
    dealt = deal_replicas(ensemble.plan.replicas, list(settings.split), seed)
    return ensemble.open().isel(replica=dealt["test"])
