"""SciNet, the interpretable variational encoder: an observation in few numbers, and answers from these alone.

    observation -> encoder -> latents z;    (z, query) -> decoder -> answer

The decoder never sees the observation. So the latents hold what answers to the queries need, the noise with which they
are drawn in training keeps each from holding more, and the prior empties those that are not needed.

Sources: R. Iten, T. Metger, H. Wilming, L. del Rio & R. Renner, Phys. Rev. Lett. 124, 010508 (2020), arXiv:1807.10300;
L. Lucie-Smith et al., Phys. Rev. D 105, 103533 (2022), arXiv:2203.08827.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from lattice_ml.ground.errors import UserError
from lattice_ml.ground.ranges import Count
from lattice_ml.nets.posterior import Posterior, posterior


class VariationalEncoder(nn.Module):
    """An encoder into ``latents`` Gaussians, and a decoder of ``depth`` dense layers, ``hidden`` wide, with SiLU.

    encoder: makes, given the ``shape`` of an observation, a module ``[batch, *shape] -> [batch, encoder.features]``.
    queries: numbers that make up a query. outputs: numbers that make up an answer. Raises ``UserError`` without
    latents.
    """

    def __init__(
        self,
        encoder: Callable[[Sequence[int]], Any],
        shape: Sequence[int],
        queries: int,
        outputs: int,
        latents: int = 3,
        hidden: Count = 100,
        depth: Count = 3,
    ) -> None:
        super().__init__()
        if latents < 1 or hidden < 1 or depth < 1:
            raise UserError(
                f"latents = {latents}, hidden = {hidden}, depth = {depth} are no net: give at least 1 of each, e.g. "
                "model.latents=3."
            )
        self.latents, self.shape = latents, tuple(shape)
        self.encoder = encoder(shape)
        self.to_latents = nn.Linear(self.encoder.features, 2 * latents)
        widths = [latents + queries, *[hidden] * depth]
        dense = [part for k in range(depth) for part in (nn.Linear(widths[k], widths[k + 1]), nn.SiLU())]
        self.decoder = nn.Sequential(*dense, nn.Linear(hidden, outputs))

    def encode(self, x: Float[Tensor, "batch ..."]) -> Posterior:
        """What the observations tell."""
        return posterior(self.to_latents(self.encoder(x)))

    def answer(
        self, z: Float[Tensor, "batch latent"], query: Float[Tensor, "batch question query"]
    ) -> Float[Tensor, "batch question output"]:
        """Answers to several questions to each of a batch of latents."""
        repeated = z[:, None].expand(-1, query.shape[1], -1)
        return self.decoder(torch.cat((repeated, query), dim=-1))
