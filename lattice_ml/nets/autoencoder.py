"""An autoencoder of configurations on a torus: what is left of one in k numbers, and what these say of every site."""

from __future__ import annotations

from itertools import pairwise

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from lattice_ml.ground.errors import UserError
from lattice_ml.ground.ranges import Count
from lattice_ml.nets.encoders import TorusEncoder, coarser, stage_widths
from lattice_ml.nets.lattice_cnn import PeriodicConv2d
from lattice_ml.nets.posterior import Posterior, posterior


class TorusDecoder(nn.Module):
    """``[batch, latent]`` -> ``[batch, output, x, y]``: two dense layers to the coarsest torus, then stage by stage the
    nearest site of the coarser torus, a 3 × 3 convolution with periodic padding, and SiLU; linear at the end.

    The mirror image of ``TorusEncoder``: any extents, since a stage's are given and not multiplied up to.
    """

    def __init__(
        self, latents: int, outputs: int, extents: tuple[int, int], filters: int, stages: int, pool: int, features: int
    ) -> None:
        super().__init__()
        self.sizes = coarser(extents, stages, pool)
        widths = [outputs, *stage_widths(filters, stages)][::-1]
        self.coarsest = (widths[0], *self.sizes[-1])
        sites = self.sizes[-1][0] * self.sizes[-1][1]
        self.dense = nn.Sequential(
            nn.Linear(latents, features), nn.SiLU(), nn.Linear(features, widths[0] * sites), nn.SiLU()
        )
        self.convolutions = nn.ModuleList(PeriodicConv2d(before, after, 3) for before, after in pairwise(widths))

    def forward(self, z: Float[Tensor, "batch latent"]) -> Float[Tensor, "batch output x y"]:
        x = self.dense(z).view(-1, *self.coarsest)
        for number, convolution in enumerate(self.convolutions):
            size = self.sizes[-2 - number]
            last = number == len(self.convolutions) - 1
            x = F.interpolate(x, size=size, mode="nearest")
            x = convolution(x) if last else F.silu(convolution(x))
        return x


class TorusAutoencoder(nn.Module):
    """Encoder to ``latents`` Gaussians (see ``Posterior``) and decoder to ``outputs`` numbers at every site.

    A plain autoencoder uses the means alone. filters, stages, pool, features: of ``TorusEncoder``. Raises ``UserError``
    without latents.
    """

    def __init__(
        self,
        in_channels: int,
        extents: tuple[int, int],
        outputs: int,
        latents: int = 2,
        filters: Count = 4,
        stages: int = 3,
        pool: int = 3,
        features: int = 64,
    ) -> None:
        super().__init__()
        if latents < 1:
            raise UserError(f"latents = {latents} is no bottleneck: give at least 1, e.g. model.latents=2.")
        self.in_channels, self.latents = in_channels, latents
        self.encoder = TorusEncoder((in_channels, *extents), filters, stages, pool, features)
        self.to_latents = nn.Linear(features, 2 * latents)
        self.decoder = TorusDecoder(latents, outputs, extents, filters, stages, pool, features)

    def encode(self, x: Float[Tensor, "batch channel x y"]) -> Posterior:
        return posterior(self.to_latents(self.encoder(x)))

    def decode(self, z: Float[Tensor, "batch latent"]) -> Float[Tensor, "batch output x y"]:
        return self.decoder(z)
