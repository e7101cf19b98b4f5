"""How M members are trained at once, and judged: what all tasks for several instances of a net share.

A task of this kind says what its loss and its scores are; everything else is here. The members do not see
one another: the loss is the sum of their own mean losses, AdamW acts on each weight by itself, the learning rate is a
function of the step alone, and each member keeps the weights of its own best epoch.
"""

from __future__ import annotations

import copy
import math
from abc import abstractmethod
from pathlib import Path
from typing import Any, Literal, TypeVar

import lightning as L
import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, Float64, Integer
from torch import Tensor
from torch.optim import lr_scheduler

from lattice_ml.data.members import Batch
from lattice_ml.ground.checkpoints import read_checkpoint
from lattice_ml.ground.errors import UserError
from lattice_ml.ground.ranges import Count, NonNegative, Positive
from lattice_ml.nets.committee import Committee
from lattice_ml.nets.lattice_cnn import LatticeCNN
from lattice_ml.nets.members import Members
from lattice_ml.systems.base import Point, System

Schedule = Literal["constant", "cosine", "one_cycle"]
SITES = 1 << 16
"""Sites of configurations that are predicted at a time."""
NOT_COMPARED = (
    "nets are compared on a task for several instances, from data for several: give e.g. task=regress_observables and "
    "data=members."
)
"""What is said of a task that has no targets for ``workflow=compare_nets``."""


class MemberTask(L.LightningModule):
    """Minimise sum over members m of < losses(net_m(x), y) > by AdamW; keep the best weights of every member.

    net: M members. lr, weight_decay, amsgrad: of AdamW. schedule: ``constant``; ``cosine`` from lr to 0 over
    ``trainer.max_epochs``; or ``one_cycle``, which rises to lr in the first tenth. (What lowers the rate at a plateau
    would do so for all members at once, and is not offered.) patience: epochs without a better validation loss after
    which a member stands still: its best weights are not changed any more. Training ends when all do.

    A net's output is in the units ``shift + scale × output`` ``[member, output]`` that the task sets before it trains.

    Metrics, medians over members: ``train/loss``, ``val/loss``, ``val/<score>`` and ``val/best``. ``best_loss``,
    ``waited`` ``[member]`` and the weights ``best`` are part of the checkpoint, which holds tensors and plain values
    only; so a restarted run is the uninterrupted one.

    Tasks that ``workflow=compare_nets`` trains say two more things, ``require`` and ``targets``, and may say a third,
    ``oracle``; all three are static methods.
    """

    outputs: tuple[str, ...] = ()
    """Names along the last axis of targets and predictions."""

    best_loss: Tensor
    waited: Tensor
    shift: Tensor
    scale: Tensor

    def __init__(
        self,
        net: Members | Committee,
        system: System,
        lr: Positive = 1e-2,
        weight_decay: NonNegative = 0.0,
        amsgrad: bool = True,
        schedule: Schedule = "cosine",
        patience: Count = 25,
    ) -> None:
        super().__init__()
        if not 0 < lr < math.inf:
            raise UserError(f"lr = {lr:g} is not a learning rate: give lr > 0, e.g. task.lr=1e-2.")
        if not 0 <= weight_decay < math.inf:
            raise UserError(f"weight_decay = {weight_decay:g} is not a strength: give at least 0, e.g. 1e-4.")
        if schedule not in ("constant", "cosine", "one_cycle"):
            raise UserError(f"schedule = {schedule} is not known: give task.schedule=constant, cosine or one_cycle.")
        if patience < 1:
            raise UserError(f"patience = {patience} epochs is none: give at least 1, e.g. task.patience=25.")
        if net.template.outputs != len(self.outputs):
            raise UserError(
                f"the net has {net.template.outputs} outputs where {', '.join(self.outputs)} are asked for: give "
                f"{len(self.outputs)}."
            )
        settings = {"lr": lr, "weight_decay": weight_decay, "amsgrad": amsgrad, "schedule": schedule}
        self.save_hyperparameters(
            {"task": type(self).__name__, "system": system.parameters(), "members": net.members, **settings}
        )
        self.net: Any = net  # what it offers beyond calls differs from kind to kind
        self.system, self.patience = system, patience
        self.lr, self.weight_decay, self.amsgrad, self.schedule = lr, weight_decay, amsgrad, schedule
        self.best: Any = copy.deepcopy(net).requires_grad_(False)
        self.register_buffer("best_loss", torch.full((net.members,), math.inf, dtype=torch.float64))
        self.register_buffer("waited", torch.zeros(net.members, dtype=torch.int64))
        self.register_buffer("shift", torch.zeros(net.members, len(self.outputs)))
        self.register_buffer("scale", torch.ones(net.members, len(self.outputs)))
        self._sums: dict[str, Tensor] = {}
        self._count = 0
        self._trained: list[tuple[int, Tensor]] = []

    @staticmethod
    def require(system: System, parameters: tuple[str, ...]) -> None:
        """Raise ``UserError`` if the question makes no sense on the system or on ensembles with these parameters.

        Here for tasks on which nets are not compared.
        """
        raise UserError(NOT_COMPARED)

    @staticmethod
    def targets(
        system: System, states: Integer[np.ndarray, "configuration species x y"], point: Point
    ) -> Float32[np.ndarray, "configuration output"]:
        """What the net is to say of configurations drawn at a point."""
        raise NotImplementedError

    @staticmethod
    def oracle(net: LatticeCNN, system: System, point: Point) -> LatticeCNN:
        """The net with the weights that answer exactly at a point; raises ``ValueError`` if its layers will not do."""
        raise NotImplementedError

    @abstractmethod
    def losses(
        self, output: Float[Tensor, "member batch output"], y: Float[Tensor, "*member batch output"]
    ) -> Float[Tensor, "member batch"]:
        """What is minimised, for each sample; ``output`` is the net's own."""

    @abstractmethod
    def scores(
        self, prediction: Float[Tensor, "member batch output"], y: Float[Tensor, "*member batch output"]
    ) -> dict[str, Float[Tensor, "member batch"]]:
        """What is reported, for each sample; ``prediction`` is in the units of the targets."""

    def answer(self, net: Members | Committee, x: Float[Tensor, "*member batch channel x y"]) -> Tensor:
        """What the net says of the system's channels, ``[member, batch, output]``."""
        return net(x)

    def penalties(self) -> Float[Tensor, " member"] | float:
        """What is minimised beside the losses, e.g. the size of each member's weights."""
        return 0.0

    def predicted(self, output: Float[Tensor, "member batch output"]) -> Float[Tensor, "member batch output"]:
        """The net's output in the units of the targets."""
        return self.shift[:, None] + self.scale[:, None] * output

    @property
    def stopped(self) -> Bool[Tensor, " member"]:
        """Which members stand still."""
        return self.waited >= self.patience

    def on_fit_start(self) -> None:
        if self.trainer.world_size > 1:
            raise UserError("members train at once in one process: give trainer=default, or trainer.devices=1.")

    def on_train_start(self) -> None:
        if bool(self.stopped.all()):  # a run that was killed after its last epoch
            self.trainer.should_stop = True

    def on_train_epoch_start(self) -> None:
        self._trained = []

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        x, y = batch
        output = self.answer(self.net, x)
        own = self.losses(output, y).mean(1) + self.penalties()
        # self.log would take as long as a small net's step; what is kept here is logged at the end of the epoch.
        self._trained.append((output.shape[1], own.detach()))
        return own.sum()

    def on_validation_epoch_start(self) -> None:
        self._sums, self._count = {}, 0

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        x, y = batch
        output = self.answer(self.net, x)
        found = {"loss": self.losses(output, y), **self.scores(self.predicted(output), y)}
        self._count += output.shape[1]
        for name, value in found.items():
            self._sums[name] = self._sums.get(name, 0) + value.double().sum(1)

    @torch.no_grad()
    def on_validation_epoch_end(self) -> None:
        means = {name: value / self._count for name, value in self._sums.items()}
        means["loss"] = means["loss"] + self.penalties()
        if self.trainer.state.fn == "fit" and not self.trainer.sanity_checking:
            self._keep_best(means["loss"])
        if self._trained:
            total = torch.stack([size * loss for size, loss in self._trained]).sum(0)
            self.log("train/loss", _median(total / sum(size for size, _ in self._trained)))
        for name, value in {**means, "best": self.best_loss}.items():
            self.log(f"val/{name}", _median(value).float(), prog_bar=name in ("loss", "best"))
        if bool(self.stopped.all()):
            self.trainer.should_stop = True

    def _keep_best(self, loss: Float64[Tensor, " member"]) -> None:
        running = ~self.stopped
        better = running & (loss < self.best_loss)
        self.best.adopt(better, self.net)
        self.best_loss = torch.where(better, loss, self.best_loss)
        self.waited = torch.where(better, 0, self.waited + running.long())

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.AdamW(
            self.net.parameters(), lr=self.lr, weight_decay=self.weight_decay, amsgrad=self.amsgrad, fused=True
        )
        if self.schedule == "constant":
            return optimizer
        steps = int(self.trainer.estimated_stepping_batches)
        if self.schedule == "cosine":
            scheduler: Any = lr_scheduler.CosineAnnealingLR(optimizer, steps)
        else:
            scheduler = lr_scheduler.OneCycleLR(optimizer, self.lr, steps, pct_start=0.1, cycle_momentum=False)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}

    @torch.inference_mode()
    def predict(
        self, states: Integer[np.ndarray, "configuration species x y"] | Integer[Tensor, "configuration species x y"]
    ) -> Float32[np.ndarray, "member configuration output"]:
        """What the best weights of every member say of states, in the units of the targets; any lattice but for FL."""
        found = np.empty((self.net.members, len(states), len(self.outputs)), dtype=np.float32)
        step = max(1, SITES // int(np.prod(states.shape[-2:])))
        for first in range(0, len(states), step):
            part = torch.as_tensor(states[first : first + step], device=self.device)
            output = self.answer(self.best, self.system.to_channels(part))
            found[:, first : first + step] = self.predicted(output).float().cpu().numpy()
        return found

    def judge(
        self, states: Integer[np.ndarray, "configuration species x y"], y: Float[np.ndarray, "configuration output"]
    ) -> dict[str, Float64[np.ndarray, " member"]]:
        """The mean of every score over configurations, for the best weights of each member."""
        return self.grade(self.predict(states), y)

    def grade(
        self,
        prediction: Float32[np.ndarray, "member configuration output"],
        y: Float[np.ndarray, "configuration output"],
    ) -> dict[str, Float64[np.ndarray, " member"]]:
        """The mean of every score over configurations, for what ``predict`` said of them."""
        scores = self.scores(torch.from_numpy(prediction), torch.from_numpy(y))
        return {name: value.double().mean(1).numpy() for name, value in scores.items()}


def require_worms(parameters: tuple[str, ...]) -> None:
    """Raise ``UserError`` unless the ensemble says how many open worms its configurations hold."""
    if "worms" not in parameters:
        raise UserError(
            "an ensemble without a number of open worms has nothing to find: give e.g. ensemble=flux_counting_train."
        )


Task = TypeVar("Task", bound=MemberTask)


def load_members(path: str | Path, task: Task) -> Task:
    """A task of the same net and members with the weights of a checkpoint; nothing in the file is executed.

    Raises ``UserError`` if it is missing, unreadable, or one of another task, net or number of members.
    """
    checkpoint = read_checkpoint(path)
    name = type(task).__name__
    try:
        settings, weights = checkpoint["hyper_parameters"], checkpoint["state_dict"]
        known, members = settings["task"], settings["members"]
    except (KeyError, TypeError) as error:
        raise UserError(f"{path} is not a checkpoint of {name}: give one from the checkpoints/ of a run.") from error
    if (known, members) != (name, task.net.members):
        raise UserError(f"{path} holds {members} members of {known}, not {task.net.members} of {name}: give that task.")
    try:
        task.load_state_dict(weights)
    except (RuntimeError, TypeError, AttributeError) as error:
        raise UserError(
            f"{path} holds the weights of another net: give the model and extents of its run, which stand in the "
            "config.yaml beside checkpoints/."
        ) from error
    return task.eval()


def _median(values: Float[Tensor, " member"]) -> Float[Tensor, ""]:
    """The middle one of those that are numbers, the lower of two in the middle."""
    return values.nanmedian()
