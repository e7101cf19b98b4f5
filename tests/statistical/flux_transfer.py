"""The scalar field on a ring of N_x sites by its transfer matrix in time: exact averages on N_t x N_x at any mu.

A state of the ring is psi(phi_1 ... phi_N), phi = r e^{i theta}. One step in time is V^1/2 K V^1/2 with

    V = prod_x e^{-eta r_x^2 - lambda r_x^4} e^{2 r_x r_{x+1} cos(theta_x - theta_{x+1})},
    K = prod_x sum_m e^{mu m} I_m(2 r_x r'_x) e^{i m (theta'_x - theta_x)},

so that mu is in a factor e^{mu Q} of the sector of charge Q alone: Z = sum_Q e^{mu Q N_t} sum_i lambda_i(Q)^N_t, up to
a constant, n = Q / N_x, and |phi|^2 is that of the eigenstates. None of it knows of fluxes, worms or tables of W.

r^2 lies on Gauss nodes of the weight e^{-(eta - tilt) t - lambda t^2}; the angles theta_1 ... theta_{N-1} relative to
the last one on a regular grid, where V is diagonal; after a Fourier transform they are charges, where K is one small
matrix for each site. Both converge exponentially. Eigenstates by subspace iteration from random states and
(sum_x phi_x)^Q, which has the symmetry of the lowest one.
"""

from functools import cache

import numpy as np
from scipy.special import iv

TILT = 2.0


def gauss_nodes(eta, lam, nodes):
    """Nodes t and weights of int_0^inf dt e^{-eta t - lam t^2} f(t), by orthogonal polynomials (Golub and Welsch)."""
    x, weight = np.polynomial.legendre.leggauss(400)
    t = 7.0 * (x + 1)  # e^{-t^2} is nothing beyond 14
    measure = 7.0 * weight * np.exp(-eta * t - lam * t**2)
    basis, diagonal, beside = [np.sqrt(measure / measure.sum())], [], []
    for _ in range(nodes):
        diagonal.append(basis[-1] @ (t * basis[-1]))
        new = t * basis[-1]
        for _ in range(2):  # once more, against rounding
            new = new - np.stack(basis).T @ (np.stack(basis) @ new)
        beside.append(np.linalg.norm(new))
        basis.append(new / beside[-1])
    values, vectors = np.linalg.eigh(np.diag(diagonal) + np.diag(beside[:-1], 1) + np.diag(beside[:-1], -1))
    return values, vectors[0] ** 2 * measure.sum()


@cache
def sector(sites, charge, eta, lam, states=1, nodes=5, angles=11, sweeps=8):
    """Eigenvalues of a step in time at mu = 0 (in units common to all charges) and |phi|^2 in each eigenstate."""
    t, weight = gauss_nodes(eta - TILT, lam, nodes)
    r, shape = np.sqrt(t), (angles,) * (sites - 1) + (nodes,) * sites

    def along(values, axis):
        return values.reshape([-1 if k == axis else 1 for k in range(len(shape))])

    radius = [along(r, sites - 1 + x) for x in range(sites)]
    angle = [along(2 * np.pi * np.arange(angles) / angles, x) for x in range(sites - 1)] + [np.zeros(1)]
    log_v = sum(along(np.log(weight) - TILT * t, sites - 1 + x) for x in range(sites))
    for x in range(sites):
        log_v = log_v + 2 * radius[x] * radius[x - 1] * np.cos(angle[x] - angle[x - 1])
    half = np.exp(log_v / 2)
    charges = (round(charge / sites) + np.fft.fftfreq(angles, 1 / angles)).astype(int)
    wave = np.exp(1j * sum(angle[:-1]) * charges[0])  # the grid of charges is centred at a site's share
    hop = cache(lambda m: iv(m, 2 * np.outer(r, r)))

    def step(psi):  # [theta_1 ... theta_{N-1}, r_1 ... r_N, state]
        axes = tuple(range(sites - 1))
        psi = np.fft.fftn(psi * (half / wave)[..., None], axes=axes, norm="ortho")
        for index in np.ndindex(shape[: sites - 1]):
            own, block = [int(charges[k]) for k in index], psi[index]
            for m in [*own, charge - sum(own)]:
                block = np.moveaxis(np.tensordot(block, hop(abs(m)), (0, 0)), -1, -2)  # r_x goes, r'_x comes last of r
            psi[index] = block
        return np.fft.ifftn(psi, axes=axes, norm="ortho") * (half * wave)[..., None]

    rng = np.random.default_rng(charge)
    psi = rng.normal(size=(*shape, states)).astype(complex)
    psi[..., 0] = sum(radius[x] * np.exp(1j * angle[x]) for x in range(sites)) ** charge
    psi = (psi * half[..., None]).reshape(-1, states)
    for _ in range(sweeps):
        psi, _ = np.linalg.qr(psi)
        new = step(psi.reshape(*shape, states)).reshape(-1, states)
        old, psi = psi, new
    values, mix = np.linalg.eigh(old.conj().T @ new)
    square = np.broadcast_to(sum(r_x**2 for r_x in radius) / sites, shape).reshape(-1)
    return values, square @ np.abs(old @ mix) ** 2


def exact(extents, eta, mu, lam=1.0, largest=6, **how):
    """n, |phi|^2 and {Q: P(Q)} of the torus N_t x N_x; charges up to ``largest`` on both sides."""
    steps, sites = extents
    log_z, square = {}, {}
    for charge in range(-largest, largest + 1):
        values, own = sector(sites, abs(charge), eta, lam, **how)
        values = np.maximum(values, 1e-300)
        share = (values / values.max()) ** steps
        log_z[charge] = steps * (np.log(values.max()) + mu * charge) + np.log(share.sum())
        square[charge] = (own @ share) / share.sum()
    top = max(log_z.values())
    p = {charge: np.exp(log - top) for charge, log in log_z.items()}
    total = sum(p.values())
    p = {charge: own / total for charge, own in p.items()}
    return sum(q * p[q] for q in p) / sites, sum(square[q] * p[q] for q in p), p
