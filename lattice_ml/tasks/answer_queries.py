"""What must be remembered of an observation to answer questions about it?"""

from __future__ import annotations

import math
from typing import Any

import lightning as L
import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor

from lattice_ml.data.questions import Asked, Question
from lattice_ml.ground.errors import UserError
from lattice_ml.ground.ranges import Positive
from lattice_ml.nets.posterior import Posterior
from lattice_ml.nets.variational_encoder import VariationalEncoder
from lattice_ml.tasks.annealing import one_cycle, risen


class AnswerQueries(L.LightningModule):
    """Minimise < sum over outputs of (answer - truth)² / scale² > / outputs + beta KL, z drawn from the posterior.

    net: observation -> latents; latents and query -> answer / scale. question: what is asked; see ``Question``. beta:
    weight of the KL divergence from the prior N(0, 1), in nats a configuration: it prices what a latent holds. warmup:
    share of the epochs in which the weight rises from 0 to beta: a decoder that cannot use a latent yet would else lose
    it for good, as those of a band's position, which help in pairs only.

    Input and answers are divided by their root mean square over the training data, ``input_scale`` and ``scale``
    ``[output]``, which are part of the checkpoint. Metrics: ``train/loss``; at the posterior's mean, over all
    questions, ``val/loss``, ``val/mse`` (in units of ``scale``²), ``val/kl`` (nats a configuration).

    Source: Iten et al., arXiv:1807.10300, eq. (1) of the Supplement.
    """

    input_scale: Tensor
    scale: Tensor

    def __init__(
        self, net: VariationalEncoder, question: Question, lr: Positive = 3e-3, beta: float = 1e-3, warmup: float = 0.0
    ) -> None:
        super().__init__()
        if not 0 < lr < math.inf:
            raise UserError(f"lr = {lr:g} is not a learning rate: give lr > 0, e.g. task.lr=3e-3.")
        if not 0 <= beta < math.inf:
            raise UserError(f"beta = {beta:g} is no weight of the prior: give beta >= 0, e.g. task.beta=1e-3.")
        if not 0 <= warmup <= 1:
            raise UserError(f"warmup = {warmup:g} is no share of the epochs: give 0 to 1, e.g. task.warmup=0.25.")
        self.save_hyperparameters({"lr": lr, "beta": beta, "warmup": warmup, "outputs": list(question.outputs)})
        self.net, self.question, self.lr, self.beta, self.warmup = net, question, lr, beta, warmup
        channels = [net.shape[0], *(1 for _ in net.shape[1:])] if len(net.shape) > 1 else []
        self.register_buffer("input_scale", torch.ones(channels))  # of its final shape, or no checkpoint fits it
        self.register_buffer("scale", torch.ones(len(question.outputs)))

    def setup(self, stage: str) -> None:
        if stage == "fit":
            data = self.trainer.datamodule  # type: ignore[attr-defined]
            scale = data.scale()
            self.input_scale.copy_(scale if scale.ndim == 0 else scale[:, None, None])
            self.scale.copy_(data.answer_scale(self.question))

    def encode(self, x: Float[Tensor, "batch ..."]) -> Posterior:
        return self.net.encode(x / self.input_scale)

    def forward(
        self, z: Float[Tensor, "batch latent"], query: Float[Tensor, "batch question query"]
    ) -> Float[Tensor, "batch question output"]:
        """Answers in physical units."""
        return self.net.answer(z, query) * self.scale

    def losses(self, z: Tensor, asked: Asked, found: Posterior) -> tuple[Tensor, Tensor]:
        """(mean squared error in units of scale, KL in nats a configuration)."""
        error = self.net.answer(z, asked.query) - asked.answer / self.scale
        return error.square().mean(), found.divergence().sum(1).mean()

    @property
    def price(self) -> float:
        """Weight of the divergence in what is minimised, now."""
        return self.beta * risen(self, self.warmup)

    def training_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> Tensor:
        found = self.encode(batch[0])
        squared, divergence = self.losses(found.sample(), self.question.draw(*batch), found)
        loss = squared + self.price * divergence
        self.log("train/loss", loss.detach(), on_step=False, on_epoch=True, batch_size=len(batch[0]))
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], batch_idx: int) -> None:
        found = self.encode(batch[0])
        squared, divergence = self.losses(found.mean, self.question.every(*batch), found)
        size = len(batch[0])
        self.log("val/loss", squared + self.beta * divergence, prog_bar=True, batch_size=size)
        self.log("val/mse", squared, batch_size=size)
        self.log("val/kl", divergence, prog_bar=True, batch_size=size)

    def configure_optimizers(self) -> Any:
        return one_cycle(self, self.lr)

    @torch.inference_mode()
    def posteriors(self, x: Tensor) -> Posterior:
        """What observations in physical units tell, read some at a time; on the CPU."""
        self.eval()
        found = [self.encode(part.to(self.device)) for part in x.split(256)]
        return Posterior(*(torch.cat(parts).cpu() for parts in zip(*found, strict=True)))

    @torch.inference_mode()
    def errors(self, x: Tensor, y: Tensor) -> Float64[np.ndarray, "n output"]:
        """Root mean squared error over all questions of every observation, in physical units, at the mean."""
        self.eval()
        found = []
        for own, other in zip(x.split(256), y.split(256), strict=True):
            asked = self.question.every(own.to(self.device), other.to(self.device))
            answer = self(self.encode(own.to(self.device)).mean, asked.query)
            found.append((answer - asked.answer).double().square().mean(1).sqrt().cpu())
        return torch.cat(found).numpy()
