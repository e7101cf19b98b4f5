"""A finished run, opened again: its rules, its ensembles and its trained task, to be asked why."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.utils import get_class
from omegaconf import DictConfig, OmegaConf

from lattice_ml.cli.config import validate
from lattice_ml.cli.runtime import build, build_system, ensembles, family
from lattice_ml.ground.errors import UserError
from lattice_ml.runs.run import finished

UNTRAINED = (".fit_white_boxes", ".find_without_labels", ".find_transitions", ".describe_flock", ".vary_activity")
"""Workflows whose runs hold no net that knows phases or observables."""

if TYPE_CHECKING:
    import xarray as xr
    from torch import nn

    from lattice_ml.systems.base import System


@dataclass(frozen=True)
class Finished:
    """folder, config: of the run. system: on the torus of its training. task: its LightningModule with the best
    weights, in evaluation mode on the CPU. score: what is explained, channels ``[batch, channel, x, y]`` -> ``[batch,
    output]``, a module whose layers can be watched. outputs: names along its last axis. classes: whether they are
    scores of phases."""

    folder: Path
    config: DictConfig
    system: System
    task: Any
    score: nn.Module
    outputs: tuple[str, ...]
    classes: bool

    def unseen(self) -> xr.Dataset:
        """An ensemble on the torus of the training that shares no trajectory with it: the replicas of the test; where
        nets were compared, the survey, all of whose trajectories are others (``net_checks``). Raises ``UserError`` if
        a store is not there any more."""
        from lattice_ml.data.dealing import deal_replicas
        from lattice_ml.ensembles.store import open_ensemble

        ensemble, split = self.config.ensemble, self.config.data.get("split")
        if split is not None:
            dealt = deal_replicas(int(ensemble.replicas), list(split), self.config.seed)
            return open_ensemble(ensemble.path).isel(replica=dealt["test"])
        own = next(section for section in family(self.config.survey) if section.extents == ensemble.extents)
        return open_ensemble(own.path)


def open_finished(folder: Path | str, stores: str | None = None, net: str | None = None) -> Finished:
    """Open the run in a folder that ``train.py`` wrote.

    stores: where its ensembles lie now, if elsewhere. net: which one, of a run that compared several, or which
    committee by its L2 term, e.g. 0.01; by default the first. Raises ``UserError`` if it is not finished, is damaged,
    or trained nothing that can be explained. The configuration is checked like one that was typed
    (``config.validate``), and checkpoints are read without running anything in them.
    """
    folder = Path(folder)
    if not (folder / "config.yaml").is_file():
        raise UserError(f"{folder} is not a run folder: give one that train.py wrote, runs/<experiment>/<id>.")
    if not finished(folder):
        raise UserError(f"the run {folder} is not finished: give the command that began it again first.")
    config = read_config(folder / "config.yaml")
    if stores is not None:
        for section in ensembles(config).values():
            section.path = str(Path(stores) / Path(section.path).name)
    if config.get("ensemble") is None or config.workflow._target_.endswith(UNTRAINED):
        raise UserError(
            f"the run {folder} trained no net on a lattice: give one of workflow=phase_diagram, phase_committee, "
            "compare_nets, latents or queries."
        )
    system = build_system(config.system, config.ensemble)
    kind = get_class(config.task._target_)
    if kind.__name__ == "ClassifyPhase":
        return _classifier(folder, config, system)
    if kind.__name__ == "ClassifyCommittee":
        return _committee(folder, config, system, net)
    return _encoder(folder, config, system) if hasattr(kind, "encode") else _members(folder, config, system, net)


def read_config(path: Path) -> DictConfig:
    """The configuration of a run, as sound as one that was typed; raises ``UserError``."""
    import yaml

    try:
        config = OmegaConf.load(path)
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise UserError(f"{path} cannot be read ({' '.join(str(error).split())[:100]}): give another run.") from None
    if not isinstance(config, DictConfig):
        raise UserError(f"{path} is no configuration: give a run folder that train.py wrote.")
    validate(config)
    return config


def _classifier(folder: Path, config: DictConfig, system: System) -> Finished:
    from lattice_ml.tasks.classify_phase import load_classifier
    from lattice_ml.workflows.phase_diagram.training import build_net

    task = load_classifier(folder / "checkpoints" / "best.ckpt", build_net(config, system), system)
    return Finished(folder, config, system, task, task, task.phases, True)


def _committee(folder: Path, config: DictConfig, system: System, wanted: str | None) -> Finished:
    """A net of the first committee, or of that with the wanted strength of the L2 term."""
    from lattice_ml.tasks.committee_member import CommitteeMember
    from lattice_ml.tasks.members import load_members
    from lattice_ml.workflows.committee.workflow import build_committee, folder_of

    strengths = {f"{l2:g}": float(l2) for l2 in config.committee.l2}
    name = wanted or next(iter(strengths))
    if name not in strengths:
        raise UserError(f"the run {folder} trained no committee {name!r}: give net=<one of {', '.join(strengths)}>.")
    home = folder_of(config, folder, strengths[name])
    task = load_members(home / "checkpoints" / "last.ckpt", build_committee(config, system, strengths[name]))
    member = CommitteeMember(task).eval()
    return Finished(folder, config, system, member, member, task.outputs, True)


def _members(folder: Path, config: DictConfig, system: System, wanted: str | None) -> Finished:
    """One net of a comparison; of its members the one with the best validation loss."""
    from lattice_ml.tasks.members import load_members
    from lattice_ml.workflows.nets.workflow import architectures, build_task

    nets = architectures(config, system)
    name = wanted or next(iter(nets))
    if name not in nets:
        raise UserError(f"the run {folder} trained no net {name!r}: give net=<one of {', '.join(nets)}>.")
    trained = sorted((folder / "nets").glob(f"{name}-*"), key=lambda path: int(path.name.rpartition("-")[2]))
    home = trained[-1] if trained else folder
    task = load_members(home / "checkpoints" / "last.ckpt", build_task(config, nets[name], system))
    member = task.best.member(int(task.best_loss.argmin())).eval()
    return Finished(folder, config, system, task, member, task.outputs, False)


def _encoder(folder: Path, config: DictConfig, system: System) -> Finished:
    """The latents of a configuration, the means of the posterior."""
    from torch import Tensor, nn

    from lattice_ml.ensembles.store import open_ensemble
    from lattice_ml.tasks.saved import load_into
    from lattice_ml.workflows.latents import queries
    from lattice_ml.workflows.latents import workflow as latents
    from lattice_ml.workflows.latents.steps import build_configurations

    class Latents(nn.Module):
        def __init__(self, task: Any) -> None:
            super().__init__()
            self.task = task

        def forward(self, x: Tensor) -> Tensor:
            return self.task.encode(x).mean

    data = build_configurations(config, system, open_ensemble(config.ensemble.path))
    if config.get("question") is None:
        task: Any = latents.make(config, system, data)
    else:
        task = queries.make(config, build(config.question, system=system), data)
    load_into(folder / "checkpoints" / "best.ckpt", task)
    names = tuple(f"z{k + 1}" for k in range(int(config.model.latents)))
    return Finished(folder, config, system, task, Latents(task).eval(), names, False)


def require_same_training(found: Finished, config: DictConfig) -> None:
    """Raise ``UserError`` unless the run learned from this configuration's ensemble, the same replicas held back."""
    mine: Any = OmegaConf.to_container(config, resolve=True)
    theirs: Any = OmegaConf.to_container(found.config, resolve=True)
    same = all(
        {**mine[key], "path": None} == {**theirs[key], "path": None} for key in ("ensemble", "system") if key in mine
    )
    dealt = (mine["data"].get("split"), mine["seed"]) == (theirs["data"].get("split"), theirs["seed"])
    if not same or (found.classes and not dealt):
        raise UserError(
            f"the run {found.folder} was trained on other configurations than ensemble={config.ensemble.name} with "
            f"seed={config.seed}: give white_boxes.compare=<a run on the same ensemble, data.split and seed>."
        )
