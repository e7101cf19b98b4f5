"""Exact results for the Ising model on the square lattice: J = k_B = 1, K = 1/T.

Sources:

- L. Onsager, Phys. Rev. 65, 117 (1944): critical temperature and energy of the infinite lattice;
- C. N. Yang, Phys. Rev. 85, 808 (1952): spontaneous magnetisation;
- B. Kaufman, Phys. Rev. 76, 1232 (1949): the finite torus, in the notation of A. E. Ferdinand & M. E. Fisher,
  Phys. Rev. 185, 832 (1969), Sec. II.
"""

from __future__ import annotations

import numpy as np
from scipy.special import ellipkm1

CRITICAL_TEMPERATURE = float(2 / np.log1p(np.sqrt(2)))
"""T_c = 2 / ln(1 + sqrt 2) = 2.269185..., where sinh 2K = 1 (Onsager 1944)."""


def spontaneous_magnetisation(temperature: float) -> float:
    """m = (1 - sinh(2K)^-4)^(1/8) per spin of the infinite lattice below T_c, 0 above (Yang 1952)."""
    if temperature >= CRITICAL_TEMPERATURE:
        return 0.0
    coupling = 2 / temperature
    log_sinh = coupling + np.log1p(-np.exp(-2 * coupling)) - np.log(2)
    return float(-np.expm1(-4 * log_sinh)) ** (1 / 8)


def energy(temperature: float) -> float:
    """Energy per site of the infinite lattice (Onsager 1944, with equal couplings):

        e = - coth(2K) [1 + (2/pi) k' F(k)],    k = 2 sinh(2K) / cosh(2K)²,    k' = 2 tanh(2K)² - 1,

    where F is the complete elliptic integral of the first kind and k'² = 1 - k². At T_c, k' = 0 and e = - sqrt 2.
    """
    tanh = np.tanh(2 / temperature)
    complement = 2 * tanh**2 - 1
    singular = complement * ellipkm1(complement**2) if complement else 0.0
    return float(-(1 + 2 / np.pi * singular) / tanh)


def torus_energy(extents: tuple[int, int], temperature: float) -> float:
    """Energy per site of an m × n torus, e = - (d ln Z / dK) / (mn), with Kaufman's

        Z = (1/2) (2 sinh 2K)^(mn/2) [ prod_odd 2 cosh(m g_l / 2)  + prod_odd 2 sinh(m g_l / 2)
                                     + prod_even 2 cosh(m g_l / 2) + prod_even 2 sinh(m g_l / 2) ],

    where l runs over the odd resp. even numbers from 0 to 2n - 1 and cosh g_l = cosh 2K coth 2K - cos(pi l / n) with
    g_l > 0, except that g_0 = 2K + ln tanh K, which is negative above T_c; so is the last product there.

    Derivatives are by hand, sums by logarithms: it is exact to rounding from T = 0.01 on, at T_c too.
    """
    m, n = extents
    odd, odd_slope = _gaps(n, temperature, 1)
    even, even_slope = _gaps(n, temperature, 0)
    # Each product as (log of a scale, its value, its derivative in K), the last two in units of the scale.
    first, first_slope = m * even[0] / 2, m * even_slope[0] / 2
    log_rest, _, rest_slope = _sinh_product(m * even[1:] / 2, m * even_slope[1:] / 2)
    shrunk = np.exp(-2 * abs(first))
    value = np.copysign(1 - shrunk, first)  # 2 sinh(first) / exp(|first|)
    products = (
        _cosh_product(m * odd / 2, m * odd_slope / 2),
        _sinh_product(m * odd / 2, m * odd_slope / 2),
        _cosh_product(m * even / 2, m * even_slope / 2),
        (log_rest + abs(first), value, first_slope * (1 + shrunk) + value * rest_slope),
    )
    scales, values, slopes = np.array(products).T
    weight = np.exp(scales - scales.max())
    return float(-1 / np.tanh(2 / temperature) - (weight @ slopes) / (weight @ values) / (m * n))


def _gaps(n: int, temperature: float, first: int) -> tuple[np.ndarray, np.ndarray]:
    """g_l for l = first, first + 2, ... below 2n, and d g_l / dK; both float64 ``[n]``."""
    coupling = 2 / temperature
    sinh, cosh = np.sinh(coupling), np.cosh(coupling)
    l = np.arange(first, 2 * n, 2)  # noqa: E741
    # cosh 2K coth 2K - 2 = (sinh 2K - 1)² / sinh 2K: no digits are lost near T_c.
    above_one = (sinh - 1) ** 2 / sinh + 2 * np.sin(np.pi * l / (2 * n)) ** 2
    gap = 2 * np.arcsinh(np.sqrt(above_one / 2))
    rise = 2 * cosh * (1 - sinh**-2)  # of cosh g_l
    if first == 0:
        gap[0] = coupling + np.log(np.tanh(coupling / 2))
    slope = np.empty(n)
    slope[l > 0] = (rise / np.sqrt(above_one * (above_one + 2)))[l > 0]
    slope[l == 0] = 2 + 2 / sinh
    return gap, slope


def _cosh_product(x: np.ndarray, slope: np.ndarray) -> tuple[float, float, float]:
    """prod 2 cosh(x): its logarithm, 1, and the derivative of the logarithm."""
    return float(np.logaddexp(x, -x).sum()), 1.0, float(slope @ np.tanh(x))


def _sinh_product(x: np.ndarray, slope: np.ndarray) -> tuple[float, float, float]:
    """prod 2 sinh(x) for x > 0: its logarithm, 1, and the derivative of the logarithm."""
    return float((x + np.log1p(-np.exp(-2 * x))).sum()), 1.0, float(slope @ (1 / np.tanh(x)))
