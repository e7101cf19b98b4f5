"""The part of a net that reads an observation: a time series, or a configuration on a torus of any extents."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from lattice_ml.ground.errors import UserError
from lattice_ml.nets.lattice_cnn import PeriodicConv2d
from lattice_ml.nets.receptive_field import Window


class SeriesEncoder(nn.Module):
    """``[batch, time]`` -> ``[batch, feature]``: dense layers with SiLU, ``widths`` wide.

    shape: (times,). The widths of SciNet's pendulum are [500, 100]; the last one is ``features``.
    """

    def __init__(self, shape: Sequence[int], widths: Sequence[int] = (500, 100)) -> None:
        super().__init__()
        if not widths or min(widths) < 1:
            raise UserError(f"model.encoder.widths = {list(widths)} is no net: give e.g. [500,100].")
        self.features = int(widths[-1])
        sizes = [int(shape[0]), *map(int, widths)]
        self.layers = nn.Sequential(*(part for own in pairwise(sizes) for part in (nn.Linear(*own), nn.SiLU())))

    def forward(self, x: Float[Tensor, "batch time"]) -> Float[Tensor, "batch feature"]:
        return self.layers(x)


class TorusEncoder(nn.Module):
    """``[batch, channel, x, y]`` -> ``[batch, feature]`` on one torus.

    stages times: a 3 × 3 convolution with periodic padding, SiLU, and the mean over blocks of pool × pool sites; then
    all is flattened into a dense layer. Blocks at the end of a torus whose extent is no multiple are smaller. Since it
    flattens, it knows where things are: the position of a band can be a latent.

    Before the dense layer every number is brought to mean 0 and variance 1 over configurations. Means over many sites
    differ little between configurations, less than latents are noisy at first: a decoder would learn to ignore them
    before they tell anything (of the flux configurations of 60 x 4, nothing was ever learned without).

    shape: (channels, Lx, Ly). The stages have filters, 4 filters, 4 filters, … channels.
    """

    def __init__(
        self, shape: Sequence[int], filters: int = 4, stages: int = 3, pool: int = 3, features: int = 64
    ) -> None:
        super().__init__()
        channels, *extents = map(int, shape)
        self.features, self.sizes = features, coarser((extents[0], extents[1]), stages, pool)
        widths = [channels, *stage_widths(filters, stages)]
        self.convolutions = nn.ModuleList(PeriodicConv2d(before, after, 3) for before, after in pairwise(widths))
        self.pool = pool
        last_x, last_y = self.sizes[-1]
        self.standardise = Standardise(widths[-1] * last_x * last_y, affine=False)
        self.dense = nn.Linear(widths[-1] * last_x * last_y, features)

    def windows(self, layer: str) -> list[Window]:
        """(kernel, stride) of everything up to and with a convolution, ``convolutions.<number>``."""
        number = int(layer.rpartition(".")[2])
        return [(3, 1), *((self.pool, self.pool), (3, 1)) * number]

    def forward(self, x: Float[Tensor, "batch channel x y"]) -> Float[Tensor, "batch feature"]:
        for convolution in self.convolutions:
            x = F.silu(convolution(x))
            block = [min(self.pool, extent) for extent in x.shape[-2:]]
            x = F.avg_pool2d(x, block, ceil_mode=True)
        return F.silu(self.dense(self.standardise(x.flatten(1))))


class Standardise(nn.BatchNorm1d):
    """Batch normalisation that takes a batch of one, which has no variance, by the running mean and variance."""

    def forward(self, input: Float[Tensor, "batch number"]) -> Float[Tensor, "batch number"]:
        if self.training and len(input) > 1:
            return super().forward(input)
        return F.batch_norm(input, self.running_mean, self.running_var, eps=self.eps)


def stage_widths(filters: int, stages: int) -> list[int]:
    """Channels of the stages: the finest has a quarter of the others', for it has the most sites by far."""
    return [filters, *[4 * filters] * (stages - 1)]


def coarser(extents: tuple[int, int], stages: int, pool: int) -> list[tuple[int, int]]:
    """Extents of the torus and of what is left after every stage, each a ``pool``-th of the last, rounded up."""
    if stages < 1 or pool < 2:
        raise UserError(f"stages = {stages} and pool = {pool} are no pyramid: give stages >= 1 and pool >= 2.")
    sizes = [extents]
    for _ in range(stages):
        sizes.append((-(-sizes[-1][0] // pool), -(-sizes[-1][1] // pool)))
    return sizes
