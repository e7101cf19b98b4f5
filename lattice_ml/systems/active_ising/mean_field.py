"""A mean-field theory of the Active Ising Model: where its homogeneous phases lose their stability.

    d_t rho = D lap rho - v d_x m,            v = 2 D eps,
    d_t m   = D lap m - v d_x rho + F(rho, m),

with F the mean rate at which flips change m on a site whose counts n+ and n- are independent Poisson numbers of means
(rho ± m)/2,

    F = 2 < n- exp(beta (n+ - n-) / n) - n+ exp(-beta (n+ - n-) / n) >,    n = n+ + n-.

No parameter is fitted. Expanded to the third order in m/rho it is the refined mean-field theory of the source, F = 2 m
(beta - 1 - r/rho) - alpha m³/rho² with alpha = beta² (1 - beta/3), r = 3 alpha / 2; the expansion fails at T < 1/2.

- The gas, m = 0, is unstable where dF/dm > 0, whatever v and D.
- In the liquid, F(rho, m) = 0, a wave exp(i q x + s t) has (s + D q²)² + G (s + D q²) + v² q² + i v q dF/drho = 0 with
  G = -dF/dm. For long waves Re s = q² [v² ((dF/drho)² / G² - 1) / G - D], so that it is unstable where

      (dF/drho)² / G² > 1 + G D / v²,

  which knows v and D by the activity v²/D = 4 D eps² alone. As it vanishes the two spinodals meet, and the coexistence
  of liquid and gas with them: what is left is the continuous transition of a magnet.

Where no homogeneous phase is stable there must be a band; there may be one beyond, as far as the binodals. Being a
mean-field theory it overrates order: its gas loses stability at a higher temperature than the model's.

Source: Solon & Tailleur, PRE 92, 042119 (2015), Sec. V; without the expansion, derived for this file.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

STEP = 1e-4
"""Of the differences that stand for derivatives, in particles per site."""
COLDEST, HOTTEST = 0.2, 0.98
"""Temperatures between which spinodals are looked for."""


class Spinodals(NamedTuple):
    """Temperatures at one density between which no homogeneous phase is stable: liquid below, gas above."""

    liquid: float
    gas: float


class Sites:
    """Averages over sites of one density, particles per site: the numbers of particles that it makes likely."""

    def __init__(self, rho: float) -> None:
        most = int(rho + 12 * np.sqrt(rho) + 20)
        self.n = np.arange(1, most + 1)[:, None]
        self.plus = np.arange(most + 1)[None, :]
        self.m = np.where(self.plus <= self.n, 2 * self.plus - self.n, 0)

    def flips(self, rho: float, m: float, T: float) -> float:
        """F(rho, m) at temperature T, in units of the flip rate."""
        from scipy.stats import binom, poisson

        share = poisson.pmf(self.n, rho) * binom.pmf(self.plus, self.n, (1 + m / rho) / 2)
        x = self.m / (self.n * T)
        change = (self.n - self.plus) * np.exp(x) - self.plus * np.exp(-x)
        return float(2 * (share * np.where(self.plus <= self.n, change, 0.0)).sum())

    def growth(self, rho: float, T: float) -> float:
        """dF/dm of the gas, > 0 where it is unstable; F is odd in m."""
        return self.flips(rho, STEP, T) / STEP

    def liquid(self, rho: float, T: float) -> float:
        """The magnetisation of the liquid, where the gas is unstable."""
        from scipy.optimize import brentq

        return float(brentq(lambda m: self.flips(rho, m, T), 10 * STEP, rho * (1 - 1e-9)))  # pyright: ignore

    def slopes(self, rho: float, m: float, T: float) -> tuple[float, float]:
        """dF/drho and -dF/dm."""
        along_rho = self.flips(rho + STEP, m, T) - self.flips(rho - STEP, m, T)
        along_m = self.flips(rho, m + STEP, T) - self.flips(rho, m - STEP, T)
        return along_rho / (2 * STEP), -along_m / (2 * STEP)


def excess(sites: Sites, rho: float, T: float, activity: float) -> float:
    """(dF/drho)² / G² - 1 - G / activity of the liquid: > 0 where it is unstable. activity: v²/D."""
    slope, relaxation = sites.slopes(rho, sites.liquid(rho, T), T)
    return (slope / relaxation) ** 2 - 1 - relaxation / activity


def spinodals(rho: float, activity: float) -> Spinodals:
    """At a density in particles per site and an activity v²/D > 0, by bisection in T."""
    from scipy.optimize import brentq

    sites = Sites(rho)
    gas = float(brentq(lambda T: sites.growth(rho, T), COLDEST, HOTTEST))  # pyright: ignore
    # Near the gas's own the liquid is always unstable: its magnetisation, and so G, vanishes there.
    liquid = float(brentq(lambda T: excess(sites, rho, T, activity), COLDEST, gas - 1e-3))  # pyright: ignore
    return Spinodals(liquid, gas)
