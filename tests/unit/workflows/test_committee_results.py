"""What is told of committees: numbers that follow from planted probabilities."""

import json
from typing import Any

import numpy as np
import pytest
import xarray as xr

from lattice_ml.ground.boundary_rows import entry
from lattice_ml.phases.label import Labels
from lattice_ml.systems.active_ising.physics import ActiveIsing
from lattice_ml.workflows.committee.parts import Judged, Part
from lattice_ml.workflows.committee.results import compare, distance, metrics, share, spread, summary

T = np.round(np.arange(0.2, 0.91, 0.05), 10)
SYSTEM, WIDE = ActiveIsing((9, 9)), ActiveIsing((18, 18))


def scan(lower: float, upper: float) -> np.ndarray:
    """[T, class]: certainty, which changes at lower and upper."""
    phase = (lower < T).astype(int) + (upper < T)
    return np.eye(3)[phase]


def part(name: str, system: ActiveIsing, *rho0: float) -> Part:
    """Of no configurations that anybody looks at: two replicas of three samples at every T."""
    points = [(density, t) for density in rho0 for t in T]
    coordinates = {"rho0": ("point", [p[0] for p in points]), "T": ("point", [p[1] for p in points])}
    return Part(name, system, xr.Dataset(coords=coordinates))


def said(*members: list[tuple[float, float]]) -> np.ndarray:
    """[member, point, replica, sample, class] of the crossings of every member at every density."""
    stacked = np.array([np.concatenate([scan(*crossings) for crossings in own]) for own in members])
    return np.broadcast_to(stacked[:, :, None, None, :], (*stacked.shape[:2], 2, 3, 3)).astype(np.float32)


def truth(rho0: float, *crossings: float) -> list[dict]:
    return [
        {"rho0": rho0, **entry(transition, "T", "band"), "value": at, "error": 0.01}
        for transition, at in zip(("L|L+G", "L+G|G"), crossings, strict=True)
    ]


PARTS = [part("test", SYSTEM, 3.0), part("survey", SYSTEM, 2.0, 4.0), part("wide", WIDE, 3.0)]
TRUTH = {"test": truth(3.0, 0.425, 0.625), "survey": truth(2.0, 0.325, 0.525) + truth(4.0, 0.475, 0.725),
         "wide": truth(3.0, 0.375, 0.575)}  # fmt: skip
RIGHT = scan(0.425, 0.625).argmax(-1)
LABELS = Labels(
    phases=SYSTEM.phases,
    labels=np.broadcast_to(RIGHT[:, None, None], (len(T), 4, 3)),
    phase=np.zeros((len(T), 4, 3), dtype=np.int64),
    cluster=np.zeros((len(T), 4, 3), dtype=np.int64),
    group=np.zeros((len(T), 4, 3), dtype=np.int64),
    shares=np.zeros((len(T), 3)),
    transitions=[],
    observables={},
)
# Both members are right at rho0 = 3. The second is off by 0.05 at one boundary of the survey.
FIRST = {"test": [(0.425, 0.625)], "survey": [(0.325, 0.525), (0.475, 0.725)], "wide": [(0.375, 0.575)]}
SECOND = {"test": [(0.425, 0.625)], "survey": [(0.325, 0.525), (0.525, 0.725)], "wide": [(0.425, 0.575)]}
HISTORY = [{"val/best": 0.5}, {"val/best": 0.2}]
NOBODY: Any = None  # the nets themselves are not asked


def judged(*members: dict[str, list[tuple[float, float]]], parts: tuple[str, ...] = ("test", "survey", "wide")):
    return Judged(0.01, NOBODY, {name: said(*(own[name] for own in members)) for name in parts}, HISTORY)


def test_a_committee_beside_the_truth():
    one = compare(judged(FIRST, SECOND), PARTS, TRUTH, LABELS, seed=0)
    grid = 0.05 / np.sqrt(12)
    assert [(row["rho0"], row["transition"], row["trained"]) for row in one.rows] == [
        (3.0, "L|L+G", True), (3.0, "L+G|G", True), (2.0, "L|L+G", False), (2.0, "L+G|G", False),
        (4.0, "L|L+G", False), (4.0, "L+G|G", False),
    ]  # fmt: skip
    differences = [row["difference"] for row in one.rows]
    np.testing.assert_allclose(differences, [0, 0, 0, 0, 0.025, 0], atol=1e-9)
    spread_of_two = 0.05**2 / 2
    np.testing.assert_allclose(one.rows[4]["found_error"], np.sqrt(grid**2 + spread_of_two))
    np.testing.assert_allclose(one.rows[4]["error"], np.sqrt(grid**2 + spread_of_two + 0.01**2))
    assert [(row["L"], row["rho0"]) for row in one.sizes] == [(18, 3.0)] * 2
    np.testing.assert_allclose(one.sizes[0]["difference"], 0.025)
    assert len(one.boundaries) == 6  # of the torus of the training alone
    assert one.accuracy.tolist() == [1.0, 1.0]
    assert one.physical.tolist() == [True, True]
    assert one.near.tolist() == [True, False]
    np.testing.assert_allclose(one.T[1], [0.425, 0.625, 0.325, 0.525, 0.525, 0.725])


def test_its_summary_and_the_head_of_the_report():
    told = summary(compare(judged(FIRST, SECOND), PARTS, TRUTH, LABELS, seed=0))
    away = told["distance"]
    assert (away["n"], away["missed"]) == (4, 0)  # not those of the training density
    assert away["value"] == pytest.approx(0.025 / 4)
    assert away["largest"] == pytest.approx(0.025)
    assert (told["epochs"], told["validation_loss"]) == (2, 0.2)
    head = metrics(told, 0.01)
    assert head["test_accuracy"] == {"value": 1.0, "error": 0.0, "n": 2}
    assert head["nets_within_0.03_everywhere"]["value"] == 0.5
    assert head["boundaries_missed"] == {"value": 0, "error": None, "n": 4}
    assert head["l2"]["value"] == 0.01
    json.dumps([told, head], allow_nan=False)


def test_a_member_that_misses_a_boundary_is_neither_near_nor_physical():
    blind = FIRST | {"survey": [(0.1, 0.525), (0.475, 0.725)]}
    one = compare(judged(blind, blind), PARTS, TRUTH, LABELS, seed=0)
    assert one.near.tolist() == one.physical.tolist() == [False, False]
    told = summary(one)
    assert (told["distance"]["missed"], told["distance"]["n"]) == (1, 3)
    assert told["members"][0][2] is None
    json.dumps(told, allow_nan=False)


def test_accuracy_is_that_of_each_member_on_the_test_replicas():
    off = FIRST | {"test": [(0.475, 0.625)]}  # one temperature of fifteen on the wrong side
    one = compare(judged(FIRST, off), PARTS, TRUTH, LABELS, seed=0)
    np.testing.assert_allclose(one.accuracy, [1, 1 - 1 / len(T)])


def test_nets_that_flatten_are_not_asked_about_other_tori():
    one = compare(judged(FIRST, SECOND, parts=("test", "survey")), PARTS, TRUTH, LABELS, seed=0)
    assert one.sizes == []
    assert len(one.rows) == 6


def test_without_a_truth_nobody_is_near_it():
    one = compare(judged(FIRST, SECOND), PARTS, {name: [] for name in TRUTH}, LABELS, seed=0)
    told = summary(one)
    assert told["within_0.03_everywhere"] == {"value": None, "error": None, "n": 0}
    assert told["distance"] == {"value": None, "error": None, "largest": None, "n": 0, "missed": 0}
    assert told["physical"]["value"] == 1.0
    json.dumps(metrics(told, 0.01), allow_nan=False)


def test_shares_and_spreads():
    assert share(np.array([True, True, False, True])) == {"value": 0.75, "error": pytest.approx((4 / 6 / 3 / 4) ** 0.5),
                                                          "n": 4}  # fmt: skip
    assert share(np.zeros(10, dtype=bool))["error"] == pytest.approx(np.sqrt(1 / 12 * 11 / 12 / 10))
    found = spread(np.array([0.9, 1.0]))
    assert (found["value"], found["error"], found["n"]) == (pytest.approx(0.95), pytest.approx(0.1 / 2**0.5), 2)
    assert spread(np.array([0.9]))["error"] is None


def test_the_distance_is_a_mean_of_moduli_and_as_certain_as_its_parts():
    rows = [{"truth": 0.5, "difference": d, "error": e} for d, e in ((0.03, 0.03), (-0.01, 0.04), (None, None))]
    found = distance([*rows, {"truth": None, "difference": None, "error": None}])
    assert found == {"value": pytest.approx(0.02), "error": pytest.approx(0.025), "largest": 0.03, "n": 2, "missed": 1}
    assert distance([rows[0], {"truth": 0.5, "difference": 0.01, "error": None}])["error"] is None
