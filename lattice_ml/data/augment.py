"""Augmentation by the symmetries of the lattice, on the device where the states lie."""

from __future__ import annotations

import torch
from jaxtyping import Shaped
from torch import Tensor


class TorusShift:
    """Move each configuration by its own uniform translation (dx, dy) of the torus.

    s'[x, y] = s[(x - dx) mod Lx, (y - dy) mod Ly], dx uniform in 0 … Lx - 1 and dy in 0 … Ly - 1: translations are
    a symmetry of every homogeneous system on a torus, so the label of a configuration is that of its image.

    Source: Casert et al., PRE 99, 023304 (2019): "uniform shifts in x and y".
    """

    def __call__(
        self, states: Shaped[Tensor, "batch species x y"], generator: torch.Generator
    ) -> Shaped[Tensor, "batch species x y"]:
        """Return shifted copies of states (any dtype, any device); ``generator`` is a CPU generator.

        The shifts are drawn on the CPU and then moved, so that they are the same numbers for every device.
        """
        batch, species, extent_x, extent_y = states.shape
        dx = torch.randint(extent_x, (batch, 1), generator=generator)
        dy = torch.randint(extent_y, (batch, 1), generator=generator)
        x = (torch.arange(extent_x) - dx) % extent_x
        y = (torch.arange(extent_y) - dy) % extent_y
        # One gather over site numbers: faster than indexing with four broadcast arrays, and on a GPU one
        # kernel where torch.roll would be two for every configuration.
        sites = torch.add(y.to(states.device)[:, None, :], x.to(states.device)[:, :, None], alpha=extent_y)
        return states.flatten(2).gather(2, sites.view(batch, 1, -1).expand(-1, species, -1)).view_as(states)
