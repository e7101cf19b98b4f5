"""An ensemble for nets that describe configurations instead of labelling them: batches with the states themselves."""

from __future__ import annotations

import torch
from jaxtyping import Float, Float32, Shaped
from torch import Tensor

from lattice_ml.data.datamodule import EnsembleData
from lattice_ml.data.questions import Question
from lattice_ml.data.resident import IndexBatch
from lattice_ml.data.stream import StateBatch


class Configurations(EnsembleData):
    """Batches (x float32 ``[batch, channel, x, y]``, states ``[batch, species, x, y]``); see ``EnsembleData``.

    The channels are what an encoder reads, the states what a likelihood speaks of.
    """

    def on_after_batch_transfer(self, batch: IndexBatch | StateBatch, dataloader_idx: int) -> tuple[Tensor, Tensor]:
        states, _ = self.source.arrive(batch, self.augment)  # type: ignore[arg-type]
        return self.system.to_channels(states), states

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of the channels of one configuration."""
        return (self.in_channels, *self.extents)

    def answer_scale(self, question: Question) -> Float32[Tensor, " output"]:
        """Root mean square of the answers to all questions to the training configurations; 1 where that is 0."""
        squares = []
        for states in self.parts("train"):
            x = self.system.to_channels(states)
            squares.append(question.every(x, states).answer.double().square().mean(dim=(0, 1)).cpu())
        rms = torch.stack(squares).mean(0).sqrt().float()
        return torch.where(rms > 0, rms, 1.0)

    def side(self, name: str) -> tuple[Float[Tensor, "n channel x y"], Shaped[Tensor, "n species x y"]]:
        """Channels and states of ``train``, ``val`` or ``test``, in the order (point, replica, sample)."""
        states = torch.cat([part.cpu() for part in self.parts(name)])
        return self.system.to_channels(states), states
