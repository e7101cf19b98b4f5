"""What is left of a configuration in k numbers? Autoencoder, and variational autoencoder with its prior."""

from __future__ import annotations

import math
from typing import Any

import lightning as L
import numpy as np
import torch
from jaxtyping import Float, Integer
from torch import Tensor

from lattice_ml.ground.errors import UserError
from lattice_ml.ground.ranges import Positive
from lattice_ml.nets.autoencoder import TorusAutoencoder
from lattice_ml.nets.likelihoods import Likelihood
from lattice_ml.nets.posterior import Posterior
from lattice_ml.systems.base import System
from lattice_ml.tasks.annealing import one_cycle, risen

SHARP = -10.0
"""log sigma of a latent without noise: e-10 is the smallest that a posterior may have."""

Batch = tuple[Float[Tensor, "batch channel x y"], Integer[Tensor, "batch species x y"]]


class Autoencode(L.LightningModule):
    """Minimise -ln p(states | z(channels)), z the encoder's mean: as many bits as k numbers save, and no prior.

    net: channels -> posterior; latents -> the numbers of ``likelihood``, which speaks of the integers themselves. The
    input is divided by the root mean square of every channel, ``scale`` ``[channel]``, a part of the checkpoint.

    Metrics, in nats a configuration: ``train/loss``, ``val/loss`` (what is minimised), ``val/reconstruction``
    (-ln p alone), ``val/kl`` (of the prior; 0 here).
    """

    scale: Tensor

    def __init__(
        self,
        net: TorusAutoencoder,
        system: System,
        likelihood: Likelihood,
        lr: Positive = 3e-3,
        channels_last: bool = True,
    ) -> None:
        super().__init__()
        if not 0 < lr < math.inf:
            raise UserError(f"lr = {lr:g} is not a learning rate: give lr > 0, e.g. task.lr=3e-3.")
        self.save_hyperparameters(
            {"lr": lr, "families": list(likelihood.families), "latents": net.latents, "system": system.parameters()}
        )
        self.memory_format = torch.channels_last if channels_last else torch.contiguous_format
        self.net = net.to(memory_format=self.memory_format)  # pyright: ignore[reportCallIssue]
        self.system, self.likelihood, self.lr = system, likelihood, lr
        self.register_buffer("scale", torch.ones(len(system.channels)))

    def setup(self, stage: str) -> None:
        if stage == "fit":
            self.scale.copy_(self.trainer.datamodule.scale())  # type: ignore[attr-defined]

    def encode(self, x: Float[Tensor, "batch channel x y"]) -> Posterior:
        """What configurations, given as channels in physical units, tell: here numbers without noise."""
        mean = self.read(x).mean
        return Posterior(mean, torch.full_like(mean, SHARP))

    def read(self, x: Float[Tensor, "batch channel x y"]) -> Posterior:
        """What the net says of configurations in physical units."""
        return self.net.encode((x / self.scale[:, None, None]).contiguous(memory_format=self.memory_format))

    def surprise(self, z: Float[Tensor, "batch latent"], states: Tensor) -> Float[Tensor, " batch"]:
        """-ln p(states | z) in nats a configuration."""
        return -self.likelihood.log_prob(self.net.decode(z), states)

    def code(self, found: Posterior) -> tuple[Float[Tensor, "batch latent"], Float[Tensor, " batch"]]:
        """The latents that the decoder gets in training, and the KL divergence from the prior (nats)."""
        return found.mean, found.mean.new_zeros(len(found.mean))

    @property
    def price(self) -> float:
        """Weight of the divergence in what is minimised, now."""
        return 0.0

    final_price = 0.0
    """The same at the end of the training: by it epochs are compared. 0: there is no prior."""

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        x, states = batch
        z, divergence = self.code(self.encode(x))
        loss = (self.surprise(z, states) + self.price * divergence).mean()
        self.log("train/loss", loss.detach(), on_step=False, on_epoch=True, batch_size=len(x))
        return loss

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        x, states = batch
        z, divergence = self.code(self.encode(x))
        surprise, divergence, size = self.surprise(z, states).mean(), divergence.mean(), len(x)
        self.log("val/loss", surprise + self.final_price * divergence, prog_bar=True, batch_size=size)
        self.log("val/reconstruction", surprise, batch_size=size)
        self.log("val/kl", divergence, prog_bar=True, batch_size=size)

    def configure_optimizers(self) -> Any:
        return one_cycle(self, self.lr)

    @torch.inference_mode()
    def posteriors(self, x: Float[Tensor, "n channel x y"]) -> Posterior:
        """What configurations tell, read some at a time; on the CPU."""
        self.eval()
        found = [self.encode(part.to(self.device)) for part in x.split(256)]
        return Posterior(*(torch.cat(parts).cpu() for parts in zip(*found, strict=True)))

    @torch.inference_mode()
    def expected(self, z: Float[Tensor, "n latent"]) -> Float[np.ndarray, "n species x y"]:
        """The mean number on every site, given latents."""
        self.eval()
        return self.likelihood.mean(self.net.decode(z.to(self.device))).cpu().numpy()

    @torch.inference_mode()
    def draw(self, z: Float[Tensor, "n latent"], seed: int) -> Integer[np.ndarray, "n species x y"]:
        """Configurations drawn from the likelihood, given latents, some at a time; on a CPU a function of the seed."""
        self.eval()
        generator = torch.Generator(self.device).manual_seed(seed)
        drawn = [self.likelihood.sample(self.net.decode(part.to(self.device)), generator) for part in z.split(256)]
        return torch.cat(drawn).cpu().numpy()


class VariationalAutoencode(Autoencode):
    """Minimise -ELBO with a weight on the prior: < -ln p(states | z) > + beta KL(q(z | x) || N(0, 1)), z drawn from q.

    beta = 1: the variational autoencoder, whose -ELBO bounds the surprise of new configurations. beta > 1: fewer
    latents in use, each dearer, and therefore more often one meaning each. warmup: share of the epochs in which beta
    rises from 0, so that latents are found useful before they are charged for.

    Sources: D. P. Kingma & M. Welling, arXiv:1312.6114 (2013); I. Higgins et al., "beta-VAE", ICLR 2017.
    """

    def __init__(
        self,
        net: TorusAutoencoder,
        system: System,
        likelihood: Likelihood,
        lr: float = 3e-3,
        beta: float = 1.0,
        warmup: float = 0.25,
        channels_last: bool = True,
    ) -> None:
        if not 0 < beta < math.inf:
            raise UserError(f"beta = {beta:g} is no weight of the prior: give beta > 0, e.g. task.beta=4.")
        if not 0 <= warmup <= 1:
            raise UserError(f"warmup = {warmup:g} is no share of the epochs: give 0 to 1, e.g. task.warmup=0.25.")
        super().__init__(net, system, likelihood, lr, channels_last)
        self.final_price, self.warmup = beta, warmup

    def encode(self, x: Float[Tensor, "batch channel x y"]) -> Posterior:
        return self.read(x)

    def code(self, found: Posterior) -> tuple[Float[Tensor, "batch latent"], Float[Tensor, " batch"]]:
        return found.sample(), found.divergence().sum(1)

    @property
    def price(self) -> float:
        return self.final_price * risen(self, self.warmup)
