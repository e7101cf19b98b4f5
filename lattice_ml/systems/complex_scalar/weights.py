"""The site weight of the flux form and the ratios of it that updates need, as tables of the host.

    W(f) = int_0^inf dr r^(f + 1) exp(-eta r^2 - lambda r^4),    f = 0, 1, 2, ...

Closed configurations have even f everywhere; the two ends of an open worm have odd f, whose W is the weight of the
field's two-point function.

Source: C. Gattringer & T. Kloiber, Nucl. Phys. B 869, 56 (2013), arXiv:1206.2954, Eqs. (8)-(10).
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64

MOST = 2047
"""Largest f of any table: so |k| <= f and l <= f / 2 keep within the 12 bits that a kernel may give them."""
NATS = 45.0
"""Sites whose action alone is so far above the least one are left out of the tables: exp(-45) = 3e-20."""


def largest_f(eta: float, mu: float, lam: float) -> int:
    """The f at which tables end: a site beyond it is rarer than 1e-19, and a kernel that meets one says so.

    With t = r^2 at every site, all phases alike, the action of a site is V(t) = (eta - 2 cosh mu - 2) t + lambda t^2,
    and differences between neighbours only add to it. Beyond the t where V is ``NATS`` above its least value, sites
    have no weight. Given the moduli and no conservation law f is Poisson distributed, the number of all hops on four
    links, with a mean of at most (4 cosh mu + 4) t; another ten standard deviations are left for it. Even where V has
    no bound (lambda = 0 and eta <= 2 + 2 cosh mu) the answer is finite, ``MOST``.
    """
    slope = eta - 2 * np.cosh(mu) - 2
    if lam > 0:
        t = (-slope + abs(slope)) / (4 * lam) + 2 * NATS / (
            max(slope, 0.0) + np.hypot(max(slope, 0.0), 2 * np.sqrt(NATS * lam))
        )
    else:
        t = NATS / slope if slope > 0 else np.inf
    mean = (4 * np.cosh(mu) + 4) * t
    f = mean + 10 * np.sqrt(mean) + 50
    return int(f) if f < MOST else MOST


@lru_cache(maxsize=256)
def log_weights(eta: float, lam: float, largest: int) -> Float64[np.ndarray, " f"]:
    """log W(f) for f = 0 ... ``largest``, relative accuracy of W 1e-12.

    In u = log r the integrand exp((f + 2) u - eta e^2u - lambda e^4u) is analytic and falls off on both sides like an
    exponential or faster, so the trapezoidal rule converges exponentially in its step (here 1/96).
    Read-only: it is shared.
    """
    # Below e^-24 the integrand of f = 0 holds e^-48 of its weight; above, the quartic or the quadratic term ends it.
    u = np.arange(-24 * 96, 8 * 96) / 96
    f = np.arange(largest + 1)[:, None]
    exponent = (f + 2) * u - eta * np.exp(2 * u) - lam * np.exp(4 * u)
    highest = exponent.max(axis=1, keepdims=True)
    result = np.log(np.exp(exponent - highest).sum(axis=1) / 96) + highest[:, 0]
    result.flags.writeable = False
    return result


class Tables(NamedTuple):
    """Ratios of weights for the Metropolis steps at one (eta, lambda), float64, read-only; ``f`` up to ``largest``.

    by_one: ``[f, way]``, way 0: W(f - 1) / W(f), way 1: W(f + 1) / W(f); 0 where that leaves the table.
    by_two: ``[f, way]``, the same for f - 2 and f + 2.
    """

    by_one: Float64[np.ndarray, "f way"]
    by_two: Float64[np.ndarray, "f way"]

    @property
    def largest(self) -> int:
        return len(self.by_one) - 1


@lru_cache(maxsize=256)
def tables(eta: float, mu: float, lam: float) -> Tables:
    """Tables as long as ``largest_f`` demands."""
    log_w = log_weights(eta, lam, largest_f(eta, mu, lam))
    return Tables(_ratios(log_w, 1), _ratios(log_w, 2))


def _ratios(log_w: np.ndarray, by: int) -> np.ndarray:
    result = np.zeros((len(log_w), 2))
    up = np.exp(log_w[by:] - log_w[:-by])
    result[by:, 0], result[:-by, 1] = 1 / up, up
    result.flags.writeable = False
    return result
