"""A net that tells phases apart on any torus and at any density: cells, periodic convolutions, global pools."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from lattice_ml.ground.errors import UserError
from lattice_ml.ground.ranges import Count
from lattice_ml.nets.receptive_field import Window


class PhaseEquivariant(nn.Module):
    """Cell averages, three periodic 3×3 convolutions of dilation 1, 2, 4, global mean and maximum, two dense layers.

    1. I_c(R) = mean of channel c over the cell R of cell × cell sites: shot noise falls by the cell's size, and a third
       of the extent is enough to see a band.
    2. I / sqrt(<I²>), the mean over the configuration's own cells and channels: the density is no longer in the
       numbers, the pattern is. (What it is divided by is one number a configuration, invariant under translations.)
    3. Convolutions on the torus; ReLU follows each. With the dilations a cell sees 15 × 15 cells around it.
    4. Mean and maximum of every filter over all cells, ``hidden`` units with ReLU, ``classes`` logits.

    Steps 3 and 4 commute with translations of the cells; ``Committee.everywhere`` averages over the placements of the
    cells, after which nothing depends on a translation at all. The net serves every torus whose extents are multiples
    of ``cell``. Raises ``UserError`` where they are not, or where a dilated convolution would reach round the torus.

    The classes of nets: Bulusu et al., arXiv:2103.14686, Sec. III; the dilations: F. Yu & V. Koltun, arXiv:1511.07122.
    """

    DILATIONS = (1, 2, 4)

    def __init__(
        self,
        in_channels: int,
        extents: tuple[int, int],
        classes: int,
        cell: Count = 3,
        filters: Count = 8,
        hidden: Count = 16,
    ) -> None:
        super().__init__()
        self.in_channels, self.outputs, self.cell = in_channels, classes, cell
        self.check_extents(*extents)
        widths = (in_channels, *(filters for _ in self.DILATIONS))
        self.convolutions = nn.ModuleList(
            nn.Conv2d(before, after, 3, dilation=dilation)
            for before, after, dilation in zip(widths[:-1], widths[1:], self.DILATIONS, strict=True)
        )
        self.dense1 = nn.Linear(2 * filters, hidden)
        self.dense2 = nn.Linear(hidden, classes)

    def check_extents(self, extent_x: int, extent_y: int) -> None:
        """Raise ``UserError`` unless the torus is one of whole cells, and large enough for the last dilation."""
        least = self.cell * self.DILATIONS[-1]
        if extent_x % self.cell or extent_y % self.cell or min(extent_x, extent_y) < least:
            raise UserError(
                f"extents = [{extent_x},{extent_y}] do not fit cells of {self.cell} × {self.cell} sites: give "
                f"multiples of {self.cell} of at least {least}, e.g. ensemble.extents=[81,81]."
            )

    def windows(self, layer: str) -> list[Window]:
        """(kernel, stride) of everything up to and with a convolution, ``convolutions.<number>``: the pattern that it
        sees. Through the mean square of step 2 all other cells have a little say in how large it is."""
        number = int(layer.rpartition(".")[2])
        return [(self.cell, self.cell), *((2 * d + 1, 1) for d in self.DILATIONS[: number + 1])]

    def forward(self, x: Float[Tensor, "batch channel x y"]) -> Float[Tensor, "batch classes"]:
        return self.read(self.pattern(x))

    def pattern(self, x: Float[Tensor, "batch channel x y"]) -> Float[Tensor, "batch channel cell_x cell_y"]:
        """Steps 1 and 2, which know no weights."""
        self.check_extents(x.shape[-2], x.shape[-1])
        h = F.avg_pool2d(x, self.cell)
        return h / h.square().mean(dim=(1, 2, 3), keepdim=True).sqrt().clamp_min(1e-6)

    def read(self, h: Float[Tensor, "batch channel cell_x cell_y"]) -> Float[Tensor, "batch classes"]:
        """Steps 3 and 4."""
        for layer, reach in zip(self.convolutions, self.DILATIONS, strict=True):
            h = F.relu(layer(_wrap(h, reach)))
        pooled = torch.cat((h.mean(dim=(-2, -1)), h.amax(dim=(-2, -1))), dim=1)
        return self.dense2(F.relu(self.dense1(pooled)))


def _wrap(h: Float[Tensor, "batch channel x y"], reach: int) -> Float[Tensor, "batch channel wider_x wider_y"]:
    """``F.pad(h, …, mode="circular")`` by ``reach`` on every side, whose gradient takes no copy for each side."""
    h = torch.cat((h[..., -reach:, :], h, h[..., :reach, :]), dim=-2)
    return torch.cat((h[..., -reach:], h, h[..., :reach]), dim=-1)
