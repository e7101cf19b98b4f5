"""A trained encoder as a net that can be asked why."""

from __future__ import annotations

from typing import Any

from jaxtyping import Float
from torch import Tensor, nn


class LatentMeans(nn.Module):
    """Channels ``[batch, channel, x, y]`` -> means of the posterior ``[batch, latent]``; task: has ``encode``."""

    def __init__(self, task: Any) -> None:
        super().__init__()
        self.task = task

    def forward(self, x: Float[Tensor, "batch channel x y"]) -> Float[Tensor, "batch latent"]:
        return self.task.encode(x).mean
