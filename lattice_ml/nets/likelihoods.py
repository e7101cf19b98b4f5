"""Probabilities of the integers of a configuration, given what a decoder says at every site.

The family follows from what the numbers are (``families``), species by species; all are products over sites and
species:

- ``bernoulli`` for 0 and 1 (spins): one number, the logit of P(1);
- ``poisson`` for counts 0, 1, 2, … (particles, the l of the scalar field): one number a, rate softplus(a);
- ``logistic`` for integers of both signs (fluxes k): two numbers, a location mu and log s, and
  P(n) = F((n + 1/2 - mu) / s) - F((n - 1/2 - mu) / s), F(u) = 1 / (1 + exp(-u)): a logistic law cut at half-integers.
  It has no cut-off, which a categorical law would need, and its tails fall exponentially.

A product over sites leaves no correlation between them but what the latents carry: what neighbours share at fixed
latents, conservation laws among it, is not in such a model. Source of the logistic law: T. Salimans et al.,
arXiv:1701.05517, Sec. 2.1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Integer
from torch import Tensor
from torch.nn import functional as F

from lattice_ml.ground.errors import UserError

Family = Literal["bernoulli", "poisson", "logistic"]
NUMBERS: dict[str, int] = {"bernoulli": 1, "poisson": 1, "logistic": 2}
"""What a decoder must say of every site."""
LEAST_RATE = 1e-4
"""Added to a Poisson rate, so that a particle where none was expected is no infinite surprise."""


def families(lowest: Sequence[int] | np.ndarray, highest: Sequence[int] | np.ndarray) -> tuple[Family, ...]:
    """The family of every species, from the smallest and largest number seen of it."""

    def one(low: int, high: int) -> Family:
        return "logistic" if low < 0 else "bernoulli" if high <= 1 else "poisson"

    return tuple(one(int(low), int(high)) for low, high in zip(lowest, highest, strict=True))


class Likelihood:
    """p(state | numbers) of integer states ``[batch, species, x, y]``; numbers ``[batch, sum of NUMBERS, x, y]``.

    Raises ``UserError`` for an unknown family.
    """

    def __init__(self, families: Sequence[Family]) -> None:
        unknown = [family for family in families if family not in NUMBERS]
        if unknown:
            raise UserError(f"there is no likelihood {unknown[0]!r}: give {', '.join(NUMBERS)} for every species.")
        self.families = tuple(families)
        self.widths = [NUMBERS[family] for family in families]

    @property
    def numbers(self) -> int:
        """What a decoder must say of every site."""
        return sum(self.widths)

    def log_prob(
        self, numbers: Float[Tensor, "batch number x y"], states: Integer[Tensor, "batch species x y"]
    ) -> Float[Tensor, " batch"]:
        """ln p of each configuration, in nats: the sum over sites and species."""
        total = numbers.new_zeros(len(numbers))
        for family, own, seen in self._by_species(numbers, states):
            total = total + LOG[family](own, seen).flatten(1).sum(1)
        return total

    def mean(self, numbers: Float[Tensor, "batch number x y"]) -> Float[Tensor, "batch species x y"]:
        """The expected number of every site and species."""
        return torch.stack([MEAN[family](own) for family, own, _ in self._by_species(numbers)], dim=1)

    def sample(
        self, numbers: Float[Tensor, "batch number x y"], generator: torch.Generator | None = None
    ) -> Integer[Tensor, "batch species x y"]:
        """Configurations of int32, every site drawn by itself."""
        drawn = [DRAW[family](own, generator) for family, own, _ in self._by_species(numbers)]
        return torch.stack(drawn, dim=1).to(torch.int32)

    def _by_species(self, numbers: Tensor, states: Tensor | None = None) -> list[tuple[Family, Tensor, Tensor]]:
        parts = numbers.split(self.widths, dim=1)
        seen = [numbers[:, 0]] * len(parts) if states is None else list(states.float().unbind(1))
        return list(zip(self.families, parts, seen, strict=True))


def _rate(own: Tensor) -> Tensor:
    return F.softplus(own[:, 0]) + LEAST_RATE


def _log_poisson(own: Tensor, n: Tensor) -> Tensor:
    """n ln rate - rate - ln n!"""
    rate = _rate(own)
    return n * rate.log() - rate - torch.lgamma(n + 1)


def _log_bernoulli(own: Tensor, n: Tensor) -> Tensor:
    return -F.binary_cross_entropy_with_logits(own[:, 0], n, reduction="none")


def _log_logistic(own: Tensor, n: Tensor) -> Tensor:
    """ln (F(a) - F(b)) = ln F(a) + ln F(-b) + ln(1 - exp(b - a)), a - b = 1 / s: no difference of two near numbers."""
    location, log_s = own[:, 0], own[:, 1].clamp(-5.0, 5.0)
    width = torch.exp(-log_s)
    upper, lower = (n + 0.5 - location) * width, (n - 0.5 - location) * width
    return F.logsigmoid(upper) + F.logsigmoid(-lower) + torch.log(-torch.expm1(-width))


def _draw_logistic(own: Tensor, generator: torch.Generator | None) -> Tensor:
    """The nearest integer to mu + s ln(u / (1 - u))."""
    u = torch.rand(own[:, 0].shape, generator=generator).clamp(1e-7, 1 - 1e-7).to(own.device)
    return (own[:, 0] + own[:, 1].clamp(-5.0, 5.0).exp() * torch.logit(u)).round()


LOG = {"bernoulli": _log_bernoulli, "poisson": _log_poisson, "logistic": _log_logistic}
MEAN = {"bernoulli": lambda own: own[:, 0].sigmoid(), "poisson": _rate, "logistic": lambda own: own[:, 0]}
DRAW = {
    "bernoulli": lambda own, generator: torch.bernoulli(own[:, 0].sigmoid(), generator=generator),
    "poisson": lambda own, generator: torch.poisson(_rate(own), generator=generator),
    "logistic": _draw_logistic,
}
