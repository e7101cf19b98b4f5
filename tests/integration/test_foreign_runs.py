"""Run folders that others sent run nothing when they are opened, to be explained or to be compared with.

A folder may say of itself that it is to be trusted: only what the user types counts. The mark is a file, written by the
import of a module as well as by a call of what it holds; ``test_the_trap_works`` shows that it does go off.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hydra import compose, initialize_config_dir

import lattice_ml
from lattice_ml.cli.config import CONF, open_run, plain_of, validate
from lattice_ml.cli.explain import explain
from lattice_ml.ground.errors import UserError

Plant = Callable[..., Path]
TRAPS: dict[str, dict[str, Any]] = {
    "task": {"task._target_": "trap_of_test.Trap"},
    "model": {"model._target_": "trap_of_test.Trap"},
    "workflow": {"workflow._target_": "trap_of_test.Trap"},
    "workflow, a function": {"workflow._target_": "trap_of_test.spring"},
    "callbacks": {"callbacks.best._target_": "trap_of_test.Trap"},
    "callbacks, one more": {"callbacks.x": {"_target_": "trap_of_test.spring", "_partial_": True}},
    "system": {"system._target_": "trap_of_test.Trap"},
    "system, a setting": {"system.eps": {"_target_": "trap_of_test.Trap"}},
    "sampler": {"sampler._target_": "functools.partial", "sampler._args_": ["trap_of_test.spring"]},
    "trainer": {"trainer.plugins": [1, [{"a": [{"_target_": "trap_of_test.Trap"}]}]]},
    "logger": {"logger.x": {"_target_": "trap_of_test.Trap"}},
    "data": {"data.augment": {"_target_": "trap_of_test.Trap"}},
    "ensemble": {"ensemble.protocol.start": {"_target_": "trap_of_test.Trap"}},
    "models": {"models": {"x": {"_target_": "trap_of_test.Trap"}}},
    "a section that nothing reads": {"film.x": {"_target_": "trap_of_test.Trap"}},
    "os.system": {"task": {"_target_": "os.system", "command": "touch $MARK"}},
    "an interpolation": {"task._target_": "${oc.env:EVIL}"},
    "an interpolated setting": {"system.eps": "${oc.create:{_target_: trap_of_test.Trap}}"},
    "a name of ours that is not": {"task._target_": "lattice_ml.runs.run.Path"},
}


def put(tree: Any, where: str, value: Any) -> None:
    *steps, last = where.split(".")
    for step in steps:
        tree = tree.setdefault(step, {})
    tree[last] = value


@pytest.fixture
def plant(tmp_path: Path) -> Plant:
    """Write the folder of a run that looks finished, says trust: true and has some settings replaced; its path."""

    def write(changes: dict[str, Any], experiment: str = "aim_toy") -> Path:
        with initialize_config_dir(str(CONF), version_base="1.3"):
            plain = plain_of(compose("train", [f"experiment={experiment}", "logger=csv", f"paths.stores={tmp_path}"]))
        plain["trust"] = True
        for where, value in changes.items():
            put(plain, where, value)
        run = tmp_path / "runs" / "foreign" / "001"
        run.mkdir(parents=True)
        (run / "config.yaml").write_text(yaml.safe_dump(plain, sort_keys=False))
        (run / "report.html").write_text("<html></html>")
        return run

    return write


def compare_with(run: Path, *words: str) -> None:
    """What train.py checks before any work, white boxes beside the net of this run."""
    settings = ["experiment=aim_white_boxes_toy", f"white_boxes.compare={run}", f"paths.stores={run.parents[2]}"]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("train", [*settings, *words])
    validate(config)


def explain_by_attribution(run: Path, *words: str) -> None:
    explain([str(run), "method=attribution", *words])


DOORS = {"explain": explain_by_attribution, "white_boxes.compare": compare_with}


@pytest.mark.parametrize("door", DOORS.values(), ids=DOORS)
@pytest.mark.parametrize("changes", TRAPS.values(), ids=TRAPS)
def test_a_foreign_run_runs_nothing(plant: Plant, mark: Path, changes: dict[str, Any], door: Callable) -> None:
    run = plant(changes)
    with pytest.raises(UserError, match=r"is not built|escaped interpolation") as caught:
        door(run)
    assert "\n" not in str(caught.value)
    assert not mark.exists(), "the trap went off"
    assert "trap_of_test" not in sys.modules
    assert not (run / "explain").exists()


@pytest.mark.parametrize("door", DOORS.values(), ids=DOORS)
def test_the_trap_works(plant: Plant, mark: Path, door: Callable) -> None:
    """Who types trust=true trusts the run as well, and its classes are imported."""
    run = plant({"task._target_": "trap_of_test.Trap"})
    with contextlib.suppress(UserError):  # there is no checkpoint to explain
        door(run, "trust=true")
    assert mark.exists()


def test_the_command_itself_refuses_a_run_that_trusts_itself(plant: Plant, mark: Path, tmp_path: Path) -> None:
    run = plant({"task._target_": "trap_of_test.Trap"})
    for words in ([], ["trust=false"]):
        ended = subprocess.run(
            [sys.executable, "-m", "lattice_ml.explain", str(run), "method=attribution", *words], cwd=tmp_path,
            text=True, capture_output=True, timeout=120, env=environment(mark),
        )  # fmt: skip
        assert ended.returncode == 2, ended.stderr
        assert ended.stderr.startswith("error: task._target_ = 'trap_of_test.Trap' is not built")
        assert len(ended.stderr.splitlines()) == 1
    assert not mark.exists()


def environment(mark: Path) -> dict[str, str]:
    """Of a process that finds this house and the trap."""
    house = Path(lattice_ml.__file__).resolve().parents[1]
    return {**os.environ, "PYTHONPATH": f"{house}:{os.environ['PYTHONPATH']}", "MARK": str(mark)}


@pytest.mark.parametrize("door", DOORS.values(), ids=DOORS)
@pytest.mark.parametrize(
    "text",
    ["name: !!python/object/apply:trap_of_test.spring []", "a: &a\n  b: *a", "[1, 2]", "name: [", "\x00"],
)
def test_what_is_no_configuration_is_one_sentence(plant: Plant, mark: Path, text: str, door: Callable) -> None:
    run = plant({})
    (run / "config.yaml").write_text(text)
    with pytest.raises(UserError) as caught:
        door(run)
    assert "\n" not in str(caught.value)
    assert not mark.exists()


@pytest.mark.parametrize("changes", [{"task.make": 1}, {"task.1": 1}, {"model.self": 1}, {"task.kind": 1}])
def test_an_odd_setting_is_one_sentence(plant: Plant, changes: dict[str, Any]) -> None:
    with pytest.raises(UserError, match="has no setting"):
        explain_by_attribution(plant(changes))


def test_runs_that_a_run_names_are_left_closed(plant: Plant, mark: Path, tmp_path: Path) -> None:
    """White boxes have no net to explain, whatever they were compared with: themselves, or what is gone since."""
    run = plant({"white_boxes.compare": str(tmp_path / "runs/foreign/001")}, "aim_white_boxes_toy")
    for _ in range(2):
        with pytest.raises(UserError, match="trained no net"):
            explain_by_attribution(run)
        put(plain := yaml.safe_load((run / "config.yaml").read_text()), "white_boxes.compare", "nowhere")
        (run / "config.yaml").write_text(yaml.safe_dump(plain))


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("trust=maybe", "trust = maybe will not do"),
        ("trust=", "trust =  will not do"),
        ("trust", "give one finished run"),
    ],
)
def test_trust_is_typed_in_full(plant: Plant, word: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        explain_by_attribution(plant({}), word)


@pytest.mark.parametrize("trusted", [False, True])
def test_a_run_says_what_the_user_typed_now(plant: Plant, trusted: bool) -> None:
    """What the folder said of itself is not carried on into what is written of it."""
    assert open_run(plant({}), trusted=trusted).record["trust"] is trusted


@pytest.mark.parametrize("given", ["5", "[a]", "{folder: x}"])
def test_what_is_no_run_to_compare_with_is_one_sentence(given: str) -> None:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("train", ["experiment=aim_white_boxes_toy", f"white_boxes.compare={given}"])
    with pytest.raises(UserError, match=r"white_boxes\.compare = .* will not do: give the folder of a finished run"):
        validate(config)
