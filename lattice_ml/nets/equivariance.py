"""How much does a net's answer change when its input is shifted on the torus?"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float, Float64
from torch import Tensor


class EquivarianceError(NamedTuple):
    """relative: the largest entry of ``map`` by the typical size of an output; what is reported.

    map: max over configurations (and members) of |f(x shifted by (dx, dy)) - f(x)| ``[dx, dy, output]``, dx = 0 …
    extent_x - 1. scale: root mean square of every output over configurations, ``[output]``.
    """

    relative: float
    map: Float64[Tensor, "dx dy output"]
    scale: Float64[Tensor, " output"]


@torch.no_grad()
def equivariance_error(
    net: Callable[[Tensor], Tensor], x: Float[Tensor, "batch channel x y"], batch: int = 256
) -> EquivarianceError:
    """The error over all shifts of the torus, for a net ``[batch, channel, x, y]`` -> ``[*member, batch, output]``.

    The output is that of a pooled or flattened net, which has no sites: shifting it does nothing, so that equivariance
    is invariance. For EQ the error is float32 rounding, about 1e-6. Source: arXiv:2103.14686, Sec. III.
    """
    extent_x, extent_y = x.shape[-2:]
    still = net(x).double()
    found = torch.zeros(extent_x, extent_y, still.shape[-1], dtype=torch.float64)
    shifts = [(i, j) for i in range(extent_x) for j in range(extent_y)]
    at_once = max(1, batch // len(x))
    for first in range(0, len(shifts), at_once):
        some = shifts[first : first + at_once]
        moved = net(torch.cat([x.roll(shift, (-2, -1)) for shift in some])).double()
        off = (moved.unflatten(-2, (len(some), len(x))) - still[..., None, :, :]).abs()
        for shift, error in zip(some, off.movedim(-3, 0), strict=True):
            found[shift] = error.flatten(0, -2).amax(0).cpu()
    scale = still.flatten(0, -2).square().mean(0).sqrt().cpu()
    relative = (found.amax((0, 1)) / scale.clamp_min(torch.finfo(torch.float64).tiny)).amax()
    return EquivarianceError(float(relative), found, scale)
