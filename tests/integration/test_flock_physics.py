"""The physics of a flock as a user runs it, at toy size, and what it asks for when something is missing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from toy_experiment import run_experiment

FIGURES = {
    "binodals",
    "band_profiles",
    "band_speed",
    "density_histograms",
    "number_fluctuations",
    "hysteresis",
    "correlation_times",
}


@pytest.mark.slow
def test_every_number_has_its_error_and_every_figure_its_arrays(tmp_path: Path):
    home = run_experiment(tmp_path, "aim_physics_toy")
    assert (home / "report.html").is_file()
    assert {path.stem for path in (home / "figures").glob("*.png")} == FIGURES
    assert {path.stem for path in (home / "figures").glob("*.npz")} == FIGURES
    results = json.loads((home / "results.json").read_text())
    assert set(results["protocol"]) == {"ensemble", "slabs", "speed", "from_ordered", "from_random", "correlation"}
    assert all({"value", "error", "n"} <= set(metric) for metric in results["metrics"].values())
    # The continuity relation holds whatever the size: two replicas of a narrow torus know the speed to a few percent.
    ratios = [own for name, own in results["metrics"].items() if name.startswith("band_speed_over_continuity")]
    assert ratios
    for own in ratios:
        assert own["value"] == pytest.approx(1.0, abs=0.05)
        assert own["error"] > 0
    methods = {row["method"] for row in results["boundaries"]}
    assert methods == {"binodal", "band start", "ordered start"}


@pytest.mark.slow
def test_boundaries_move_with_the_activity(tmp_path: Path):
    home = run_experiment(tmp_path, "aim_eps_toy")
    assert (home / "figures" / "activity.png").is_file()
    results = json.loads((home / "results.json").read_text())
    assert {(row["eps"], row["transition"]) for row in results["boundaries"]} == {
        (eps, transition) for eps in (0.9, 0.3) for transition in ("L|L+G", "L+G|G")
    }
    strong, weak = results["theory"]
    assert strong["v2_over_D"] == pytest.approx(9 * weak["v2_over_D"])
    assert strong["liquid"] < weak["liquid"] < weak["gas"] == pytest.approx(strong["gas"])


def test_what_is_missing_is_told_in_one_sentence(forked: Callable[..., Any], tmp_path: Path):
    for words, cure in (
        (("experiment=aim_quick", "workflow=flock_physics"), "asks for the ensemble slabs"),
        (("experiment=ising_phases", "workflow=flock_physics"), "does not flock"),
        (("experiment=aim_physics", "ensembles.correlation.grid.T=[0]"), "T = 0 is not a temperature"),
        (("experiment=aim_physics", "+ensembles.slabs.replica=2"), "did you mean ensembles.slabs.replicas?"),
        (("experiment=aim_physics", "physics.cell=0"), "physics.cell"),
        (("experiment=aim_physics", "ensembles.from_random.extents=[27,27]"), "from_random.extents=[81, 81]"),
        (("experiment=aim_eps", "activity.rules=[{eps: 0.5},{T: 1}]"), "which is not varied: give eps and D"),
        (("experiment=aim_eps", "activity.rules=[{eps: 0.5},{D: 1, eps: 0.5}]"), "holds a rule twice"),
        (("experiment=aim_eps", "ensemble.grid.rho0=[2,3]"), "give one, e.g. ensemble.grid.rho0=[2]"),
        (("experiment=aim_eps", "system=ising", "sampler=ising", "ensemble=ising"), "not of ising"),
    ):
        ended = forked("train.py", *words, folder=tmp_path)
        assert ended.returncode == 2, ended.stderr
        assert ended.stderr.startswith("error: ")
        assert cure in ended.stderr, ended.stderr
