"""The convolutional net of Casert et al. that tells phases apart."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from lattice_ml.ground.errors import UserError
from lattice_ml.ground.ranges import Count
from lattice_ml.nets.layers import Padding, PairedConv2d
from lattice_ml.nets.receptive_field import Window


class PhaseCNN(nn.Module):
    """Two 5×5 convolutions, 3×3 max pool, two 3×3 convolutions, 3×3 max pool, dense ``hidden``, dense ``classes``.

    ReLU follows every convolution and the first dense layer; convolutions keep the extents, pools divide them by
    three. With two channels, six filters, 16 hidden units and three classes on an L × L torus it has
    32/27 L² + 1939 parameters: 306 + 906 + 330 + 330 of the convolutions, 6 (L/9)² 16 + 16 and 51 of the dense layers.

    padding_mode: ``zeros`` as in the paper, or ``circular``, which continues the torus.
    Returns logits; the softmax belongs to the task. Raises ``UserError`` when an extent is not divisible by 9.

    Source: Casert, Vieijra, Nys, Ryckebusch, PRE 99, 023304 (2019), Sec. III.
    """

    def __init__(
        self,
        in_channels: int,
        extents: tuple[int, int],
        classes: int,
        filters: Count = 6,
        hidden: Count = 16,
        padding_mode: Padding = "zeros",
    ) -> None:
        super().__init__()
        extent_x, extent_y = extents
        if extent_x % 9 or extent_y % 9 or min(extents) < 9:
            raise UserError(
                f"extents = [{extent_x},{extent_y}] do not fit PhaseCNN, which pools 3 × 3 sites twice: give multiples "
                f"of 9, e.g. ensemble.extents=[{_nearest_multiple(extent_x)},{_nearest_multiple(extent_y)}]."
            )
        if padding_mode not in ("zeros", "circular"):
            raise UserError(f"padding_mode = {padding_mode} is not known: give model.padding_mode=zeros or circular.")
        self.in_channels, self.outputs = in_channels, classes
        self.conv1 = PairedConv2d(in_channels, filters, 5, padding_mode=padding_mode)
        self.conv2 = PairedConv2d(filters, filters, 5, padding_mode=padding_mode)
        self.conv3 = nn.Conv2d(filters, filters, 3, padding="same", padding_mode=padding_mode)
        self.conv4 = nn.Conv2d(filters, filters, 3, padding="same", padding_mode=padding_mode)
        self.dense1 = nn.Linear(filters * (extent_x // 9) * (extent_y // 9), hidden)
        self.dense2 = nn.Linear(hidden, classes)

    def windows(self, layer: str) -> list[Window]:
        """(kernel, stride) of all convolutions and pools up to and with a convolution, by its name."""
        chain = {"conv1": [(5, 1)], "conv2": [(5, 1)], "conv3": [(3, 3), (3, 1)], "conv4": [(3, 1)]}
        names = list(chain)
        return [window for name in names[: names.index(layer) + 1] for window in chain[name]]

    def forward(self, x: Float[Tensor, "batch channel x y"]) -> Float[Tensor, "batch classes"]:
        extent_y = x.shape[-1]
        x = self.conv1.uncropped(x)
        if self.conv2.padding_mode == "zeros":
            x[..., extent_y:] = 0  # a void column of zeros is the padding of the next convolution
        else:
            x = x[..., :extent_y]
        x = F.relu(x)
        # max(relu(x)) = relu(max(x)): ReLU after the pool is the same function and has a ninth of the sites to do.
        x = F.relu(F.max_pool2d(self.conv2.uncropped(x), 3))  # windows of three end before a void column
        x = F.relu(self.conv3(x))
        x = F.relu(F.max_pool2d(self.conv4(x), 3))
        return self.dense2(F.relu(self.dense1(x.flatten(1))))


def _nearest_multiple(extent: int) -> int:
    """The multiple of 9 nearest to an extent, at least 9."""
    return max(9, 9 * round(extent / 9))
