"""One search under one name."""

import threading

import optuna
import pytest

from lattice_ml.ground.errors import UserError
from lattice_ml.search.address import open_storage
from lattice_ml.search.study import DEFINITION, define, open_study

BASE = {
    "name": "a", "paths": {"runs": "r"}, "logger": None, "seed": 0, "task": {"lr": 0.1},
    "ensemble": {"path": "p", "seed": 1}, "survey": None,
    "trainer": {"accelerator": "cpu", "devices": 1, "max_epochs": 3}, "callbacks": {"progress": {}, "best": {}},
    "workflow": {"_target_": "w"},
}  # fmt: skip
SEARCH = {"space": {"task.lr": {"float": [1, 2]}}, "n_trials": 3, "final": [], "experiment": [], "references": None}


def opened(tmp_path, definition, objectives=1):
    storage = open_storage(str(tmp_path / "study.journal"), "s")
    return open_study(storage, "s", definition, objectives, optuna.pruners.NopPruner(), tmp_path / "runs")


@pytest.mark.parametrize(
    "changed",
    [
        {"name": "b"},
        {"paths": {"runs": "elsewhere"}},
        {"logger": {"wandb": {}}},
        {"ensemble": {"path": "q", "seed": 1}},
        {"trainer": {"accelerator": "gpu", "devices": [2], "max_epochs": 3}},
        {"callbacks": {"progress": None, "best": {}}},
        {"callbacks": {"progress": {}, "lines": {}, "best": {}}},
    ],
)
def test_workers_may_differ_in_what_changes_nothing(changed, tmp_path):
    opened(tmp_path, define(SEARCH, BASE, 0))
    opened(tmp_path, define({**SEARCH, "n_trials": 9, "final": ["a=1"]}, {**BASE, **changed}, 0))


@pytest.mark.parametrize(
    ("search", "base", "seed", "said"),
    [
        ({}, {}, 1, "another seed"),
        ({}, {"seed": 1}, 0, "another seed"),
        ({}, {"task": {"lr": 0.2}}, 0, "another task.lr"),
        ({}, {"ensemble": {"path": "p", "seed": 2}}, 0, "another ensemble.seed"),
        ({}, {"extrapolation": {"seed": 2}}, 0, "another extrapolation"),
        ({"space": {"task.lr": {"float": [1, 3]}}}, {}, 0, "another search.space.task.lr.float"),
        ({"pruner": "median"}, {}, 0, "another search.pruner"),
    ],
)
def test_another_search_needs_another_name(search, base, seed, said, tmp_path):
    opened(tmp_path, define(SEARCH, BASE, 0))
    with pytest.raises(UserError, match=f"was begun with {said}: say study=<another name>"):
        opened(tmp_path, define({**SEARCH, **search}, {**BASE, **base}, seed))


def test_two_that_begin_at_once_begin_one_study(tmp_path):
    studies, errors = [], []

    def begin():
        try:
            studies.append(opened(tmp_path, {"a": 1}))
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=begin) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert len(optuna.get_all_study_names(open_storage(str(tmp_path / "study.journal"), "s").backend)) == 1
    assert [study.user_attrs[DEFINITION] for study in studies] == [{"a": 1}] * 6


def test_a_study_whose_beginner_was_killed_is_begun_by_the_next(tmp_path):
    storage = open_storage(str(tmp_path / "study.journal"), "s")
    optuna.create_study(storage=storage.backend, study_name="s")
    assert opened(tmp_path, {"a": 1}).user_attrs[DEFINITION] == {"a": 1}


def test_somebody_elses_study_is_left_alone(tmp_path):
    storage = open_storage(str(tmp_path / "study.journal"), "s")
    optuna.create_study(storage=storage.backend, study_name="s").ask()
    with pytest.raises(UserError, match=r"is not one of sweep\.py: say study="):
        opened(tmp_path, {"a": 1})


def test_a_new_study_does_not_take_over_the_folders_of_an_old_one(tmp_path):
    (tmp_path / "runs" / "trial-0003").mkdir(parents=True)
    with pytest.raises(UserError, match=r"e\.g\. trial-0003, of a study that .* does not know"):
        opened(tmp_path, {"a": 1})


def test_the_objectives_are_minimised(tmp_path):
    assert [direction.name for direction in opened(tmp_path, {"a": 1}, 2).directions] == ["MINIMIZE", "MINIMIZE"]
