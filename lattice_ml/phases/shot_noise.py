"""The shot-noise floor: the variance that counted particles have even where nothing but their mean profile is known.

Floor. Let the particles that stand on site i be drawn independently given the mean profile (which phase, where the
band is): n+ and n- are Poisson numbers of means a+ and a-, and m = n+ - n- has

    Var(m_i | profile) = a+ + a- = <rho_i>,    Cov(m_i, m_j | profile) = 0 for i ≠ j.

The covariance of the whole ensemble is that of the profiles plus the mean of these, C = C_profile + diag(<rho_i>). By
the translations of the torus <rho_i> = rho0 for every i, so **every eigenvalue of C is raised by rho0**, and the noise
has the share rho0 · sites / sum_i lambda_i of the variance, whatever the profiles. (That the number of particles is
fixed takes 1 / sites from this.) Means over blocks of b sites have the floor rho0 / b, in as many fewer components.
Alignment makes spins on one site alike and neighbours follow one another, so that the true noise lies above Poisson's
and rises towards long waves: ``structure_factor`` measures it.

Spectrum. C is estimated from n configurations of p sites, and with gamma = p / n not small the eigenvalues of pure
noise of variance s, all equal in C, spread out over

    s (1 - sqrt(gamma))² <= lambda <= s (1 + sqrt(gamma))²

with the density sqrt((l+ - lambda)(lambda - l-)) / (2 pi gamma s lambda), and p - n + 1 of them are zero if p >= n. For
n = 4,050, p = 6,561, s = 3 the first noise eigenvalue is near 15.5, five times the floor itself. A component of the
profiles whose eigenvalue in C_profile is below s sqrt(gamma) does not stand out of this at all.

Sources: Marchenko & Pastur, Math. USSR Sb. 1, 457 (1967); the threshold: Baik, Ben Arous, Péché, Ann. Probab. 33, 1643
(2005).
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, Float64

GRID = 20001
"""Points of the numerical integral over the density: its error is far below the fluctuation of an eigenvalue."""


def noise_edges(variance: float, samples: int, sites: int) -> tuple[float, float]:
    """(l-, l+): smallest and largest eigenvalue, zeros aside, of noise of this variance, in its unit."""
    root = np.sqrt(sites / samples)
    return float(variance * (1 - root) ** 2), float(variance * (1 + root) ** 2)


def noise_spectrum(variance: float, samples: int, sites: int) -> Float64[np.ndarray, " eigenvalue"]:
    """The min(samples, sites) expected eigenvalues that are not zero, in descending order.

    Eigenvalue i of k is the quantile 1 - (i - 1/2) / k of the density. With lambda = s (1 + gamma + 2 sqrt(gamma)
    cos t) the integrand, sin² t / lambda, has no root at the edges.
    """
    gamma = sites / samples
    angle = np.linspace(0, np.pi, GRID)
    value = 1 + gamma + 2 * np.sqrt(gamma) * np.cos(angle)
    # At gamma = 1 the density is singular at zero, where this tends to a finite number.
    weight = np.divide(np.sin(angle) ** 2, value, out=np.full(GRID, 0.5), where=value > 1e-12)
    steps = (weight[1:] + weight[:-1]) / 2
    above = np.concatenate(([0.0], np.cumsum(steps)))
    count = min(samples, sites)
    return variance * np.interp((np.arange(count) + 0.5) / count, above / above[-1], value)


def structure_factor(field: Float[np.ndarray, "n x y"]) -> Float64[np.ndarray, "kx ky"]:
    """S(k) = <|sum_r m_r exp(-i k.r)|²> / sites, over the configurations given; k = 2 pi (a, b) / extents, kx from 0.

    Poisson noise has S = rho0 at every k; ``short_waves`` says where hardly anything else is left.
    """
    power = np.zeros(field.shape[1:])
    for configuration in field:
        power += np.abs(np.fft.fft2(configuration.astype(np.float64))) ** 2
    return power / (len(field) * power.size)


def short_waves(extents: tuple[int, int]) -> np.ndarray:
    """Bool [kx, ky]: waves shorter than four sites along both axes."""
    fx, fy = (np.abs(np.fft.fftfreq(extent)) for extent in extents)
    return (fx[:, None] > 0.25) & (fy > 0.25)
