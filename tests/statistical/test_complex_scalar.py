"""The worm against exact values: 2 x 2 by quadrature, the free field, the specification's table, our transfer matrix.

Errors are those of the mean over blocks of 1/8 of a trajectory, some hundred autocorrelation times each. Every
comparison asserts how sharp it is, the standard error that it must reach, and holds within 3 of them; seeds are fixed.
"""

from functools import cache

import numpy as np
import pytest
from scipy.special import iv
from scipy.stats import chi2
from statistical.flux_transfer import exact, sector

from lattice_ml.kernels.device import Cpu
from lattice_ml.systems.complex_scalar.physics import ComplexScalar
from lattice_ml.systems.complex_scalar.start import start_state
from lattice_ml.systems.complex_scalar.worm import Worms
from lattice_ml.systems.sampler import Lane

pytestmark = pytest.mark.statistical

SIGMAS, LANES, BLOCKS = 3.0, 8, 8
TABLE = {  # (extents, mu): n, |phi|^2 at eta = 4.01, lambda = 1; shared/specs/complex_scalar.md
    ((2, 2), 0.5): (0.24014034, 0.37222816),
    ((2, 2), 1.0): (1.04248735, 0.55992846),
    ((50, 2), 1.0): (0.3733619, 0.4091444),
    ((50, 2), 1.5): (4.82748, 1.275002),
    ((60, 4), 0.5): (0.0, 0.262052),
    ((60, 4), 1.0): (0.362742, 0.384673),
    ((60, 4), 1.25): (1.93544, 0.77587),
}
CHARGES = np.array([0.01734, 0.53043, 0.43620, 0.01600])
"""P(Q = 0 ... 3) at 60 x 4, mu = 1; what is missing to 1 is Q < 0 or Q > 3."""


@cache
def observe(extents, eta, mu, lam=1.0, samples=1000, closings=4, spacing=4, seed=5):
    """n, Q, phi2, each ``[lane, sample]``, every ``spacing`` updates of ``closings``; the flux is checked in each."""
    system, point = ComplexScalar(extents, lam), {"eta": eta, "mu": mu}
    lanes = [Lane(point, replica, ()) for replica in range(LANES)]
    states = np.stack([start_state(system, point, seed, lane.replica, "hot_and_cold") for lane in lanes])
    worms, parts = Worms(system, lanes, seed, states, [closings] * LANES, Cpu()), []
    waiting = spacing * samples // 20
    for first in range(0, samples, 2000):  # so that the configurations of long runs need not be kept
        due = [waiting + spacing * (n + 1) for n in range(first, min(first + 2000, samples))]
        read = worms.advance([due] * LANES, lambda work: None)
        system.check(read, point)
        parts.append(system.observables(read, point))
    return {name: np.concatenate([part[name] for part in parts], axis=1) for name in ("n", "Q", "phi2")}


def blocks_of(values):
    return values[:, : values.shape[1] // BLOCKS * BLOCKS].reshape(LANES * BLOCKS, -1).mean(axis=1)


def assert_equals(values, expected, sharpness, seldom=1e-9):
    """``seldom``: what may be missing where no sample shows any of it."""
    blocks = blocks_of(values)
    mean, error = blocks.mean(), blocks.std(ddof=1) / np.sqrt(blocks.size)
    print(f"{mean:.6f} ± {error:.6f}, exactly {expected:.6f}: {(mean - expected) / max(error, 1e-9):+.1f} sigma")
    assert error < sharpness
    assert abs(mean - expected) <= SIGMAS * error + seldom, (mean, error, expected)


def log_z_of_2x2(eta, mu, lam, nodes=48):
    """log Z of the 2 x 2 torus, up to a constant, by quadrature over the four moduli.

    Two links join a site to its neighbour in time, one forwards and one backwards: exp(2 r s cos(a - i mu)) exp(2 r s
    cos(a + i mu)) = exp(4 cosh(mu) r s cos a) is real. What is left is a ring of four phases with the couplings 4
    cosh(mu) and 4 in turn, whose integral is a sum over the current round the ring: sum_m I_m I_m I_m I_m, so
    Z = sum_m Tr (A_m B_m A_m B_m) in the space of the modulus, on Gauss-Legendre nodes.
    """
    longest = np.sqrt((2 * np.cosh(mu) + 2) / (2 * lam)) + 3 * lam**-0.25
    x, weight = (longest / 2 * part for part in np.polynomial.legendre.leggauss(nodes))
    r = x + longest / 2
    measure = weight * r * np.exp(-(eta * r**2 + lam * r**4))
    total, scale = 0.0, 0.0
    for m in range(200):
        a, b = (iv(m, c * np.outer(r, r)) * measure for c in (4 * np.cosh(mu), 4.0))
        term = np.trace(np.linalg.matrix_power(a @ b, 2))
        total += term * (1 if m == 0 else 2)
        scale = max(scale, term)
        if term < 1e-17 * scale:
            break
    return np.log(total)


def exact_2x2(eta, mu, lam=1.0, step=1e-4):
    """n = d log Z / d mu / 4 and |phi|^2 = -d log Z / d eta / 4."""

    def slope(f):
        return (8 * (f(step) - f(-step)) - f(2 * step) + f(-2 * step)) / (12 * step)

    return (
        slope(lambda h: log_z_of_2x2(eta, mu + h, lam)) / 4,
        -slope(lambda h: log_z_of_2x2(eta + h, mu, lam)) / 4,
    )


def exact_free(extents, eta, mu):
    """n and |phi|^2 without lambda: means over momenta of -d_mu D / D and of 1 / D."""
    p, q = (2 * np.pi * np.arange(n) / n for n in extents)
    shifted = p[:, None] - 1j * mu
    d = eta - 2 * np.cos(shifted) - 2 * np.cos(q)
    return float(np.mean(2j * np.sin(shifted) / d).real), float(np.mean(1 / d).real)


@pytest.mark.parametrize("mu", [0.5, 1.0])
def test_quadrature_reproduces_the_table(mu):
    assert exact_2x2(4.01, mu) == pytest.approx(TABLE[(2, 2), mu], abs=2e-8)


@pytest.mark.parametrize(("eta", "mu"), [(4.01, 1.0), (4.01, 1.5), (4.25, 0.5)])
def test_2x2(eta, mu):
    seen, (n, phi2) = observe((2, 2), eta, mu, samples=8000, closings=16), exact_2x2(eta, mu)
    assert_equals(seen["n"], n, 0.015)
    assert_equals(seen["phi2"], phi2, 0.004)


@pytest.mark.parametrize(("extents", "eta", "mu"), [((2, 5), 5.0, 0.8), ((5, 2), 5.2, -0.9), ((7, 3), 4.9, 0.7)])
def test_free_field(extents, eta, mu):
    seen, (n, phi2) = observe(extents, eta, mu, lam=0.0, samples=3000, closings=16), exact_free(extents, eta, mu)
    assert_equals(seen["n"], n, 0.015)
    assert_equals(seen["phi2"], phi2, 0.01)


SHARP = {  # mu: updates between read-outs, read-outs, standard error of n to be reached
    0.5: (8, 30_000, 1e-3),
    1.0: (8, 200_000, 1e-3),
    1.25: (8, 100_000, 2.5e-3),
    1.5: (8, 100_000, 4e-3),
}


@pytest.mark.slow
@pytest.mark.parametrize("eta", [4.01, 4.04, 4.25])
@pytest.mark.parametrize("mu", SHARP)
def test_2x2_sharply(eta, mu):
    spacing, samples, sharpness = SHARP[mu]
    seen = observe((2, 2), eta, mu, samples=samples, closings=8, spacing=spacing)
    n, phi2 = exact_2x2(eta, mu)
    assert_equals(seen["n"], n, sharpness)
    assert_equals(seen["phi2"], phi2, 1e-3)


LONG = {
    ((50, 2), 1.0): {"samples": 30_000, "closings": 16, "spacing": 10},
    ((50, 2), 1.5): {"samples": 65_000, "closings": 8, "spacing": 10},
    ((60, 4), 0.5): {"samples": 2_000, "closings": 16, "spacing": 4},
    ((60, 4), 1.0): {"samples": 13_000, "closings": 16, "spacing": 8},
    ((60, 4), 1.25): {"samples": 20_000, "closings": 8, "spacing": 5},
}


@pytest.mark.slow
@pytest.mark.parametrize(("extents", "mu"), LONG)
def test_table(extents, mu):
    seen, (n, phi2) = observe(extents, 4.01, mu, **LONG[extents, mu]), TABLE[extents, mu]
    assert_equals(seen["n"], n, 1e-3)
    assert_equals(seen["phi2"], phi2, 1e-3)


@pytest.mark.slow
def test_charges():
    """P(Q) at 60 x 4, mu = 1, by chi-square with the covariance of blocks, in place of that of independent counts."""
    charge = observe((60, 4), 4.01, 1.0, **LONG[(60, 4), 1.0])["Q"]
    assert np.array_equal(charge, np.rint(charge))
    shares = np.stack([blocks_of(charge == q) for q in range(4)], axis=1)
    off, covariance = shares.mean(axis=0) - CHARGES, np.cov(shares.T) / len(shares)
    print(shares.mean(axis=0), np.sqrt(np.diag(covariance)))
    # Nearly all of the weight is on these four: three of them are free.
    free = [0, 1, 3]
    statistic = off[free] @ np.linalg.solve(covariance[np.ix_(free, free)], off[free])
    assert np.sqrt(np.diag(covariance)).max() < 0.0035
    assert statistic < chi2.ppf(0.9973, 3)
    assert (charge < 0).mean() + (charge > 3).mean() < 2e-4


FINE = {"nodes": 8, "angles": 17, "sweeps": 6}  # two sites cost little
FULL, LOWEST = {"states": 50, "sweeps": 6}, {"states": 1}  # a short torus has many states in its trace
OTHER = {  # between and beside the points of the table, and odd tori: (extents, mu): largest charge, states, how long
    ((50, 2), 1.2): (12, FINE | FULL, {"samples": 60_000, "closings": 8, "spacing": 10}),
    ((60, 4), 0.75): (4, LOWEST, {"samples": 2_000, "closings": 16, "spacing": 4}),
    ((60, 4), 0.95): (5, LOWEST, {"samples": 20_000, "closings": 16, "spacing": 8}),
    ((60, 4), 1.1): (7, LOWEST, {"samples": 20_000, "closings": 8, "spacing": 8}),
    ((3, 2), 0.9): (12, FINE | FULL, {"samples": 80_000, "closings": 8, "spacing": 8}),
    ((3, 3), 0.6): (8, FULL, {"samples": 40_000, "closings": 8, "spacing": 8}),
    ((2, 3), 0.6): (10, FULL, {"samples": 60_000, "closings": 8, "spacing": 8}),
}


def test_transfer_matrix_reproduces_the_table():
    """At 2 x 2, as quadrature does, and at 50 x 2, where the lowest state of each charge is all there is."""
    found = exact((2, 2), 4.01, 0.5, largest=10, states=30, nodes=7, angles=15, sweeps=5)[:2]
    assert found == pytest.approx(TABLE[(2, 2), 0.5], abs=2e-7)
    found = exact((50, 2), 4.01, 1.0, largest=4, nodes=8, angles=17)[:2]
    assert found == pytest.approx(TABLE[(50, 2), 1.0], abs=3e-6)


@pytest.mark.slow
def test_transfer_matrix_reproduces_the_table_of_denser_phases():
    """And, of four sites, the mass gap, at which the density sets in."""
    found = exact((50, 2), 4.01, 1.5, largest=16, nodes=10, angles=21)[:2]
    assert found == pytest.approx(TABLE[(50, 2), 1.5], rel=2e-6)
    gap = np.log(sector(4, 0, 4.01, 1.0)[0] / sector(4, 1, 4.01, 1.0)[0])
    assert gap == pytest.approx(0.942989, abs=1e-6)
    for mu, largest in ((0.5, 4), (1.0, 5), (1.25, 14)):
        n, phi2, p = exact((60, 4), 4.01, mu, largest=largest)
        assert (n, phi2) == pytest.approx(TABLE[(60, 4), mu], rel=1e-4, abs=1e-9)
        if mu == 1.0:
            assert [p[q] for q in range(4)] == pytest.approx(CHARGES, abs=2e-5)


@pytest.mark.slow
@pytest.mark.parametrize(("extents", "mu"), OTHER)
def test_other_points(extents, mu):
    largest, converged, how = OTHER[extents, mu]
    n, phi2, _ = exact(extents, 4.01, mu, largest=largest, **converged)
    seen = observe(extents, 4.01, mu, **how)
    assert_equals(seen["n"], n, 1e-3, seldom=3 / (seen["n"].size * extents[1]))  # three samples with a winding
    assert_equals(seen["phi2"], phi2, 1e-3)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("extents", "eta", "mu", "sharpness"),
    [((4, 4), 4.7, 0.55, 1e-3), ((2, 2), 5.0, 0.8, 4e-3), ((9, 2), 5.0, 0.9, 4e-3)],
)
def test_free_field_sharply(extents, eta, mu, sharpness):
    long = observe(extents, eta, mu, lam=0.0, samples=100_000, closings=8, spacing=8)
    n, phi2 = exact_free(extents, eta, mu)
    assert_equals(long["n"], n, sharpness)
    assert_equals(long["phi2"], phi2, sharpness)
