"""A plan says which configurations there are, or refuses in one sentence."""

import json
import subprocess
import sys

import pytest
from omegaconf import OmegaConf

from lattice_ml.ensembles.plan import Plan, Protocol, build_plan, plan_grid


def grid(**columns):
    return plan_grid("a", columns, replicas=2, samples=3, seed=0)


def test_a_span_includes_its_end_and_keeps_ten_digits():
    temperatures = [point["T"] for point in grid(T="0.2:1.0:0.01").points]
    assert len(temperatures) == 81
    assert temperatures == [round(0.2 + 0.01 * k, 10) for k in range(81)]
    assert 0.3 in temperatures


def test_the_grid_is_the_outer_product_with_the_last_name_fastest():
    plan = grid(T=[0.1 + 0.2, 0.5], rho0=[1, 2.0])
    assert plan.points == (
        {"T": 0.3, "rho0": 1.0},
        {"T": 0.3, "rho0": 2.0},
        {"T": 0.5, "rho0": 1.0},
        {"T": 0.5, "rho0": 2.0},
    )
    assert plan.parameters == ("T", "rho0")


def test_read_out_times_wait_and_then_keep_their_spacing():
    plan = grid(T=[0.5, 0.51])
    assert plan.times(plan.points[0]) == (1500.0, 1700.0, 1900.0)
    assert plan.times(plan.points[1]) == (1500.0, 1600.0, 1700.0)


def test_attributes_are_plain_json_that_names_everything():
    plan = plan_grid("a", {"T": [0.3]}, 2, 3, 5, {"waiting": 10})
    attributes = plan.attributes()
    assert json.loads(json.dumps(attributes)) == attributes
    assert attributes["protocol"]["waiting"] == 10.0
    assert (attributes["seed"], attributes["points"]) == (5, {"T": [0.3]})


def test_a_composed_section_becomes_a_plan():
    section = OmegaConf.create(
        {
            "name": "a",
            "path": "stores/a.zarr",
            "extents": [81, 81],
            "grid": {"T": "0.2:0.3:0.1", "rho0": [3.0]},
            "replicas": 2,
            "samples": 1,
            "seed": 4,
            "protocol": {"start": "band", "waiting": 20.0},
        }
    )
    plan = build_plan(section)
    assert plan == Plan(
        "a", ({"T": 0.2, "rho0": 3.0}, {"T": 0.3, "rho0": 3.0}), 2, 1, 4, Protocol(start="band", waiting=20.0)
    )


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ({}, "empty"),
        ({"T": []}, "no point"),
        ({"T": [0.3, 0.3]}, "twice"),
        ({"T": ["hot"]}, "'hot' is not a number"),
        ({"T": "0.3"}, "is no span"),
        ({"T": [float("nan")]}, "finite"),
        ({"T": {"start": 0.2, "stop": 1.0}}, "holds no numbers"),
        ({"T": "0.2:1.0:0.3"}, "0.2:0.8:0.3"),
        ({"T": "1.0:0.2:0.1"}, "start <= stop"),
        ({"time": [0.3]}, "control parameter"),
    ],
)
def test_a_grid_that_cannot_be_is_refused(refused, columns, says):
    assert says in refused(grid, **columns)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"replicas": 0}, "replicas = 0"),
        ({"replicas": 2.5}, "replicas = 2.5"),
        ({"samples": True}, "samples = True"),
        ({"seed": -1}, "seed = -1"),
        ({"seed": 2**32}, "seed = 4294967296"),
        ({"name": "a/b"}, "'a/b'"),
        ({"name": ".."}, "'..'"),
        ({"protocol": {"waiting": 0}}, "protocol.waiting = 0"),
        ({"protocol": {"wating": 1}}, "protocol.wating"),
        ({"protocol": {"start": ""}}, "protocol.start"),
    ],
)
def test_a_plan_that_cannot_be_is_refused(refused, change, says):
    whole = {"name": "a", "grid": {"T": [0.3]}, "replicas": 1, "samples": 1, "seed": 0, **change}
    assert says in refused(plan_grid, **whole)


def test_a_plan_is_made_without_heavy_imports():
    code = "import sys, lattice_ml.ensembles.plan; print({'torch', 'numba', 'zarr', 'xarray'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
