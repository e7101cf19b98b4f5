"""Which phase does a configuration belong to?"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import torch
from jaxtyping import Float, Float32, Int64, Integer
from torch import Tensor, nn
from torch.nn import functional as F
from torchmetrics.classification import MulticlassAccuracy

from lattice_ml.ground.checkpoints import read_checkpoint
from lattice_ml.ground.errors import UserError
from lattice_ml.ground.ranges import NonNegative, Positive
from lattice_ml.systems.base import System
from lattice_ml.systems.channels import state_tensor

MONITORED = ("train/loss", "val/loss", "val/cross_entropy", "val/acc")
"""What is logged in every epoch, and may be waited for."""

Batch = tuple[Float[Tensor, "batch channel x y"], Int64[Tensor, " batch"]]


class ClassifyPhase(L.LightningModule):
    """Minimise cross-entropy + l2 sum w² with Adam, w the weights of convolutions and dense layers, not the biases.

    net: ``[batch, channel, x, y]`` -> logits ``[batch, class]``, with an attribute ``in_channels``. system: gives the
    channels and the names of the classes. The input is divided by ``scale`` ``[channel]``, which comes from the
    training data and is kept in the checkpoint; so the net sees numbers of order one and callers speak of particles.

    Metrics: ``train/loss``, ``val/loss``, ``test/loss`` (what is minimised, penalty included), ``val/cross_entropy``,
    ``val/acc``, ``test/acc``. Checkpoints hold tensors and plain values only (``torch.load(weights_only=True)``).

    Source: Casert et al., PRE 99, 023304 (2019), Sec. III.
    """

    scale: Tensor

    def __init__(
        self,
        net: nn.Module,
        system: System,
        lr: Positive = 1e-3,
        l2: NonNegative = 0.01,
        channels_last: bool = True,
        compile: bool = False,
    ) -> None:
        super().__init__()
        if not 0 < lr < math.inf:
            raise UserError(f"lr = {lr:g} is not a learning rate: give lr > 0, e.g. task.lr=1e-3.")
        if not 0 <= l2 < math.inf:
            raise UserError(f"l2 = {l2:g} is not a strength: give l2 >= 0, e.g. task.l2=0.01.")
        phases = list(system.phases)
        self.save_hyperparameters(
            {"phases": phases, "system": system.parameters(), "lr": lr, "l2": l2, "channels_last": channels_last}
        )
        self.memory_format = torch.channels_last if channels_last else torch.contiguous_format
        self.net = net.to(memory_format=self.memory_format)  # pyright: ignore[reportCallIssue]
        if compile:
            self.net.compile()  # in place: the names of the weights stay those of the plain net
        self.system, self.phases, self.lr, self.l2 = system, tuple(phases), lr, l2
        self.penalised = [m.weight for m in net.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
        self.register_buffer("scale", torch.ones(len(system.channels)))
        self.val_acc = MulticlassAccuracy(len(phases), average="micro")
        self.test_acc = MulticlassAccuracy(len(phases), average="micro")

    def setup(self, stage: str) -> None:
        if stage == "fit":
            self.scale.copy_(self.trainer.datamodule.scale())  # type: ignore[attr-defined]

    def forward(self, x: Float[Tensor, "batch channel x y"]) -> Float[Tensor, "batch classes"]:
        """Channels in particles per site -> logits."""
        return self.net((x / self.scale[:, None, None]).contiguous(memory_format=self.memory_format))

    @property
    def ranks(self) -> int:
        """Processes that train this net together."""
        return 1 if self._trainer is None else self._trainer.world_size

    def weighing(self, y: Int64[Tensor, " batch"]) -> dict[str, Any]:
        """How ``self.log`` is to average a mean over the own rows, over the epoch and all ranks.

        Lightning averages the weights of the ranks as integers: times the number of ranks nothing is cut off.
        """
        return {"batch_size": len(y) * self.ranks, "sync_dist": True}

    def penalty(self) -> Float[Tensor, ""]:
        """l2 sum w²."""
        return self.l2 * torch.stack([weight.square().sum() for weight in self.penalised]).sum()

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        x, y = batch
        own, penalty = cross_entropy(self(x), y), self.penalty()
        self.log("train/loss", (own + penalty).detach(), on_step=False, on_epoch=True, **self.weighing(y))
        if self.ranks > 1:
            # The ranks' gradients are averaged, and their rows may differ by one: weighted so, their mean is the
            # gradient of the whole batch.
            rows = torch.tensor(float(len(y)), device=self.device)
            own = own * (rows / self.trainer.strategy.reduce(rows.clone(), reduce_op="mean"))
        return own + penalty

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        x, y = batch
        logits = self(x)
        own = cross_entropy(logits, y)
        if len(y):
            self.val_acc(logits, y)
        self.log("val/cross_entropy", own, **self.weighing(y))
        self.log("val/loss", own + self.penalty(), prog_bar=True, **self.weighing(y))
        self.log("val/acc", self.val_acc, batch_size=len(y), prog_bar=True)

    def test_step(self, batch: Batch, batch_idx: int) -> None:
        x, y = batch
        logits = self(x)
        if len(y):
            self.test_acc(logits, y)
        self.log("test/loss", cross_entropy(logits, y) + self.penalty(), **self.weighing(y))
        self.log("test/acc", self.test_acc, batch_size=len(y))

    def predict_step(self, batch: Batch, batch_idx: int) -> Float[Tensor, "batch classes"]:
        return self(batch[0]).softmax(dim=-1)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), lr=self.lr, fused=True)

    @torch.inference_mode()
    def probabilities(
        self, states: Integer[np.ndarray, "configuration species x y"] | Integer[Tensor, "configuration species x y"]
    ) -> Float32[np.ndarray, "configuration classes"]:
        """Softmax probabilities of the phases, in the order of ``phases``, for integer states.

        states: particle counts, any integer dtype, numpy or torch, ``[configuration, species, x, y]``.
        """
        before = self.training
        self.eval()
        found = np.empty((len(states), len(self.phases)), dtype=np.float32)
        for first in range(0, len(states), 256):
            part = states[first : first + 256]
            counts = part if isinstance(part, Tensor) else state_tensor(part)
            channels = self.system.to_channels(counts.to(self.device))
            found[first : first + 256] = self(channels).softmax(dim=-1).float().cpu().numpy()
        self.train(before)
        return found


def cross_entropy(logits: Float[Tensor, "batch classes"], y: Int64[Tensor, " batch"]) -> Float[Tensor, ""]:
    """Mean over the batch; 0 of none, a rank's share where a last batch has fewer rows than there are ranks."""
    return F.cross_entropy(logits, y) if len(y) else 0.0 * logits.sum()


def load_classifier(path: str | Path, net: nn.Module, system: System) -> ClassifyPhase:
    """The classifier of a checkpoint, its weights loaded into ``net``; on the CPU, in evaluation mode.

    Nothing in the file is executed (``weights_only=True``). Raises ``UserError`` if it is missing, unreadable,
    not a checkpoint of ``ClassifyPhase``, or one of another net or system.
    """
    checkpoint = read_checkpoint(path)
    try:
        settings, weights = checkpoint["hyper_parameters"], checkpoint["state_dict"]
        phases, system_name = list(settings["phases"]), settings["system"]["name"]
        options = {name: settings[name] for name in ("lr", "l2", "channels_last")}
    except (KeyError, TypeError) as error:
        raise UserError(
            f"{path} is not a checkpoint of a phase classifier: give one from the checkpoints/ folder of a run."
        ) from error
    if system_name != system.name or phases != list(system.phases):
        raise UserError(
            f"{path} classifies {system_name} into {', '.join(phases)}, not {system.name} into "
            f"{', '.join(system.phases)}: give a checkpoint of this system."
        )
    classifier = ClassifyPhase(net, system, **options)
    try:
        classifier.load_state_dict(weights)
    except (RuntimeError, TypeError, AttributeError) as error:
        raise UserError(
            f"{path} holds the weights of another net than {type(net).__name__} for extents {list(system.extents)}: "
            "give the model and extents of its run, which stand in the config.yaml beside checkpoints/."
        ) from error
    return classifier.eval()
