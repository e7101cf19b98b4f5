"""The checkerboard and the hybrid update against exact values, and the trap that the checkerboard alone is in.

Errors are blocked over lanes, which are independent; tolerances are 4 standard errors but where 3 are said, seeds are
fixed, and every comparison asserts how sharp it is.
"""

import numpy as np
import pytest
from scipy.stats import chi2
from statistical.flux_transfer import exact

from lattice_ml.ensembles.equilibration import assess, judge, require_equilibrated
from lattice_ml.ensembles.generate import generate
from lattice_ml.ensembles.hot_and_cold import compare
from lattice_ml.ensembles.plan import Protocol, plan_grid
from lattice_ml.ground.autocorrelation import integrated_time
from lattice_ml.ground.errors import UserError
from lattice_ml.kernels.device import Cpu
from lattice_ml.systems.complex_scalar.hybrid import SWEEPS, Hybrid
from lattice_ml.systems.complex_scalar.physics import ComplexScalar
from lattice_ml.systems.complex_scalar.pilot import LEAST_ACCEPTANCE, pilot
from lattice_ml.systems.complex_scalar.sampler import ComplexScalarSampler
from lattice_ml.systems.complex_scalar.start import start_state
from lattice_ml.systems.complex_scalar.worm import Worms
from lattice_ml.systems.sampler import Lane

pytestmark = pytest.mark.statistical

SIGMAS = 4.0
EXACT = {  # n and |phi|^2 at eta = 4.01, lambda = 1, by transfer matrix and quadrature: shared/specs/complex_scalar.md
    ((2, 2), 0.5): (0.24014034, 0.37222816),
    ((2, 2), 1.0): (1.04248735, 0.55992846),
    ((50, 2), 1.5): (4.82748, 1.275002),
    ((60, 4), 1.25): (1.93544, 0.77587),
}
SIZES = {(2, 2): (128, 3000, 1), (50, 2): (32, 1000, 1), (60, 4): (32, 1000, 3)}
"""Lanes, samples, and updates between them."""
SHARP = {(2, 2): (4e-3, 2e-3), (50, 2): (4e-3, 1e-3), (60, 4): (4e-3, 1e-3)}


def run(system, point, closings, lanes, samples, spacing, waiting=100, seed=3, start="hot_and_cold"):
    """n, Q and phi2 ``[lane, sample]``, and the chains that they were read from."""
    jobs = [Lane(point, replica, ()) for replica in range(lanes)]
    states = np.stack([start_state(system, point, seed, replica, start) for replica in range(lanes)])
    chains = Hybrid(system, jobs, seed, states, [closings] * lanes if closings else None, Cpu())
    parts = []
    for first in range(0, samples, 500):
        due = [waiting + spacing * (n + 1) for n in range(first, min(first + 500, samples))]
        read = chains.advance([due] * lanes, lambda work: None)
        system.check(read, point)
        parts.append(system.observables(read, point))
    return {name: np.concatenate([part[name] for part in parts], axis=1) for name in ("n", "Q", "phi2")}, chains


def assert_equals(values, expected, sharpness, sigmas=SIGMAS):
    blocks = values.mean(axis=1)
    mean, error = blocks.mean(), blocks.std(ddof=1) / np.sqrt(blocks.size)
    print(f"{mean:.6f} ± {error:.6f}, exactly {expected:.6f}: {(mean - expected) / error:+.1f} sigma")
    assert error < sharpness
    assert abs(mean - expected) < sigmas * error


@pytest.mark.parametrize("closings", [None, 4], ids=["checkerboard", "hybrid"])
@pytest.mark.parametrize(("extents", "mu"), EXACT)
def test_table_of_the_specification(extents, mu, closings):
    found, _ = run(ComplexScalar(extents), {"eta": 4.01, "mu": mu}, closings, *SIZES[extents])
    for name, expected, sharpness in zip(("n", "phi2"), EXACT[extents, mu], SHARP[extents], strict=True):
        assert_equals(found[name], expected, sharpness)


DENSE = {  # chains; largest charge and states of the transfer matrix; auto takes the hybrid
    ((50, 2), 1.5): (80, 16, {"nodes": 10, "angles": 21}),
    ((60, 4), 1.25): (32, 14, {}),
}


@pytest.mark.slow
@pytest.mark.parametrize(("extents", "mu"), DENSE)
def test_what_auto_takes_in_dense_phases(extents, mu):
    """n and |phi|^2 within 3 standard errors <= 1e-3, P(Q) by chi-square, of configurations as a store holds them."""
    system, point = ComplexScalar(extents), {"eta": 4.01, "mu": mu}
    assert pilot(system, point).algorithm == "hybrid"
    chains, largest, how = DENSE[extents, mu]
    n, phi2, shares = exact(extents, 4.01, mu, largest=largest, **how)
    lanes = [Lane(point, replica, tuple(range(32, 4032))) for replica in range(chains)]
    states = ComplexScalarSampler("auto", "cpu").sample(system, lanes, 6, "hot_and_cold", lambda work: None)
    found = [system.observables(chain, point) for chain in states]  # one chain at a time is in memory
    read = {name: np.stack([chain[name] for chain in found]) for name in ("n", "Q", "phi2")}
    assert_equals(read["n"], n, 1e-3, sigmas=3)
    assert_equals(read["phi2"], phi2, 1e-3, sigmas=3)
    charges = np.rint(read["Q"])
    assert np.array_equal(charges, read["Q"])
    expected = {q: share * charges.size for q, share in shares.items() if share * charges.size >= 20}
    rest = charges.size - sum(expected.values())
    counts = {q: np.sum(charges == q) for q in expected}
    statistic = sum((counts[q] - expected[q]) ** 2 / expected[q] for q in expected)
    tau = integrated_time(read["Q"]).tau  # 1/2 of independent counts, which vary less than correlated ones
    print(f"chi-square {statistic / (2 * tau):.1f}, {len(expected) - 1} degrees of freedom, tau {tau:.2f}")
    assert statistic / max(2 * tau, 1.0) < chi2.ppf(0.9973, len(expected) - 1)
    assert charges.size - sum(counts.values()) < rest + 5 * np.sqrt(rest) + 3


@pytest.mark.slow
@pytest.mark.parametrize("closings", [None, 4], ids=["checkerboard", "hybrid"])
@pytest.mark.parametrize(("eta", "mu"), [(4.25, 1.0), (4.01, 1.5)])
def test_the_checkerboard_and_worms_agree_where_nets_learn_of_violations(eta, mu, closings):
    """8 x 8, too large to solve: what the updates share is the weights and their random numbers."""
    system, point = ComplexScalar((8, 8)), {"eta": eta, "mu": mu}
    found, _ = run(system, point, closings, 64, 3000, 8)
    jobs = [Lane(point, replica, ()) for replica in range(64)]
    states = np.stack([start_state(system, point, 4, replica, "hot_and_cold") for replica in range(64)])
    read = Worms(system, jobs, 4, states, [16] * 64, Cpu()).advance([list(range(100, 3100, 2))] * 64, lambda work: None)
    worms = system.observables(read, point)
    for name, sharpness in (("n", 5e-3), ("phi2", 1.5e-3)):
        one, other = (values.mean(axis=1) for values in (found[name], worms[name]))
        off, error = one.mean() - other.mean(), np.sqrt((one.var(ddof=1) + other.var(ddof=1)) / 64)
        print(f"{one.mean():.5f} closings {closings}, {other.mean():.5f} worm: {off / error:+.1f} sigma of {error:.1e}")
        assert error < sharpness
        assert abs(off) < SIGMAS * error


def free_field(extents, eta, mu):
    """n and |phi|^2 without lambda: means over momenta of -(dD/dmu) / D and 1 / D, D as below."""
    p_t, p_x = (2 * np.pi * np.arange(extent) / extent for extent in extents)
    p_t, p_x = p_t[:, None] - 1j * mu, p_x[None, :]
    inverse = 1 / (eta - 2 * np.cos(p_x) - 2 * np.cos(p_t))
    return (2j * np.sin(p_t) * inverse).mean().real, inverse.mean().real


@pytest.mark.parametrize("closings", [None, 4], ids=["checkerboard", "hybrid"])
@pytest.mark.parametrize("extents", [(3, 3), (5, 3), (2, 5)])
def test_free_field_on_odd_tori(extents, closings):
    """Every colour is there: nine, nine and six of plaquettes."""
    found, _ = run(ComplexScalar(extents, 0.0), {"eta": 5.0, "mu": 0.6}, closings, 64, 1000, 1)
    density, square = free_field(extents, 5.0, 0.6)
    assert_equals(found["n"], density, 3e-3)
    assert_equals(found["phi2"], square, 2e-3)


# --- the trap ---

TRAP = (ComplexScalar((60, 4)), {"eta": 4.01, "mu": 1.0})


def test_lines_in_time_are_hardly_ever_accepted():
    """Mean probabilities at 60x4, mu = 1, which have a long tail: some 1e-5 in the right ensemble, 1e-7 at Q = 0.

    Auto must refuse the checkerboard in the one; in the other no chain of the next test may leave Q = 0. Its four cold
    chains try 4 lines in time in each of 4,400 sweeps, so that below 1.4e-6 less than 0.1 of a line is accepted.
    """
    for closings, most in ((12, LEAST_ACCEPTANCE / 10), (None, 0.1 / (4 * 4400 * 4))):
        _, chains = run(*TRAP, closings, 32, 1, 1, waiting=400, start="cold")
        chains.checkerboard.accepted[...] = 0
        chains.advance([[chains.done + 500]] * 32, lambda work: None)
        chances = chains.checkerboard.line_acceptance(SWEEPS * 500)[:, 0]
        print(f"line acceptance {chances.mean():.1e} ± {chances.std(ddof=1) / np.sqrt(32):.0e}, closings {closings}")
        assert 0 < chances.mean() < most


def test_the_checkerboard_alone_keeps_to_the_sectors_of_its_starts():
    """No cold chain ever leaves Q = 0 (P = 0.017); each chain has a healthy-looking error; and the check refuses it."""
    found, _ = run(*TRAP, None, 8, 500, 2)
    assert np.all(found["Q"][::2] == 0)
    assert np.all(found["Q"][1::2] > 0)
    deviations = np.abs(found["phi2"].mean(axis=1) - 0.384673)
    naive = found["phi2"].std(axis=1, ddof=1) / np.sqrt(found["phi2"].shape[1])
    print(np.stack((found["n"].mean(axis=1), found["phi2"].mean(axis=1), naive), axis=1).round(4))
    assert np.all(deviations[::2] > 5 * naive[::2])  # what nobody would call chance
    assert np.all(naive < 0.01 * 0.384673)  # healthy-looking
    verdict = judge([{"point": TRAP[1], "record": {}, **compare(found, ("n", "phi2"))}])
    assert not verdict["passed"]
    assert "from hot and" in verdict["reason"]


def test_a_stuck_ensemble_is_refused_and_one_of_worms_passes(tmp_path):
    """The whole way: a campaign, its verdict in the store, and the question that training asks."""
    system, point = TRAP
    plan = plan_grid(
        "trap", {name: [value] for name, value in point.items()}, 8, 40, 0,
        Protocol(start="hot_and_cold", waiting=32.0, spacing=1.0),
    )  # fmt: skip
    for algorithm in ("checkerboard", "auto"):
        sampler, path = ComplexScalarSampler(algorithm, "cpu"), tmp_path / f"{algorithm}.zarr"
        generate(system, sampler, plan, path)
        verdict = assess(system, sampler, path)
        assert verdict is not None
        record = verdict["points"][0]["record"]
        assert record["line_acceptance"] < LEAST_ACCEPTANCE
        if algorithm == "auto":
            assert record["algorithm"] == "worm"
            assert verdict["passed"], verdict["reason"]
            require_equilibrated(path)
        else:
            with pytest.raises(UserError, match=r"from hot and .* from cold starts are .* standard errors apart"):
                require_equilibrated(path)


@pytest.mark.parametrize(
    ("extents", "mu", "algorithm"),
    [((60, 4), 1.0, "worm"), ((60, 4), 1.5, "hybrid"), ((8, 8), 1.25, "hybrid"), ((50, 2), 1.5, "hybrid")],
)
def test_auto_takes_by_line_acceptance(extents, mu, algorithm):
    found = pilot(ComplexScalar(extents), {"eta": 4.01, "mu": mu})
    assert found.algorithm == algorithm
    assert (found.line_acceptance < LEAST_ACCEPTANCE) == (algorithm == "worm")
    assert found.thin >= 2 * found.tau
    assert pilot(ComplexScalar(extents), {"eta": 4.01, "mu": mu, "worms": 3}) == found
