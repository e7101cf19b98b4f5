"""Which phase does a configuration belong to, asked of several nets at once?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float32, Int64, Integer
from torch import Tensor
from torch.nn import functional as F

from lattice_ml.ground.errors import UserError
from lattice_ml.ground.ranges import Count, NonNegative, Positive
from lattice_ml.nets.committee import Committee
from lattice_ml.systems.base import System
from lattice_ml.systems.channels import state_tensor
from lattice_ml.tasks.members import MemberTask, Schedule


class ClassifyCommittee(MemberTask):
    """Minimise sum_m [ < cross-entropy of net m > + l2 sum w_m² ], w_m the weights of convolutions and dense layers.

    The question of ``ClassifyPhase``, with Adam as there (``schedule=constant``) or a falling rate, for the members of
    a committee. Batches are those of ``data.datamodule.EnsembleData``: labels y ``[batch]`` are indices into
    ``classes``, the system's phases if none are given. The input is divided by ``unit`` ``[channel]``, which comes from
    the training data and is kept in the checkpoint. ``predict`` gives logits ``[member, configuration, class]``
    averaged over the placements of the nets' cells (``Committee.everywhere``). Scores: ``cross_entropy``, ``acc``.
    """

    unit: Tensor

    def __init__(
        self,
        net: Committee,
        system: System,
        lr: Positive = 1e-3,
        l2: NonNegative = 0.0,
        schedule: Schedule = "constant",
        patience: Count = 100,
        classes: Sequence[str] | None = None,
    ) -> None:
        if not 0 <= l2 < math.inf:
            raise UserError(f"l2 = {l2:g} is not a strength: give l2 >= 0, e.g. committee.l2=[0.01].")
        self.outputs = tuple(system.phases if classes is None else classes)
        super().__init__(net, system, lr, amsgrad=False, schedule=schedule, patience=patience)
        self.l2 = l2
        self.save_hyperparameters({"classes": list(self.outputs), "l2": l2})
        self.register_buffer("unit", torch.ones(len(system.channels)))

    def setup(self, stage: str) -> None:
        if stage == "fit":
            self.unit.copy_(self.trainer.datamodule.scale())  # type: ignore[attr-defined]

    def answer(self, net: Any, x: Float[Tensor, "batch channel x y"]) -> Float[Tensor, "member batch class"]:
        return net(self._scaled(x))

    def _scaled(self, x: Float[Tensor, "batch channel x y"]) -> Float[Tensor, "batch channel x y"]:
        return (x / self.unit[:, None, None]).contiguous(memory_format=torch.channels_last)

    def penalties(self) -> Float[Tensor, " member"]:
        """l2 sum w²."""
        return self.l2 * self.net.squares()

    def losses(
        self, output: Float[Tensor, "member batch class"], y: Int64[Tensor, " batch"]
    ) -> Float[Tensor, "member batch"]:
        return F.cross_entropy(output.transpose(1, 2), y.expand(len(output), -1), reduction="none")

    def scores(
        self, prediction: Float[Tensor, "member batch class"], y: Int64[Tensor, " batch"]
    ) -> dict[str, Float[Tensor, "member batch"]]:
        right = prediction.argmax(-1) == y
        return {"cross_entropy": self.losses(prediction, y), "acc": right.to(torch.float32)}

    @torch.inference_mode()
    def predict(
        self, states: Integer[np.ndarray, "configuration species x y"] | Integer[Tensor, "configuration species x y"]
    ) -> Float32[np.ndarray, "member configuration class"]:
        """Logits of the best weights of every member; any torus that the nets take."""
        found = np.empty((self.net.members, len(states), len(self.outputs)), dtype=np.float32)
        step = max(1, (1 << 20) // int(np.prod(states.shape[-2:])))
        for first in range(0, len(states), step):
            part = states[first : first + step]
            counts = part if isinstance(part, Tensor) else state_tensor(part)
            channels = self._scaled(self.system.to_channels(counts.to(self.device)))
            found[:, first : first + step] = self.best.everywhere(channels).float().cpu().numpy()
        return found

    def probabilities(
        self, states: Integer[np.ndarray, "configuration species x y"] | Integer[Tensor, "configuration species x y"]
    ) -> Float32[np.ndarray, "member configuration class"]:
        """Softmax probabilities of the classes, in their order, by every member."""
        return torch.from_numpy(self.predict(states)).softmax(-1).numpy()
