"""One net of a trained committee, spoken to alone: what explanations of ``ClassifyCommittee`` are about."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Float32, Integer
from torch import Tensor, nn

from lattice_ml.systems.channels import state_tensor
from lattice_ml.tasks.classify_committee import ClassifyCommittee


class CommitteeMember(nn.Module):
    """Channels in particles per site ``[batch, channel, x, y]`` -> logits ``[batch, class]`` of one member, with its
    best weights; by default the member with the best validation loss.

    Unlike ``ClassifyCommittee.predict`` it asks the net once, its cells where they lie, without averaging over their
    placements: a layer then has one activation for a configuration.
    """

    unit: Tensor

    def __init__(self, task: ClassifyCommittee, member: int | None = None) -> None:
        super().__init__()
        self.net = task.best.member(int(task.best_loss.argmin()) if member is None else member)
        self.system, self.outputs = task.system, task.outputs
        self.register_buffer("unit", task.unit)

    @property
    def phases(self) -> tuple[str, ...]:
        """The names of its classes."""
        return tuple(self.outputs)

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return self.unit.device

    def forward(self, x: Float[Tensor, "batch channel x y"]) -> Float[Tensor, "batch class"]:
        return self.net((x / self.unit[:, None, None]).contiguous(memory_format=torch.channels_last))

    @torch.inference_mode()
    def probabilities(
        self, states: Integer[np.ndarray, "configuration species x y"]
    ) -> Float32[np.ndarray, "configuration class"]:
        """Softmax probabilities of ``outputs`` for particle counts of any integer dtype."""
        found = []
        for first in range(0, len(states), 256):
            counts = state_tensor(states[first : first + 256])
            found.append(self(self.system.to_channels(counts)).softmax(-1).numpy())
        return np.concatenate(found)
