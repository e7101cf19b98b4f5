"""Boundaries of planted committees: their mean, the spread in the error, who is physical, how far from the truth."""

import json

import numpy as np
import pytest

from lattice_ml.phases.boundary import boundary_table
from lattice_ml.phases.committee import Verdict, committee_boundaries, deviations

PHASES = ("L", "L+G", "G")
T = np.round(np.arange(0.2, 1.001, 0.02), 10)


def scan(lower: float, upper: float, width: float = 0.005) -> np.ndarray:
    """Class probabilities [T, class] that cross at T = lower and T = upper."""
    score = np.stack((lower - T, np.zeros_like(T), T - upper), axis=1) / width
    weight = np.exp(score - score.max(axis=1, keepdims=True))
    return weight / weight.sum(axis=1, keepdims=True)


def asked(crossings: list[dict[float, tuple[float, float]]], replicas: int = 4, noise: float = 0.0):
    """Points and probabilities [member, point, replica, sample, class] of members with these crossings at each rho0;
    noise: how much a replica's crossings are displaced, the same for all members."""
    rng = np.random.default_rng(0)
    points = [{"rho0": rho0, "T": float(t)} for rho0 in crossings[0] for t in T]
    moved = {rho0: rng.normal(0, noise, replicas) for rho0 in crossings[0]}
    found = [
        [
            np.stack([scan(low + by, high + by) for by in moved[rho0]], axis=1)[:, :, None, :].repeat(3, axis=2)
            for rho0, (low, high) in own.items()
        ]
        for own in crossings
    ]
    return points, np.array([np.concatenate(own) for own in found])


THREE = [{1.0: (0.311, 0.551), 3.0: (0.41, 0.65)}, {1.0: (0.331, 0.571), 3.0: (0.43, 0.65)},
         {1.0: (0.351, 0.561), 3.0: (0.40, 0.68)}]  # fmt: skip


def test_the_mean_over_members_and_an_error_that_holds_their_spread():
    points, probabilities = asked(THREE, noise=0.01)
    found = committee_boundaries(points, probabilities, PHASES, "T", method="cnn", seed=5)
    alone = [boundary_table(points, own, PHASES, "T", "cnn", 5) for own in probabilities]
    assert [(row["rho0"], row["transition"], row["method"]) for row in found.rows] == [
        (1.0, "L|L+G", "cnn"), (1.0, "L+G|G", "cnn"), (3.0, "L|L+G", "cnn"), (3.0, "L+G|G", "cnn"),
    ]  # fmt: skip
    np.testing.assert_array_equal(found.T, [[row["value"] for row in table] for table in alone])
    for k, row in enumerate(found.rows):
        own, errors = np.array([[table[k]["value"], table[k]["error"]] for table in alone]).T
        assert row["value"] == pytest.approx(own.mean())
        assert row["error"] == pytest.approx(np.sqrt((errors**2).mean() + own.var(ddof=1)))
        assert row["error"] > own.std(ddof=1)
        assert "reason" not in row
    # Without noise the crossings are those planted, to a twentieth of the grid.
    points, probabilities = asked(THREE)
    rows = committee_boundaries(points, probabilities, PHASES, "T").rows
    planted = np.mean([[x for pair in own.values() for x in pair] for own in THREE], axis=0)
    np.testing.assert_allclose([row["value"] for row in rows], planted, atol=0.02 / 2)
    json.dumps(rows)


def test_members_that_agree_have_the_error_of_one():
    points, probabilities = asked(THREE[:1] * 3, noise=0.01)
    found = committee_boundaries(points, probabilities, PHASES, "T", seed=1)
    (alone,) = [boundary_table(points, own, PHASES, "T", seed=1) for own in probabilities[:1]]
    for row, own in zip(found.rows, alone, strict=True):
        assert (row["value"], row["error"]) == (pytest.approx(own["value"]), pytest.approx(own["error"]))


def test_a_committee_of_one_is_a_net():
    points, probabilities = asked(THREE[:1], noise=0.01)
    rows = committee_boundaries(points, probabilities, PHASES, "T").rows
    alone = boundary_table(points, probabilities[0], PHASES, "T")
    for row, own in zip(rows, alone, strict=True):
        assert (row["value"], row["error"]) == (pytest.approx(own["value"]), pytest.approx(own["error"]))


@pytest.mark.parametrize(("there", "members", "quorate"), [(1, 3, False), (2, 4, True), (1, 2, True), (0, 2, False)])
def test_half_of_the_members_must_find_a_boundary(there, members, quorate):
    finding, missing = {3.0: (0.41, 0.65)}, {3.0: (0.1, 0.65)}  # the latter are nowhere liquid
    points, probabilities = asked([finding] * there + [missing] * (members - there))
    found = committee_boundaries(points, probabilities, PHASES, "T")
    low, high = found.rows
    assert np.isfinite(found.T[:, 0]).tolist() == [True] * there + [False] * (members - there)
    assert high["value"] == pytest.approx(0.65, abs=0.01)
    if quorate:
        assert low["value"] == pytest.approx(0.41, abs=0.01)  # the mean over those that have it
        assert low["error"] == pytest.approx(0.02 / np.sqrt(12))
    else:
        assert (low["value"], low["error"]) == (None, None)
        assert low["reason"] == f"{there} of {members} nets have this crossing"


def test_one_replica_has_no_error_and_says_so():
    points, probabilities = asked(THREE, replicas=1)
    for row in committee_boundaries(points, probabilities, PHASES, "T").rows:
        assert row["value"] is not None
        assert row["error"] is None
        assert "single replica" in row["reason"]


def test_a_direct_crossing_is_no_row():
    """L next to G without a window between: the neighbours' boundaries are missing, and nothing else is told."""
    gas = 1 / (1 + np.exp(-(T - 0.5) / 0.01))
    direct = np.stack((0.9 * (1 - gas), np.full(len(T), 0.05), 0.95 - 0.9 * (1 - gas)), axis=1)
    probabilities = np.broadcast_to(direct[None, :, None, None, :], (2, len(T), 3, 2, 3))
    found = committee_boundaries([{"T": float(t)} for t in T], probabilities, PHASES, "T")
    assert [(row["transition"], row["value"]) for row in found.rows] == [("L|L+G", None), ("L+G|G", None)]
    assert np.isnan(found.T).all()


def verdict(T: list[list[float]]) -> Verdict:
    """Of members with these temperatures at rho0 = 1, 2, 3, each L | L+G and L+G | G."""
    rows = [
        {"rho0": rho0, "transition": transition, "control": "T", "value": 0.5, "error": 0.01, "method": "cnn"}
        for rho0 in (1.0, 2.0, 3.0)
        for transition in ("L|L+G", "L+G|G")
    ]
    return Verdict(rows, np.array(T))


@pytest.mark.parametrize(
    ("T", "physical"),
    [
        ([0.3, 0.5, 0.4, 0.6, 0.5, 0.7], True),
        ([0.5, 0.7, 0.4, 0.6, 0.3, 0.5], True),  # falling with the density is one direction too
        ([0.3, 0.7, 0.4, 0.6, 0.5, 0.55], True),  # a window that closes
        ([0.3, 0.5, np.nan, 0.6, 0.5, 0.7], False),  # one is missing
        ([0.3, 0.5, 0.6, 0.4, 0.7, 0.8], False),  # out of order at one density
        ([0.3, 0.5, 0.4, 0.6, 0.35, 0.7], False),  # turns back
        ([0.3, 0.5, 0.3, 0.6, 0.5, 0.7], False),  # stands still
        ([np.nan] * 6, False),
    ],
)
def test_who_extrapolates_physically(T, physical):
    assert verdict([T]).physical().tolist() == [physical]


def test_each_member_is_judged_by_itself():
    sound, broken = [0.3, 0.5, 0.4, 0.6, 0.5, 0.7], [0.3, 0.5, 0.4, np.nan, 0.5, 0.7]
    found = verdict([sound, broken, sound]).physical()
    assert (found.tolist(), found.dtype) == ([True, False, True], np.bool_)


def test_a_single_place_has_no_direction():
    one = Verdict(verdict([]).rows[:2], np.array([[0.4, 0.6], [0.6, 0.4], [0.4, np.nan]]))
    assert one.physical().tolist() == [True, False, False]


def test_the_control_parameter_is_no_place():
    """Rows of one place with different T, under whatever name."""
    rows = [
        {"J": 1.0, "transition": name, "control": "mu", "value": mu, "error": None}
        for name, mu in (("a|b", 0.1), ("b|c", 0.2))
    ]
    assert Verdict(rows, np.array([[0.1, 0.2], [0.2, 0.1]])).physical().tolist() == [True, False]


def row(rho0: float, transition: str, T: float | None, error: float | None, method: str = "cnn") -> dict:
    return {"rho0": rho0, "transition": transition, "control": "T", "value": T, "error": error, "method": method}


def test_boundaries_are_held_against_the_truth_of_their_own_place():
    found = [row(1.0, "L|L+G", 0.33, 0.03), row(1.0, "L+G|G", None, None) | {"reason": "none"},
             row(3.0, "L|L+G", 0.42, 0.03), row(4.0, "L|L+G", 0.5, 0.01)]  # fmt: skip
    truth = [row(3.0, "L+G|G", 0.66, 0.01, "band"), row(3.0, "L|L+G", 0.41, 0.04, "band"),
             row(1.0, "L+G|G", 0.5, 0.02, "band"), row(1.0, "L|L+G", 0.35, 0.04, "band")]  # fmt: skip
    table = deviations(found, truth)
    assert [(entry["rho0"], entry["transition"]) for entry in table] == [
        (1.0, "L|L+G"), (1.0, "L+G|G"), (3.0, "L|L+G"), (4.0, "L|L+G"),
    ]  # fmt: skip
    first, missed, there, unknown = table
    assert (first["found"], first["found_error"], first["truth"], first["truth_error"]) == (0.33, 0.03, 0.35, 0.04)
    assert (first["difference"], first["error"]) == (pytest.approx(-0.02), pytest.approx(0.05))
    assert there["difference"] == pytest.approx(0.01)
    assert (missed["found"], missed["truth"], missed["difference"], missed["error"]) == (None, 0.5, None, None)
    assert (unknown["found"], unknown["truth"], unknown["difference"], unknown["error"]) == (0.5, None, None, None)
    json.dumps(table)


def test_an_error_that_is_not_known_is_not_zero():
    (entry,) = deviations([row(3.0, "L|L+G", 0.42, None)], [row(3.0, "L|L+G", 0.41, 0.02, "band")])
    assert entry["difference"] == pytest.approx(0.01)
    assert entry["error"] is None


def test_another_control_parameter():
    found = [{"transition": "a|b", "control": "mu", "value": 1.1, "error": 0.1, "method": "cnn"}]
    truth = [{"transition": "a|b", "control": "mu", "value": 1.0, "error": 0.0, "method": "band"}]
    (entry,) = deviations(found, truth)
    assert entry["difference"] == pytest.approx(0.1)
