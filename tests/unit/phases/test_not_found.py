"""Advice that fits what the plane showed."""

import numpy as np

from lattice_ml.phases.not_found import Attempt, not_found
from lattice_ml.systems.ising.physics import Ising

SYSTEM = Ising((9, 9))
COUNT = 600
OBSERVABLES = {"T": np.repeat([1.5, 2.5], COUNT // 2), "order": np.repeat([0.9, 0.8], COUNT // 2)}
ONE, TWO = np.zeros(COUNT, dtype=np.int64), np.repeat([0, 1], COUNT // 2)


def test_groups_that_are_no_phases_are_described():
    said = not_found(SYSTEM, [Attempt(ONE, None), Attempt(TWO, None)], OBSERVABLES)
    assert "shows 1 or 2 groups of configurations that do not look like the 2 phases F, P" in said
    assert "300 configurations at T = 1.5 to 1.5 with order 0.9" in said
    assert "ising.name_groups" in said
    assert "raise ensemble.samples" not in said


def test_a_single_group_asks_for_a_wider_scan_and_for_channels():
    said = not_found(SYSTEM, [Attempt(ONE, None)], OBSERVABLES)
    assert "shows 1 group of configurations where the 2 phases F, P were sought" in said
    assert "let ensemble.grid.T reach into every phase, and give ising channels" in said


def test_phases_that_are_missing_are_named():
    assert "that look like F, and none like P" in not_found(SYSTEM, [Attempt(TWO, ["F", "F"])], OBSERVABLES)
    assert "not one after the other with rising T" in not_found(SYSTEM, [Attempt(TWO, ["F", "P"])], OBSERVABLES)


def test_more_samples_are_asked_for_only_where_there_are_few():
    few = {name: values[::10] for name, values in OBSERVABLES.items()}
    assert "raise ensemble.samples: 60 configurations are few" in not_found(SYSTEM, [Attempt(TWO[::10], None)], few)
    assert "shows no groups of configurations" in not_found(SYSTEM, [], few)
