"""Augmentations of particle counts that keep the pattern and change the numbers: fewer particles, or a gas added.

A net that sees one density can tell its phases apart by numbers that belong to that density alone: how polarised the
liquid is, how dense the band is against its gas, how loud the shot noise. Here every training configuration is shown
with other such numbers and the same pattern, so that the pattern (one phase or two, polarised or not) is what is left
to learn. Nothing from another density is used.
"""

from __future__ import annotations

import torch
from jaxtyping import Float32, Integer
from torch import Tensor

from lattice_ml.ground.errors import UserError

States = Integer[Tensor, "batch species x y"]


class Thin:
    """Keep each particle of a configuration with the same probability p, log-uniform in [lowest, 1] for each.

    n' ~ Binomial(n, p) on every site: a density profile rho(r) becomes p rho(r), with the shot noise of that density.
    lowest: 0 < lowest <= 1, else ``UserError``.
    """

    def __init__(self, lowest: float) -> None:
        if not 0 < lowest <= 1:
            raise UserError(f"lowest = {lowest:g} keeps no share of the particles: give 0 < lowest <= 1, e.g. 0.2.")
        self.lowest = lowest

    def __call__(self, states: States, generator: torch.Generator) -> States:
        """Thinned copies, of the same dtype; ``generator`` is a CPU generator, whose numbers go to any device."""
        keep = self.lowest ** torch.rand(len(states), 1, 1, 1, generator=generator)
        counts = states.float().cpu()
        thinned = torch.binomial(counts, keep.expand_as(counts).contiguous(), generator=generator)
        return thinned.to(states.device, states.dtype)


class Gas:
    """Add an ideal gas of random species: g rho_0 particles a site on average, g uniform in [0, highest].

    n' = n + Poisson(g <n>), <n> = rho_0 / 2 the configuration's own mean over sites and species. A band of
    densities rho_h over rho_l becomes one of rho_h + g rho_0 over rho_l + g rho_0, and a liquid of polarisation m / rho
    one of m / (rho (1 + g)). One configuration of two is left as it is. highest: > 0, else ``UserError``.
    """

    def __init__(self, highest: float) -> None:
        if not 0 < highest < float("inf"):
            raise UserError(f"highest = {highest:g} is no density of a gas: give highest > 0, e.g. 1.")
        self.highest = highest

    def __call__(self, states: States, generator: torch.Generator) -> States:
        """Copies in a gas, int16; ``generator`` is a CPU generator, whose numbers go to any device."""
        share = self.highest * torch.rand(len(states), 1, 1, 1, generator=generator)
        share = torch.where(torch.rand(len(states), 1, 1, 1, generator=generator) < 0.5, share, 0.0)
        counts: Float32[Tensor, "batch species x y"] = states.float().cpu()
        rate = share * counts.mean(dim=(1, 2, 3), keepdim=True)
        return (counts + torch.poisson(rate.expand_as(counts), generator=generator)).to(states.device, torch.int16)
