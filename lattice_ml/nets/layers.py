"""Convolution with few filters, two sites at a time."""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

Padding = Literal["zeros", "circular"]


class PairedConv2d(nn.Conv2d):
    """A 'same' convolution that computes two neighbouring sites along y at once: ``nn.Conv2d`` made fast on a CPU.

    y[b, o, r] = bias[o] + sum_{i, d} weight[o, i, d] x[b, i, r + d],  |d_x|, |d_y| <= h,  kernel size 2 h + 1.

    Parameters and result are those of ``nn.Conv2d(..., padding="same")``, the result up to float32 rounding. A CPU
    kernel fills its 16 SIMD lanes with output channels, and six filters leave ten of them idle. So the sites
    (2 k, 2 k + 1) are taken as one site with twice the channels, which is a view of memory in channels_last; the
    kernel, once as it is and once moved by a site, becomes one of h + 1 such pairs with twice the filters and a sixth
    of zeros (h = 2). Figures: ``benchmarks/datamodule.md``.

    padding_mode: ``zeros`` or ``circular`` (the torus). h must be even (kernel size 1, 5, 9): pairs would not line up.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int = 5, padding_mode: Padding = "zeros"
    ) -> None:
        if kernel_size % 4 != 1:
            raise ValueError(f"kernel_size = {kernel_size}: pairs line up for 1, 5, 9, … only")
        super().__init__(in_channels, out_channels, kernel_size, padding="same", padding_mode=padding_mode)
        self.reach = kernel_size // 2

    def forward(self, input: Float[Tensor, "batch channel x y"]) -> Float[Tensor, "batch filter x y"]:
        return self.uncropped(input)[..., : input.shape[-1]]

    def uncropped(self, input: Float[Tensor, "batch channel x y"]) -> Float[Tensor, "batch filter x y_or_more"]:
        """The convolution with, on a CPU and where y is odd, one void column beyond its end.

        Dense in memory, which the view that ``forward`` returns is not: spares the copies of cropping and padding where
        the next layer never reads that column, or takes it for its own padding once it is set to zero.
        """
        if input.device.type != "cpu":  # a GPU has no lanes to fill
            return super().forward(input)
        h = self.reach
        if self.padding_mode == "circular":
            padding = (0, 0)
            input = F.pad(input, (h, h, h, h), mode="circular")
        else:
            padding = (h, h // 2)
        if input.shape[-1] % 2:
            input = F.pad(input, (0, 1))
        batch, channels, extent_x, extent_y = input.shape
        paired = input.permute(0, 2, 3, 1).reshape(batch, extent_x, extent_y // 2, 2 * channels).permute(0, 3, 1, 2)
        # Both sites of a pair see the pairs from -h/2 to +h/2: site 0 has no use for the last tap, 1 for the first.
        kernels = torch.stack([F.pad(self.weight, (0, 1)), F.pad(self.weight, (1, 0))]).unflatten(-1, (h + 1, 2))
        kernel = kernels.permute(0, 1, 5, 2, 3, 4).reshape(2 * self.out_channels, 2 * channels, 2 * h + 1, h + 1)
        bias = None if self.bias is None else self.bias.repeat(2)
        output = F.conv2d(paired, kernel, bias, padding=padding).permute(0, 2, 3, 1)
        return output.reshape(batch, output.shape[1], -1, self.out_channels).permute(0, 3, 1, 2)
