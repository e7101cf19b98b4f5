"""From a composed configuration to live objects: seeds, ensembles, the Trainer."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from lattice_ml.cli.targets import check_classes, check_targets, require_arguments
from lattice_ml.ensembles.family import is_family, members
from lattice_ml.ensembles.plan import build_plan
from lattice_ml.ground.errors import UserError

if TYPE_CHECKING:
    import xarray as xr
    from lightning import Callback, Trainer
    from lightning.pytorch.loggers import Logger

    from lattice_ml.ensembles.plan import Plan
    from lattice_ml.ensembles.shard import Shard
    from lattice_ml.systems.base import Sampler, System


def build(section: DictConfig, **objects: Any) -> Any:
    """Call the section's ``_target_`` with its plain values and with live objects, which Hydra must not copy.

    Raises ``UserError`` on a ``_target_`` that is not built from a configuration (see ``targets``), and on a value that
    it does not take. What is checked is what is built: interpolations are resolved once, before.
    """
    plain: Any = OmegaConf.to_container(section, resolve=True)
    root: Any = section._get_root()
    if root.get("trust") is not True:
        check_targets(plain)
        check_classes(plain)
    deferred = instantiate(plain, _partial_=True, _convert_="all")
    require_arguments(plain, objects)
    return deferred(**objects)


def ensembles(config: DictConfig) -> dict[str, DictConfig]:
    """The sections of the configuration that are ensembles, by the names under which a user finds them.

    The one trained on, those tested on, if there are, and any number of further ones, ``ensembles.<name>``.
    """
    named = {key: config[key] for key in ("ensemble", "survey", "extrapolation") if config.get(key) is not None}
    further = config.get("ensembles") or {}
    return named | {f"ensembles.{name}": section for name, section in further.items() if section is not None}


def build_system(system: DictConfig, ensemble: DictConfig) -> System:
    """The rules on the ensemble's torus. Raises ``UserError`` if it has several."""
    if is_family(ensemble):
        raise UserError(
            f"extents = {ensemble.extents} are several tori, and one is wanted here: give the extents of one."
        )
    return build(system, extents=tuple(ensemble.extents))


def prepare_ensemble(system: DictConfig, sampler: DictConfig, ensemble: DictConfig) -> None:
    """Raise ``UserError`` on what would stop the campaign of this configuration, before its work begins."""
    from lattice_ml.ensembles.generate import prepare

    prepare(*_campaign(system, sampler, ensemble))


def build_family(system: DictConfig, sampler: DictConfig, ensemble: DictConfig) -> list[xr.Dataset]:
    """The ensembles of a section that may hold several tori, each sampled as far as its store lacks it and opened."""
    return [build_ensemble(system, sampler, member) for member in family(ensemble)]


def family(ensemble: DictConfig) -> list[DictConfig]:
    """The sections of the single ensembles, one for each torus; see ``ensembles/family.py``."""
    plain: Any = OmegaConf.to_container(ensemble, resolve=True)
    return [OmegaConf.create(member) for member in members(plain)]


def build_ensemble(system: DictConfig, sampler: DictConfig, ensemble: DictConfig) -> xr.Dataset:
    """The ensemble of this configuration: sampled as far as the store lacks it, its equilibration told, then opened.

    Its attribute ``taken`` has the algorithms that a sampler with a choice took, each with the number of its points.
    """
    from lattice_ml.ensembles.equilibration import assess, taken
    from lattice_ml.ensembles.generate import generate
    from lattice_ml.ensembles.store import open_ensemble

    campaign = _campaign(system, sampler, ensemble)
    generate(*campaign)
    rules, algorithm, _, path = campaign
    verdict = assess(rules, algorithm, path)
    return open_ensemble(path).assign_attrs(taken=taken(verdict) if verdict else {})


def repair_ensemble(system: DictConfig, sampler: DictConfig, ensemble: DictConfig) -> None:
    """Make anew what is broken in the store of this configuration, or in each of its stores, and nothing else."""
    from lattice_ml.ensembles.family import members
    from lattice_ml.ensembles.repair import repair

    plain: Any = OmegaConf.to_container(ensemble, resolve=True)
    for member in members(plain):
        repair(*_campaign(system, sampler, OmegaConf.create(member)))


def sample_shard(system: DictConfig, sampler: DictConfig, ensemble: DictConfig, shard: Shard) -> tuple[int, int]:
    """Sample one shard of the ensemble; returns how many chunks of the whole are there, and how many there are.

    The shard that finds the ensemble complete tells its equilibration: it is the last one, or one of the last.
    """
    from lattice_ml.ensembles.equilibration import assess
    from lattice_ml.ensembles.generate import generate
    from lattice_ml.ensembles.layout import all_chunks
    from lattice_ml.ensembles.store import done_chunks

    rules, algorithm, plan, path = _campaign(system, sampler, ensemble)
    generate(rules, algorithm, plan, path, shard=shard)
    there, chunks = len(done_chunks(path)), len(all_chunks(rules, plan))
    if there == chunks:
        assess(rules, algorithm, path)
    return there, chunks


def plan_of(ensemble: DictConfig) -> Plan:
    """The plan that the configuration of an ensemble states."""
    plain: Any = OmegaConf.to_container(ensemble, resolve=True)
    return build_plan(plain)


def _campaign(system: DictConfig, sampler: DictConfig, ensemble: DictConfig) -> tuple[System, Sampler, Plan, Path]:
    plan = plan_of(ensemble)
    trajectories = len(plan.points) * plan.replicas
    return build_system(system, ensemble), build(sampler, trajectories=trajectories), plan, Path(ensemble.path)


def seed_everything(seed: int) -> None:
    """Seed torch, numpy and random, quietly."""
    import lightning

    lightning.seed_everything(seed, workers=True, verbose=False)


def build_trainer(config: DictConfig, folder: Path, callbacks: list[Callback], loggers: list[Logger]) -> Trainer:
    """Lightning's Trainer with the configured callbacks; checkpoints go into ``<folder>/checkpoints``.

    Raises ``UserError`` if Lightning refuses the settings, such as an accelerator that is not there.
    """
    from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
    from lightning.fabric.utilities.exceptions import MisconfigurationException

    from lattice_ml.ground.checkpoints import AtomicCheckpointIO

    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)  # no tips, no list of absent accelerators
    configured = []
    for callback in filter(None, config.callbacks.values()):
        own = {"dirpath": str(folder / "checkpoints")} if callback._target_.endswith("Checkpoint") else {}
        configured.append(build(callback, **own))
    plugins: list[Any] = [AtomicCheckpointIO()]
    try:
        if SLURMEnvironment.detect():
            # Its own requeueing writes a checkpoint in mid-epoch, which no run can go on from exactly.
            plugins.append(SLURMEnvironment(auto_requeue=False))
        return build(
            config.trainer,
            callbacks=[*configured, *callbacks],
            logger=loggers,
            plugins=plugins,
            default_root_dir=str(folder),
        )
    except (MisconfigurationException, ValueError, TypeError, RuntimeError) as error:
        raise UserError(f"the trainer cannot be set up so: {str(error).splitlines()[0].rstrip('.')}.") from error
