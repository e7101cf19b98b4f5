"""Which nets are trained again, who trains them, and what is read from their runs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import optuna
import pytest
import torch
from hydra import compose, initialize_config_dir

from lattice_ml.cli.config import CONF, plain_of
from lattice_ml.cli.sweep import Composer, settings_of
from lattice_ml.ground.errors import UserError
from lattice_ml.ground.files import Taken
from lattice_ml.report.folder import published
from lattice_ml.runs.run import Place
from lattice_ml.search import finalists as room
from lattice_ml.search.finalist_scores import BEYOND, TEST, VALIDATION, count_parameters, read_scores
from lattice_ml.search.finalists import finalists, ranked, retrain, runs_of
from lattice_ml.search.outcome import OUTCOME, OVERRIDES, Outcome
from lattice_ml.search.settings import Sweep


@pytest.fixture
def settings(tmp_path: Path) -> Any:
    """A sweep's settings, while Hydra runs."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        words = ["search=toy", "study=s", f"paths.runs={tmp_path}", "finalists=2", "retrain=3"]
        yield settings_of(plain_of(compose("sweep", words)))


@pytest.fixture
def composer(settings: Sweep) -> Composer:
    """Makes real jobs of words."""
    return Composer(settings.paths, trusted=False)


def performing(composer: Composer, act: Callable[[Place], Any]) -> Any:
    """Makes jobs that do something else than to train."""

    def compose_job(words: list[str], name: str, id: str = "auto") -> Any:
        job = composer(words, name, id)
        return SimpleNamespace(workflow=job.workflow, place=job.place, perform=lambda: act(job.place))

    return compose_job


def a_study(*values: tuple[float, ...]) -> optuna.Study:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(directions=["minimize"] * len(values[0]))
    for number, own in enumerate(values):
        trial = study.ask()
        trial.set_user_attr(OVERRIDES, ["experiment=flux_toy", "models=null", f"task.lr={number + 1}e-3"])
        trial.set_user_attr(OUTCOME, Outcome(own[0], 10).record())
        study.tell(trial, list(own))
    pruned = study.ask()
    study.tell(pruned, state=optuna.trial.TrialState.PRUNED)
    return study


def test_the_best_trials_are_retrained_and_the_references_beside_them(
    settings: Sweep, composer: Composer, tmp_path: Path
) -> None:
    found = finalists(settings, a_study((3.0,), (1.0,), (2.0,)))
    assert [finalist.name for finalist in found] == ["trial-0001", "trial-0002", "reference-paper"]
    assert found[0].words[-2:] == ["task.lr=2e-3", "survey.extents=[[6,2],[8,4],[9,5]]"]
    assert found[2].words[: len(settings.search.experiment)] == settings.search.experiment
    (run,) = runs_of(settings, composer, found[0])
    assert run.place.folder == tmp_path / "s-finalists" / "trial-0001-x3"
    workflow: Any = run.workflow
    assert (workflow.data.members, workflow.task.settings["lr"], workflow.survey.tori[0]) == (3, 0.002, (6, 2))
    assert workflow.seed == 1, "other instances than the trial's, which was chosen for how they did"
    assert finalists(settings.model_copy(update={"finalists": 0}), a_study((3.0,))) == []


def test_a_net_that_trains_alone_has_a_run_for_each_seed(settings: Sweep, composer: Composer) -> None:
    runs = runs_of(settings, composer, room.Finalist("trial-0000", ["experiment=aim_toy", "seed=5"], 0))
    assert [(run.place.id, run.workflow.seed) for run in runs] == [
        (f"trial-0000-seed{seed}", seed) for seed in (6, 7, 8)
    ]


def test_of_two_objectives_the_front_counts() -> None:
    front = ranked(a_study((3.0, 10), (1.0, 30), (2.0, 40), (2.0, 20)))
    assert [trial.number for trial in front] == [1, 3, 0]


def test_each_run_is_trained_by_one_process_and_waited_for_by_the_others(
    settings: Sweep, composer: Composer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first is another process's until it is asked for again; the second fails; the third is there already."""
    asked: list[str] = []

    def act(place: Place) -> None:
        asked.append(place.id)
        if place.id.startswith("trial-0001") and len(asked) < 3:
            raise Taken("another process is at work")
        if place.id.startswith("trial-0002"):
            raise UserError("training diverged")
        place.folder.mkdir(parents=True)
        (place.folder / "report.html").touch()

    monkeypatch.setattr(room, "LOOK", 0.0)
    there = tmp_path / "s-finalists" / "reference-paper-x3"
    there.mkdir(parents=True)
    (there / "report.html").touch()
    study = a_study((3.0,), (1.0,), (2.0,))
    retrain(settings, performing(composer, act), study)
    assert asked == ["trial-0001-x3", "trial-0002-x3", "trial-0001-x3"]
    retrain(settings, performing(composer, act), study)
    assert asked[3:] == ["trial-0002-x3"], "what failed is tried again, what is finished is not"


@pytest.mark.parametrize(("word", "said"), [("task.lr=fast", r"task\.lr"), ("task.speed=1", "no setting 'task.speed'")])
def test_words_that_do_not_compose_are_told_before_any_training(
    settings: Sweep, composer: Composer, word: str, said: str
) -> None:
    search = settings.search.model_copy(update={"final": [word]})
    untouched = performing(composer, lambda place: pytest.fail("something was trained"))
    with pytest.raises(UserError, match=said):
        retrain(settings.model_copy(update={"search": search}), untouched, a_study((1.0,)))


SYSTEM = {"name": "complex_scalar", "extents": [8, 8], "lam": 1.0}


def finished_run(folder: Path, results: dict[str, Any], weights: dict[str, Any]) -> Path:
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "results.json").write_text(json.dumps(results))
    (folder / "report.html").touch()
    torch.save(weights, folder / "checkpoints" / "last.ckpt")
    return folder


def test_the_columns_are_those_of_the_papers_table(tmp_path: Path) -> None:
    def test(part: str, lattice: str, *losses: float) -> dict[str, Any]:
        return {"part": part, "lattice": lattice, "mse": {"members": losses}}

    tests = [test("survey", "8x8", 3, 4), test("survey", "64x64", 5, 6), test("survey", "all", 7, 8)]
    tests += [test("extrapolation", "8x8", 0, 0), test("extrapolation", "all", 0, 0)]
    results = {"system": SYSTEM, "nets": [{"validation": {"members": [1, 2]}, "tests": tests}]}
    net = {"net.a": torch.zeros(2, 3, 5), "net.b": torch.zeros(2, 3), "best.a": torch.zeros(2, 3, 5)}
    folder = finished_run(tmp_path / "x", results, {"state_dict": net, "hyper_parameters": {"members": 2}})
    scores = read_scores("EQ_2", [folder])
    assert scores is not None
    assert scores.parameters == 18
    assert {name: losses.tolist() for name, losses in scores.losses.items()} == {
        VALIDATION: [1, 2], TEST: [3, 4], BEYOND: [7, 8],
    }  # fmt: skip
    said = published({"system": SYSTEM})["metrics"]
    assert scores.published[BEYOND]["median"] == said["EQ_2 mse up to 64x64 (median)"]["value"]
    assert scores.published[TEST]["mean"] == said["EQ_2 mse on 8x8 (mean)"]["value"]
    assert set(scores.published) == {VALIDATION, TEST, BEYOND}
    unnamed = read_scores("trial-0003", [folder])
    assert unnamed is not None
    assert unnamed.published == {}


def test_of_classifiers_every_finished_run_is_an_instance(tmp_path: Path) -> None:
    system = {"name": "active_ising", "extents": [81, 27]}
    folders = []
    for number in range(3):
        metrics = {"validation_loss": {"value": number}, "test_accuracy": {"value": 1 - number / 10}}
        weights = {"state_dict": {"net.w": torch.zeros(7), "scale": torch.zeros(2)}, "hyper_parameters": {}}
        folders.append(finished_run(tmp_path / str(number), {"system": system, "metrics": metrics}, weights))
    (folders[1] / "report.html").unlink()
    scores = read_scores("trial-0001", folders)
    assert scores is not None
    assert scores.parameters == 7
    np.testing.assert_allclose(scores.losses[VALIDATION], [0, 2])
    np.testing.assert_allclose(scores.losses[TEST], [0, 0.2])
    assert read_scores("none", [tmp_path / "nowhere"]) is None
    assert count_parameters(tmp_path / "nowhere") is None
