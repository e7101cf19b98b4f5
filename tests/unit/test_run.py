"""The run folder: numbers, resuming, refusing, and results that appear only when they are complete."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from omegaconf import DictConfig, OmegaConf

from lattice_ml.errors import UserError
from lattice_ml.run import open_run


def config(folder: Path, **changes: object) -> DictConfig:
    return OmegaConf.create(
        {"name": "toy", "seed": 3, "run": {"id": "auto"}, "paths": {"runs": str(folder)}, "task": {"lr": 0.1}} | changes
    )


def test_an_unfinished_run_goes_on_and_a_finished_one_gets_a_successor(tmp_path: Path) -> None:
    first = open_run(config(tmp_path), steps=1)
    assert first.folder == tmp_path / "toy" / "001"
    assert open_run(config(tmp_path), steps=1).folder == first.folder
    page = first.finish()
    assert page == first.folder / "report.html"
    assert "toy" in page.read_text()
    assert open_run(config(tmp_path), steps=1).folder == tmp_path / "toy" / "002"


def test_another_configuration_gets_another_folder(tmp_path: Path) -> None:
    open_run(config(tmp_path), steps=1)
    other = open_run(config(tmp_path, task={"lr": 0.2}), steps=1)
    assert other.folder == tmp_path / "toy" / "002"
    assert open_run(config(tmp_path), steps=1).folder == tmp_path / "toy" / "001"


def test_a_given_id_is_kept_and_never_overwritten(tmp_path: Path) -> None:
    mine = config(tmp_path, run={"id": "mine"})
    run = open_run(mine, steps=1)
    assert run.folder == tmp_path / "toy" / "mine"
    with pytest.raises(UserError, match="another configuration"):
        open_run(config(tmp_path, run={"id": "mine"}, seed=4), steps=1)
    run.finish()
    with pytest.raises(UserError, match="is finished"):
        open_run(mine, steps=1)


def test_results_hold_timings_versions_and_no_nan(tmp_path: Path) -> None:
    run = open_run(config(tmp_path), steps=2)
    with run.step("sample", "sampling"):
        pass
    run.results["metrics"] = {"test_accuracy": {"value": 0.5, "error": None}}
    assert not (run.folder / "results.json").exists()
    run.finish()
    results = json.loads((run.folder / "results.json").read_text())
    assert set(results["timings"]) == {"sample", "total"}
    assert results["versions"]["torch"]
    assert results["seed"] == 3

    broken = open_run(config(tmp_path), steps=1)
    broken.results["metrics"] = {"loss": float("nan")}
    with pytest.raises(ValueError, match="not JSON compliant"):
        broken.finish()
    assert not list(broken.folder.glob("re*"))


def test_a_step_that_fails_takes_no_time_into_the_results(tmp_path: Path) -> None:
    run = open_run(config(tmp_path), steps=1)
    with pytest.raises(RuntimeError), run.step("sample", "sampling"):
        raise RuntimeError
    assert run.timings == {}
