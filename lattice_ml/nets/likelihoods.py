"""Probabilities of the numbers of a configuration, given what a decoder says at every site.

Which family a species has is the system's to say (``System.likelihood``), not the data's; all are products over sites
and species:

- ``bernoulli`` for 0 and 1 (spins): one number, the logit of P(1);
- ``poisson`` for counts 0, 1, 2, … (particles, the l of the scalar field): one number a, rate softplus(a);
- ``logistic`` for integers of both signs (fluxes k): two numbers, a location mu and log s, and
  P(n) = F((n + 1/2 - mu) / s) - F((n - 1/2 - mu) / s), F(u) = 1 / (1 + exp(-u)): a logistic law cut at half-integers.
  It has no cut-off, which a categorical law would need, and its tails fall exponentially;
- ``categorical:3`` for 0, 1 and 2 without an order (Potts colours): as many logits. Its "mean" is the likeliest value,
  for there is nothing between two colours;
- ``normal`` for real numbers (fields): two numbers, mu and log sigma. Of an angle it knows no periodicity.

A product over sites leaves no correlation between them but what the latents carry: what neighbours share at fixed
latents, conservation laws among it, is not in such a model. Source of the logistic law: T. Salimans et al.,
arXiv:1701.05517, Sec. 2.1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float, Shaped
from torch import Tensor
from torch.nn import functional as F

from lattice_ml.systems.families import width

LEAST_RATE = 1e-4
"""Added to a Poisson rate, so that a particle where none was expected is no infinite surprise."""


class Likelihood:
    """p(state | numbers) of states ``[batch, species, x, y]``; numbers ``[batch, sum of widths, x, y]``.

    Raises ``UserError`` for an unknown family.
    """

    def __init__(self, families: Sequence[str]) -> None:
        self.widths = [width(family) for family in families]
        self.families = tuple(families)

    @property
    def numbers(self) -> int:
        """What a decoder must say of every site."""
        return sum(self.widths)

    def log_prob(
        self, numbers: Float[Tensor, "batch number x y"], states: Shaped[Tensor, "batch species x y"]
    ) -> Float[Tensor, " batch"]:
        """ln p of each configuration, in nats (of real numbers, ln of a density): the sum over sites and species."""
        total = numbers.new_zeros(len(numbers))
        for family, own, seen in self._by_species(numbers, states):
            total = total + LOG[family](own, seen).flatten(1).sum(1)
        return total

    def mean(self, numbers: Float[Tensor, "batch number x y"]) -> Float[Tensor, "batch species x y"]:
        """The expected number of every site and species."""
        return torch.stack([MEAN[family](own) for family, own, _ in self._by_species(numbers)], dim=1)

    def sample(
        self, numbers: Float[Tensor, "batch number x y"], generator: torch.Generator | None = None
    ) -> Shaped[Tensor, "batch species x y"]:
        """Configurations, every site drawn by itself: of int32, of float32 where a species is real."""
        drawn = [DRAW[family](own, generator) for family, own, _ in self._by_species(numbers)]
        return torch.stack(drawn, dim=1).to(torch.float32 if "normal" in self.families else torch.int32)

    def _by_species(self, numbers: Tensor, states: Tensor | None = None) -> list[tuple[str, Tensor, Tensor]]:
        """Family, numbers ``[batch, width, x, y]`` and states ``[batch, x, y]`` of each species."""
        parts = numbers.split(self.widths, dim=1)
        seen = [numbers[:, 0]] * len(parts) if states is None else list(states.float().unbind(1))
        return list(zip([family.partition(":")[0] for family in self.families], parts, seen, strict=True))


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


def _log_categorical(own: Tensor, n: Tensor) -> Tensor:
    return own.log_softmax(dim=1).gather(1, n.long()[:, None])[:, 0]


def _draw_categorical(own: Tensor, generator: torch.Generator | None) -> Tensor:
    """By Gumbel's trick: the largest of logit - ln(-ln u)."""
    u = torch.rand(own.shape, generator=generator).clamp(1e-7, 1 - 1e-7).to(own.device)
    return (own - torch.log(-torch.log(u))).argmax(dim=1).to(own.dtype)


def _log_normal(own: Tensor, n: Tensor) -> Tensor:
    """-((n - mu) / sigma)² / 2 - ln sigma - ln(2 pi) / 2"""
    location, log_sigma = own[:, 0], own[:, 1].clamp(-7.0, 7.0)
    return -(((n - location) * torch.exp(-log_sigma)) ** 2) / 2 - log_sigma - math.log(2 * math.pi) / 2


def _draw_normal(own: Tensor, generator: torch.Generator | None) -> Tensor:
    z = torch.randn(own[:, 0].shape, generator=generator).to(own.device)
    return own[:, 0] + own[:, 1].clamp(-7.0, 7.0).exp() * z


LOG = {
    "bernoulli": _log_bernoulli,
    "poisson": _log_poisson,
    "logistic": _log_logistic,
    "categorical": _log_categorical,
    "normal": _log_normal,
}
MEAN = {
    "bernoulli": lambda own: own[:, 0].sigmoid(),
    "poisson": _rate,
    "logistic": lambda own: own[:, 0],
    "categorical": lambda own: own.argmax(dim=1).to(own.dtype),
    "normal": lambda own: own[:, 0],
}
DRAW = {
    "bernoulli": lambda own, generator: torch.bernoulli(own[:, 0].sigmoid(), generator=generator),
    "poisson": lambda own, generator: torch.poisson(_rate(own), generator=generator),
    "logistic": _draw_logistic,
    "categorical": _draw_categorical,
    "normal": _draw_normal,
}
