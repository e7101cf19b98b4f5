"""Boundaries of planted flocks: what the configurations themselves show, nothing learned."""

import numpy as np
import pytest
import xarray as xr

from lattice_ml.phases.truth import recognised, true_boundaries
from lattice_ml.systems.active_ising.physics import ActiveIsing
from lattice_ml.systems.complex_scalar.physics import ComplexScalar
from lattice_ml.systems.ising.physics import Ising

EXTENTS = (18, 9)
SYSTEM = ActiveIsing(EXTENTS)
DIMS = ("point", "replica", "sample", "species", "x", "y")
REPLICAS, SAMPLES = 3, 4
GRID = np.round(np.arange(0.2, 0.91, 0.1), 10)


def planted_state(phase: str, rho0: float, rng: np.random.Generator) -> np.ndarray:
    """Poisson counts [species, x, y] of mean density rho0: polarised, a polarised band in a gas, or a gas."""
    density, share = np.full(18, rho0), np.full(18, 0.5)
    if phase == "L":
        share[:] = 0.95
    if phase == "L+G":
        density[:9], density[9:], share[:9] = 1.6 * rho0, 0.4 * rho0, 0.9
    if rng.random() < 0.5:
        share = 1 - share
    turn = rng.integers(18)
    rates = np.roll(np.stack((density * share, density * (1 - share))), turn, axis=1)
    return rng.poisson(np.repeat(rates[:, :, None], 9, axis=2)).astype(np.uint16)


def ensemble(phases: dict[tuple[float, float], list[str]], seed: int = 0) -> xr.Dataset:
    """(T, rho0) -> the phase of each replica."""
    rng = np.random.default_rng(seed)
    states = [
        [[planted_state(phase, rho0, rng) for _ in range(SAMPLES)] for phase in each]
        for (_, rho0), each in phases.items()
    ]
    T, rho0 = np.array(list(phases)).T
    return xr.Dataset({"configurations": (DIMS, np.array(states))}, coords={"T": ("point", T), "rho0": ("point", rho0)})


def ordered(lower: float, upper: float, rho0: float) -> dict[tuple[float, float], list[str]]:
    """L below ``lower``, L+G up to ``upper``, G above."""
    return {(T, rho0): [SYSTEM.phases[int(np.searchsorted((lower, upper), T))]] * REPLICAS for T in GRID}


def test_planted_boundaries_are_found_at_every_density():
    points = ordered(0.35, 0.65, 3.0) | ordered(0.45, 0.75, 6.0)
    shuffled = np.random.default_rng(3).permutation(len(points))
    found = true_boundaries(ensemble({list(points)[k]: list(points.values())[k] for k in shuffled}), SYSTEM)
    assert [(row["rho0"], row["transition"], row["method"]) for row in found] == [
        (3.0, "L|L+G", "band"), (3.0, "L+G|G", "band"), (6.0, "L|L+G", "band"), (6.0, "L+G|G", "band"),
    ]  # fmt: skip
    # Every replica is of one phase: the shares cross in the middle between two temperatures, and the grid is the error.
    np.testing.assert_allclose([row["value"] for row in found], [0.35, 0.65, 0.45, 0.75])
    np.testing.assert_allclose([row["error"] for row in found], 0.1 / np.sqrt(12))


def test_every_configuration_is_recognised_whatever_the_order_of_the_dimensions():
    phases = ordered(0.35, 0.65, 3.0)
    dataset = ensemble(phases)
    member = recognised(dataset.transpose("x", "sample", "point", "y", "replica", "species"), SYSTEM)
    expected = np.array([[SYSTEM.phases.index(phase) for phase in each] for each in phases.values()])
    np.testing.assert_array_equal(member.argmax(-1), np.broadcast_to(expected[..., None], member.shape[:-1]))
    np.testing.assert_array_equal(member.sum(-1), 1)
    np.testing.assert_array_equal(member, recognised(dataset, SYSTEM))


def test_where_shares_cross_replicas_that_differ_make_the_error():
    phases = ordered(0.35, 0.65, 3.0)
    phases[0.4, 3.0] = ["L", "L", "L+G"]
    (row, _) = true_boundaries(ensemble(phases), SYSTEM, seed=1)
    # <P_L> - <P_L+G> is 1/3 at 0.4 and -1 at 0.5: it crosses at a quarter of the interval.
    assert row["value"] == pytest.approx(0.4 + 0.1 / 4)
    # One replica of three is drawn with its share 2/3, so the difference d = 2 k/3 - 1, k binomial (3, 2/3), crosses
    # at 0.4 + 0.1 d / (1 + d) for d >= 0 and at 0.3 + 0.1 / (1 - d) for d < 0.
    chance = [1 / 27, 6 / 27, 12 / 27, 8 / 27]
    d = 2 * np.arange(4) / 3 - 1
    at = np.where(d >= 0, 0.4 + 0.1 * d / (1 + np.abs(d)), 0.3 + 0.1 / (1 + np.abs(d)))
    variance = np.average((at - np.average(at, weights=chance)) ** 2, weights=chance)
    # × R / (R - 1), and the grid's; a variance from 1000 resamples scatters by some 5 %.
    assert row["error"] == pytest.approx(np.sqrt(1.5 * variance + 0.1**2 / 12), rel=0.06)


def test_a_density_is_compared_with_itself_alone():
    """The bands of the dilute scan are weaker than the noise of nothing in the dense one: cuts are of one scan."""
    points = ordered(0.35, 0.65, 1.0) | ordered(0.45, 0.75, 12.0)
    both = recognised(ensemble(points), SYSTEM)
    dense = ensemble(points).isel(point=slice(len(GRID), None))
    np.testing.assert_array_equal(both[len(GRID) :], recognised(dense, SYSTEM))


@pytest.mark.parametrize(
    ("system", "species", "point"),
    [(Ising((6, 6)), 1, {"T": [2.0, 2.5]}), (ComplexScalar((6, 6)), 4, {"mu": [1.0, 1.1], "eta": [4.01, 4.01]})],
)
def test_a_system_without_a_rule_has_no_truth(system, species, point):
    states = np.random.default_rng(0).integers(0, 2, (2, 2, 2, species, 6, 6)).astype(system.dtype)
    dataset = xr.Dataset({"configurations": (DIMS, states)}, coords={k: ("point", v) for k, v in point.items()})
    assert recognised(dataset, system) is None
    assert true_boundaries(dataset, system) == []
