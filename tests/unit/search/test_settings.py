"""What a user may set of a sweep: its ranges, what does not go together, and what is left out."""

from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from lattice_ml.cli.config import CONF
from lattice_ml.ground.errors import UserError
from lattice_ml.search.settings import Search, Sweep, place

SEARCH: dict[str, Any] = {"experiment": ["experiment=x"], "space": {"task.lr": {"float": [1e-3, 1e-2]}}, "n_trials": 3}
SWEEP: dict[str, Any] = {"study": "s", "n_trials": 3, "paths": {"runs": "runs", "stores": "stores"}}


def swept(search: dict[str, Any] | None = None, **changed: Any) -> Sweep:
    return Sweep.model_validate({**SWEEP, **changed, "search": {**SEARCH, **(search or {})}})


def test_what_is_left_out_is_what_the_file_has() -> None:
    file = yaml.safe_load((CONF / "sweep.yaml").read_text())
    sweep, search = swept().model_dump(), Search.model_validate(SEARCH).model_dump()
    assert search == {**SEARCH, **file.pop("search")}
    for name in ("defaults", "hydra", "trust", "study", "n_trials"):
        del file[name]
    assert {name: sweep[name] for name in file} == file


@pytest.mark.parametrize(
    "changed",
    [{"n_trials": 0}, {"study": "a/b"}, {"seed": -1}, {"seed": 1.5}, {"workers": "2"}, {"speed": 1}, {"grace": "long"}],
)
def test_a_value_out_of_its_range_is_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        swept(**changed)


@pytest.mark.parametrize(
    ("search", "changed", "said"),
    [
        ({}, {"grace": 20}, r"grace = 20 s is too short for a heartbeat every 15 s: give grace=<at least 30>"),
        ({"objectives": ["validation", "validation"]}, {}, "names one twice"),
        ({"objectives": ["validation", "parameters"], "pruner": "median"}, {}, r"give search\.pruner=none"),
        ({"pruner": "best"}, {}, "there is no pruner best"),
        ({"sampler": "best"}, {}, "there is no sampler best"),
        ({"space": {"a": {"float": [2, 1]}}}, {}, r"search\.space\.a"),
    ],
)
def test_what_does_not_go_together_is_one_sentence(search: dict[str, Any], changed: dict[str, Any], said: str) -> None:
    swept().check()
    with pytest.raises(UserError, match=said):
        swept(search, **changed).check()


def test_the_study_has_its_place() -> None:
    sweep = swept(overrides=["logger=csv"])
    assert sweep.base_words == ["experiment=x", "logger=csv"]
    assert str(sweep.folder / place(7)) == "runs/s/trial-0007"
    assert sweep.address == "runs/s/study/study.journal"
    assert swept(storage="sqlite:///x.db").address == "sqlite:///x.db"
