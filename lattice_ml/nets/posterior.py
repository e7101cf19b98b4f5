"""What an encoder says of a configuration: a Gaussian for every latent."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor


class Posterior(NamedTuple):
    """q(z | x) = product over latents of N(mean, sigma²), against the prior N(0, 1).

    mean, log_sigma: float32 ``[batch, latent]``.
    """

    mean: Float[Tensor, "batch latent"]
    log_sigma: Float[Tensor, "batch latent"]

    def sample(self) -> Float[Tensor, "batch latent"]:
        """z = mean + sigma e, e ~ N(0, 1) from torch's generator: gradients reach mean and sigma."""
        return self.mean + self.log_sigma.exp() * torch.randn_like(self.mean)

    def divergence(self) -> Float[Tensor, "batch latent"]:
        """KL(q || prior) = -1/2 (1 + 2 log sigma - mean² - sigma²) of every latent, in nats.

        It is 0 where the encoder says nothing; its sum over latents bounds what they tell of the input.
        Source: D. P. Kingma & M. Welling, arXiv:1312.6114 (2013), App. B.
        """
        return -0.5 * (1 + 2 * self.log_sigma - self.mean.square() - (2 * self.log_sigma).exp())


def posterior(numbers: Float[Tensor, "batch twice_latent"]) -> Posterior:
    """The first half of an encoder's last layer is the mean, the second log sigma, held in -10 … 5.

    Beyond, sigma² would overflow in the first steps of a training.
    """
    mean, log_sigma = numbers.chunk(2, dim=1)
    return Posterior(mean, log_sigma.clamp(-10.0, 5.0))
