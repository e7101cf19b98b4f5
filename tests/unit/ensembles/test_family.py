"""Ensembles on several tori, and plans whose points are no single product."""

import pytest

from lattice_ml.ensembles.family import is_family, members, torus_name
from lattice_ml.ensembles.plan import plan_grid
from lattice_ml.ground.errors import UserError


def test_one_torus_is_its_own_family():
    section = {"name": "a", "extents": [60, 4], "path": "stores/a.zarr"}
    assert not is_family(section)
    assert members(section) == [section]


def test_every_torus_has_a_store_of_its_own():
    section = {"name": "a", "extents": [[50, 2], [60, 4]], "path": "stores/a-seed0.zarr", "replicas": 3}
    assert is_family(section)
    found = members(section)
    assert [member["extents"] for member in found] == [[50, 2], [60, 4]]
    assert [member["path"] for member in found] == ["stores/a-seed0-50x2.zarr", "stores/a-seed0-60x4.zarr"]
    assert all(member["replicas"] == 3 for member in found)
    assert torus_name((50, 2)) == "50x2"


def test_blocks_of_a_grid_follow_one_another():
    plan = plan_grid("a", [{"mu": [1.0], "worms": [0, 1]}, {"worms": [0], "mu": "1.4:1.5:0.1"}], 1, 1, 0)
    assert plan.points == (
        {"mu": 1.0, "worms": 0.0},
        {"mu": 1.0, "worms": 1.0},
        {"mu": 1.4, "worms": 0.0},
        {"mu": 1.5, "worms": 0.0},
    )


@pytest.mark.parametrize(
    ("grid", "said"),
    [
        ([{"mu": [1.0]}, {"eta": [4.0]}], "differ in their parameters"),
        ([{"mu": [1.0]}, {"mu": [1.0]}], "twice"),
        ([], "empty"),
        ([{"mu": [1.0]}, {}], "empty"),
        ([["mu", 1.0]], "empty"),
    ],
)
def test_blocks_that_do_not_fit_are_refused(grid, said):
    with pytest.raises(UserError, match=said):
        plan_grid("a", grid, 1, 1, 0)
