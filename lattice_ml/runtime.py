"""From a composed configuration to live objects: seeds, ensembles, loggers, the Trainer, and their ending."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from netrc import NetrcParseError, netrc
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from lattice_ml.ensembles.plan import build_plan
from lattice_ml.errors import UserError
from lattice_ml.run import Run

if TYPE_CHECKING:
    import xarray as xr
    from lightning import Callback, Trainer
    from lightning.pytorch.loggers import Logger

    from lattice_ml.ensembles.plan import Plan
    from lattice_ml.systems.base import Sampler, System


def build(section: DictConfig, **objects: Any) -> Any:
    """Call the section's ``_target_`` with its plain values and with live objects, which Hydra must not copy."""
    return instantiate(section, _partial_=True, _convert_="all")(**objects)


def ensembles(config: DictConfig) -> dict[str, DictConfig]:
    """The sections of the configuration that are ensembles: the one trained on, then the survey, if there is one."""
    return {key: config[key] for key in ("ensemble", "survey") if config.get(key) is not None}


def build_system(system: DictConfig, ensemble: DictConfig) -> System:
    """The rules on the ensemble's torus."""
    return build(system, extents=tuple(ensemble.extents))


def prepare_ensemble(system: DictConfig, sampler: DictConfig, ensemble: DictConfig) -> None:
    """Raise ``UserError`` on what would stop the campaign of this configuration, before its work begins."""
    from lattice_ml.ensembles.generate import prepare

    prepare(*_campaign(system, sampler, ensemble))


def build_ensemble(system: DictConfig, sampler: DictConfig, ensemble: DictConfig) -> xr.Dataset:
    """The ensemble of this configuration: sampled as far as the store lacks it, then opened."""
    from lattice_ml.ensembles.generate import generate
    from lattice_ml.ensembles.store import open_ensemble

    campaign = _campaign(system, sampler, ensemble)
    generate(*campaign)
    return open_ensemble(campaign[-1])


def _campaign(system: DictConfig, sampler: DictConfig, ensemble: DictConfig) -> tuple[System, Sampler, Plan, Path]:
    plain: Any = OmegaConf.to_container(ensemble, resolve=True)
    plan = build_plan(plain)
    trajectories = len(plan.points) * plan.replicas
    return build_system(system, ensemble), build(sampler, trajectories=trajectories), plan, Path(plain["path"])


def seed_everything(seed: int) -> None:
    """Seed torch, numpy and random, quietly."""
    import lightning

    lightning.seed_everything(seed, workers=True, verbose=False)


def build_trainer(config: DictConfig, folder: Path, callbacks: list[Callback], loggers: list[Logger]) -> Trainer:
    """Lightning's Trainer with the configured callbacks; checkpoints go into ``<folder>/checkpoints``.

    Raises ``UserError`` if Lightning refuses the settings, such as an accelerator that is not there.
    """
    from lightning.fabric.utilities.exceptions import MisconfigurationException

    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)  # no tips, no list of absent accelerators
    configured = []
    for callback in filter(None, config.callbacks.values()):
        own = {"dirpath": str(folder / "checkpoints")} if callback._target_.endswith("ModelCheckpoint") else {}
        configured.append(build(callback, **own))
    try:
        return build(config.trainer, callbacks=[*configured, *callbacks], logger=loggers, default_root_dir=str(folder))
    except (MisconfigurationException, ValueError, TypeError) as error:
        raise UserError(f"the trainer cannot be set up so: {str(error).splitlines()[0].rstrip('.')}.") from error


@contextmanager
def open_loggers(config: DictConfig, run: Run) -> Iterator[list[Logger]]:
    """The loggers of ``logger=…``; W&B's process is finished on every way out."""
    loggers = []
    configured = config.get("logger") or {}
    for name, logger in configured.items():
        own: dict[str, Any] = {"save_dir": str(run.folder)}
        if name == "wandb":
            own |= {"name": f"{config.name}/{run.folder.name}", "group": config.name, "offline": not logged_in()}
            os.environ.setdefault("WANDB_SILENT", "true")
        loggers.append(build(logger, **own))
    plain: Any = OmegaConf.to_container(config, resolve=True)
    try:
        for logger in loggers:
            logger.log_hyperparams(plain)
        yield loggers
    finally:
        if "wandb" in configured:
            import wandb

            wandb.finish()


def publish(loggers: list[Logger], run: Run) -> None:
    """Send the figures and the boundary table to W&B, if it is among the loggers."""
    from lightning.pytorch.loggers import WandbLogger

    boundaries = run.results.get("boundaries", [])
    for logger in loggers:
        if isinstance(logger, WandbLogger):
            # Pictures go as PNG files: float arrays in [0, 1] would be rendered black.
            for picture in sorted((run.folder / "figures").glob("*.png")):
                logger.log_image(key=f"figures/{picture.stem}", images=[str(picture)])
            columns = ["rho0", "transition", "T", "error", "method"]
            logger.log_table("boundaries", columns=columns, data=[[row.get(c) for c in columns] for row in boundaries])


def logged_in() -> bool:
    """Has this machine W&B credentials, or does WANDB_MODE settle it?"""
    mode = os.environ.get("WANDB_MODE")
    if mode is not None:
        return mode == "online"
    if os.environ.get("WANDB_API_KEY"):
        return True
    try:
        return netrc().authenticators("api.wandb.ai") is not None
    except (OSError, NetrcParseError):
        return False
