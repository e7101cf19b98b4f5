"""Training to the end of the configured epochs, in a folder, from wherever it was interrupted."""

from __future__ import annotations

import logging
import signal
import sys
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import ConfigDict, Field, StrictBool, StrictStr

from lattice_ml.ground.errors import UserError
from lattice_ml.ground.ranges import Count, Seed, Settings, Share, Text, within
from lattice_ml.ground.recipe import Recipe

if TYPE_CHECKING:
    from lightning import Callback, LightningDataModule, LightningModule, Trainer
    from lightning.pytorch.loggers import Logger


class TrainerSettings(Settings):
    """The settings of Lightning's Trainer that have a range; it takes others too."""

    model_config = ConfigDict(extra="allow")

    max_epochs: Count
    accelerator: StrictStr = "auto"
    devices: Count | StrictStr | list[int] = 1
    num_nodes: Count = 1
    deterministic: StrictBool | Literal["warn"] | None = None
    log_every_n_steps: Count = 1
    num_sanity_val_steps: Annotated[int, Field(ge=-1, strict=True)] = 0
    limit_train_batches: Share | None = None
    limit_val_batches: Share | None = None
    limit_test_batches: Share | None = None


class CallbackSettings(Settings):
    """Those of a callback of Lightning."""

    model_config = ConfigDict(extra="allow")

    monitor: StrictStr | None = None
    mode: Literal["min", "max"] = "min"
    patience: Count = 1
    filename: Text | None = None
    save_top_k: Annotated[int, Field(ge=-1, strict=True)] = 1


@dataclass(frozen=True)
class Training:
    """How nets are trained: Lightning's Trainer, its callbacks by name (None: left out), the seed of the batches."""

    trainer: Annotated[Recipe[Any], within(TrainerSettings)]
    callbacks: Mapping[str, Annotated[Recipe[Any], within(CallbackSettings)] | None] = field(default_factory=dict)
    seed: Seed = 0

    def with_epochs(self, epochs: int) -> Training:
        """The same for another number of epochs."""
        return replace(self, trainer=self.trainer.but(max_epochs=epochs))

    @property
    def epochs(self) -> int:
        return int(self.trainer.settings["max_epochs"])

    @property
    def alone(self) -> bool:
        """One process and one device: no strategy and no number of devices is asked for."""
        settings = self.trainer.settings
        return settings.get("strategy") is None and settings.get("devices", 1) in (1, "1", "auto")

    def build_trainer(self, folder: Path, callbacks: list[Callback], loggers: list[Logger]) -> Trainer:
        """Lightning's Trainer with the configured callbacks; checkpoints go into ``<folder>/checkpoints``.

        Raises ``UserError`` if Lightning refuses the settings, such as an accelerator that is not there.
        """
        from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
        from lightning.fabric.utilities.exceptions import MisconfigurationException

        from lattice_ml.ground.checkpoints import AtomicCheckpointIO

        logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)  # no tips, no list of absent accelerators
        configured = []
        for callback in filter(None, self.callbacks.values()):
            own = {"dirpath": str(folder / "checkpoints")} if callback.name.endswith("Checkpoint") else {}
            configured.append(callback(**own))
        plugins: list[Any] = [AtomicCheckpointIO()]
        try:
            if SLURMEnvironment.detect():
                # Its own requeueing writes a checkpoint in mid-epoch, which no run can go on from exactly.
                plugins.append(SLURMEnvironment(auto_requeue=False))
            return self.trainer(
                callbacks=[*configured, *callbacks], logger=loggers, plugins=plugins, default_root_dir=str(folder)
            )
        except (MisconfigurationException, ValueError, TypeError, RuntimeError) as error:
            raise UserError(f"the trainer cannot be set up so: {str(error).splitlines()[0].rstrip('.')}.") from error

    def fit(
        self,
        folder: Path,
        task: LightningModule,
        data: LightningDataModule,
        loggers: list[Logger],
        resume: Path | None,
        callbacks: Sequence[Callback] = (),
    ) -> list[dict[str, float]]:
        """Train to the end of the configured epochs, from ``resume`` on if there is one; return the metrics of each.

        Checkpoints go into ``<folder>/checkpoints``, the metrics into ``<folder>/metrics.csv``; ``callbacks`` are told
        of the training beside those of the configuration.
        Raises ``KeyboardInterrupt`` on Ctrl-C and ``SystemExit(143)`` on SIGTERM, which Lightning both ends quietly.
        """
        from lattice_ml.runs.batch_noise import BatchNoise
        from lattice_ml.runs.history import History

        history = History(folder / "metrics.csv")
        trainer = self.build_trainer(folder, [history, BatchNoise(self.seed), *callbacks], loggers)
        try:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", ".*LeafSpec.*", FutureWarning)  # between Lightning and torch alone
                warnings.filterwarnings("ignore", ".*exists and is not empty")  # of a run that goes on
                trainer.fit(task, datamodule=data, ckpt_path=resume, weights_only=True)
        except SystemExit:
            if trainer.received_sigterm:
                print("Stopped by SIGTERM; the same command goes on from here.", file=sys.stderr)
                raise SystemExit(128 + signal.SIGTERM) from None  # else the job would count as done
            if trainer.interrupted:
                raise KeyboardInterrupt from None
            raise
        return history.rows


def next_epoch(checkpoint: Path) -> int:
    """The epoch, counted from 0, that a training goes on with from this checkpoint."""
    import torch

    return torch.load(checkpoint, weights_only=True)["epoch"] + 1


def seed_everything(seed: int) -> None:
    """Seed torch, numpy and random, quietly."""
    import lightning

    lightning.seed_everything(seed, workers=True, verbose=False)
