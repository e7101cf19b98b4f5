"""Augmentation by the symmetries of the lattice, on the device where the states lie; and several, one after another.

What changes numbers of particles is in ``particles.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
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
        batch, _, extent_x, extent_y = states.shape
        dx = torch.randint(extent_x, (batch, 1), generator=generator)
        dy = torch.randint(extent_y, (batch, 1), generator=generator)
        return (_shift_blocks if states.device.type == "cpu" else _shift_sites)(states, dx, dy)


class Chain:
    """Several augmentations, one after the other; each draws from the same generator in turn."""

    def __init__(self, steps: Sequence[Callable[[Tensor, torch.Generator], Tensor]]) -> None:
        self.steps = list(steps)

    def __call__(
        self, states: Shaped[Tensor, "batch species x y"], generator: torch.Generator
    ) -> Shaped[Tensor, "batch species x y"]:
        """States of the same shape; their dtype may be another."""
        for step in self.steps:
            states = step(states, generator)
        return states


def _shift_blocks(states: Tensor, dx: Tensor, dy: Tensor) -> Tensor:
    """On the CPU: four block copies for each configuration, which touch nothing but the configurations themselves."""
    extent_x, extent_y = states.shape[-2:]
    source, shifted = states.numpy(), np.empty(states.shape, dtype=states.numpy().dtype)
    for old, new, i, j in zip(source, shifted, dx[:, 0].tolist(), dy[:, 0].tolist(), strict=True):
        x, y = extent_x - i, extent_y - j
        new[:, i:, j:] = old[:, :x, :y]
        new[:, :i, j:] = old[:, x:, :y]
        new[:, i:, :j] = old[:, :x, y:]
        new[:, :i, :j] = old[:, x:, y:]
    return torch.from_numpy(shifted)


def _shift_sites(states: Tensor, dx: Tensor, dy: Tensor) -> Tensor:
    """On a GPU: one gather over site numbers, a single kernel for the whole batch."""
    batch, species, extent_x, extent_y = states.shape
    x = ((torch.arange(extent_x) - dx) % extent_x).to(states.device)
    y = ((torch.arange(extent_y) - dy) % extent_y).to(states.device)
    sites = torch.add(y[:, None, :], x[:, :, None], alpha=extent_y).view(batch, 1, -1)
    return states.flatten(2).gather(2, sites.expand(-1, species, -1)).view_as(states)
