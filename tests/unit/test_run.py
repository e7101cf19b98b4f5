"""The run folder: numbers, resuming, refusing, one process at a time, and results that appear only when complete."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from lattice_ml.ground.errors import UserError
from lattice_ml.runs.run import Place, open_run


def config(folder: Path, id: str = "auto", **changes: object) -> Place:
    record = {"name": "toy", "seed": 3, "run": {"id": id}, "paths": {"runs": str(folder)}, "task": {"lr": 0.1}}
    return Place(folder, "toy", id, 3, record | changes)


def opened(settings: Place, finish: bool = False) -> Path:
    with open_run(settings, steps=1) as run:
        if finish:
            run.finish()
        return run.folder


def test_an_unfinished_run_goes_on_and_a_finished_one_gets_a_successor(tmp_path: Path) -> None:
    first = opened(config(tmp_path))
    assert first == tmp_path / "toy" / "001"
    assert opened(config(tmp_path), finish=True) == first
    assert "toy" in (first / "report.html").read_text()
    assert opened(config(tmp_path)) == tmp_path / "toy" / "002"


def test_another_configuration_gets_another_folder(tmp_path: Path) -> None:
    assert opened(config(tmp_path)).name == "001"
    assert opened(config(tmp_path, task={"lr": 0.2})).name == "002"
    assert opened(config(tmp_path)).name == "001"


def test_a_run_that_is_going_on_is_left_alone(tmp_path: Path) -> None:
    """The same command a second time, while the first is at work, gets a folder of its own."""
    with open_run(config(tmp_path), steps=1) as first:
        code = f"""
from tests_config import config
from lattice_ml.runs.run import Place, open_run
with open_run(config({str(tmp_path)!r}), steps=1) as run:
    print(run.folder.name)
"""
        module = tmp_path / "tests_config.py"
        module.write_text(
            "from pathlib import Path\n"
            "from lattice_ml.runs.run import Place\n"
            "def config(folder):\n"
            "    return Place(Path(folder), 'toy', 'auto', 3, {'name': 'toy', 'seed': 3, 'run': {'id': 'auto'}, "
            "'paths': {'runs': folder}, 'task': {'lr': 0.1}})\n"
        )
        ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=True)
        assert first.folder.name == "001"
        assert ended.stdout.strip() == "002"


def test_a_given_id_is_kept_and_never_overwritten(tmp_path: Path) -> None:
    mine = config(tmp_path, id="mine")
    assert opened(mine) == tmp_path / "toy" / "mine"
    with pytest.raises(UserError, match="another configuration"):
        opened(config(tmp_path, id="mine", seed=4))
    with open_run(mine, steps=1) as run:
        with pytest.raises(UserError, match="another process is at work"):
            opened(mine)
        run.finish()
    with pytest.raises(UserError, match="is finished"):
        opened(mine)


def test_a_place_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"cannot be written .*paths.runs"):
        opened(config(tmp_path / "file"))


def test_results_hold_timings_versions_and_no_nan(tmp_path: Path) -> None:
    with open_run(config(tmp_path), steps=2) as run:
        with run.step("sample", "sampling"):
            pass
        run.results["metrics"] = {"test_accuracy": {"value": 0.5, "error": None}}
        assert not (run.folder / "results.json").exists()
        assert run.finish() == run.folder / "report.html"
    results = json.loads((run.folder / "results.json").read_text())
    assert set(results["timings"]) == {"sample", "total"}
    assert results["versions"]["torch"]
    assert results["seed"] == 3

    with open_run(config(tmp_path), steps=1) as broken:
        broken.results["metrics"] = {"loss": float("nan")}
        with pytest.raises(ValueError, match="not JSON compliant"):
            broken.finish()
        assert not list(broken.folder.glob("re*"))


def test_a_step_that_fails_takes_no_time_into_the_results(tmp_path: Path) -> None:
    with open_run(config(tmp_path), steps=1) as run:
        with pytest.raises(RuntimeError), run.step("sample", "sampling"):
            raise RuntimeError
        assert run.timings == {}


def test_a_kill_before_the_configuration_was_written_leaves_no_gap(tmp_path: Path) -> None:
    """The number is taken again, and what a kill left of a write is cleared away."""
    folder = tmp_path / "toy" / "001"
    folder.mkdir(parents=True)
    (folder / ".lock").touch()
    (folder / ".config.yaml.0123.partial").write_text("nam")
    assert opened(config(tmp_path)) == folder
    assert not list(folder.rglob("*.partial"))


def test_a_folder_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "toy" / "001"
    folder.mkdir(parents=True)
    (folder / "notes.txt").write_text("mine")
    assert opened(config(tmp_path)).name == "002"


def test_ckpt_path_last_is_what_is_done_anyway(tmp_path: Path) -> None:
    mine = {"id": "mine"}
    assert opened(config(tmp_path, **mine, ckpt_path=None)).name == "mine"
    assert opened(config(tmp_path, **mine, ckpt_path="last")).name == "mine"
    assert opened(config(tmp_path, **mine, ckpt_path=None)).name == "mine"
    with pytest.raises(UserError, match="another configuration"):
        opened(config(tmp_path, **mine, ckpt_path="other.ckpt"))
