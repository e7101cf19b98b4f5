"""The end of a search on toy lattices: finalists trained again, the report of the study, and its run in W&B."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from hydra import compose, initialize_config_dir

from lattice_ml.cli.config import CONF, plain_of
from lattice_ml.cli.sweep import Composer, settings_of
from lattice_ml.report import write_index
from lattice_ml.search.finalists import retrain
from lattice_ml.search.outcome import OUTCOME, OVERRIDES, SECONDS, Outcome
from lattice_ml.search.settings import Search, Sweep
from lattice_ml.search.space import draw
from lattice_ml.search.study_report import write_report


def composed(*words: str) -> tuple[Sweep, Composer]:
    """A sweep's settings, and what makes its jobs while Hydra runs."""
    settings = settings_of(plain_of(compose("sweep", ["search=toy", *words])))
    return settings, Composer(settings.paths, trusted=False)


def a_study(search: Search, trials: int) -> optuna.Study:
    """Trials whose outcome is made up; what they drew is what finalists train."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for number in range(trials):
        trial = study.ask()
        trial.set_user_attr(OVERRIDES, [*search.experiment, *draw(search.space, trial)])
        trial.set_user_attr(OUTCOME, Outcome(1 / (1 + number), 100 - number, 0.5).record())
        trial.set_user_attr(SECONDS, 1.5)
        study.tell(trial, 1 / (1 + number))
    return study


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The settings, the study and the folder of a search with one finalist and one reference."""
    place = tmp_path_factory.mktemp("study")
    where = [f"paths.runs={place}/runs", f"paths.stores={place}/stores", "study=s"]
    words = ["finalists=1", "retrain=2", "overrides=['logger=wandb','callbacks.progress=null']"]
    with pytest.MonkeyPatch.context() as patch, initialize_config_dir(str(CONF), version_base="1.3"):
        patch.setenv("WANDB_MODE", "offline")
        settings, composer = composed(*words, *where)
        study = a_study(settings.search, 5)
        retrain(settings, composer, study)
        write_report(settings, composer, study)
    return settings, study, place / "runs"


def test_the_finalists_are_ordinary_runs_on_the_whole_test_grid(ended: Any) -> None:
    runs = ended[2]
    names = {path.name for path in (runs / "s-finalists").iterdir() if path.is_dir()}
    assert names == {"trial-0004-x2", "reference-paper-x2"}
    results = json.loads((runs / "s-finalists/trial-0004-x2/results.json").read_text())
    assert [test["lattice"] for test in results["nets"][0]["tests"]] == ["6x2", "8x4", "9x5", "all"]
    assert (runs / "s-finalists/trial-0004-x2/report.html").exists()


def test_the_table_is_what_the_finalists_runs_say(ended: Any) -> None:
    runs = ended[2]
    results = json.loads((runs / "s/study/results.json").read_text())
    assert results["trials"] == {"complete": 5, "pruned": 0, "failed": 0, "infeasible draws": 0}
    assert list(results["finalists"]) == ["trial-0004", "paper"]
    assert results["finalists"]["paper"]["parameters"] == 33202
    table = next(table for table in results["tables"] if "trained again" in table["title"])
    own = json.loads((runs / "s-finalists/reference-paper-x2/results.json").read_text())
    (row,) = (row for row in table["rows"] if row[0] == "paper")
    validation = own["nets"][0]["validation"]["members"]
    beyond = own["nets"][0]["tests"][-1]["mse"]["members"]
    assert row[1:4] == ["33,202", "2", f"{np.mean(validation):.3e} / {np.median(validation):.3e}"]
    assert row[-1] == f"{np.mean(beyond):.3e} / {np.median(beyond):.3e}"
    assert results["best"]["trial"] == 4
    assert results["best"]["command"].startswith("python train.py experiment=flux_toy models=null")


def test_the_page_shows_tables_and_figures_and_the_index_lists_the_study(ended: Any) -> None:
    runs = ended[2]
    page = (runs / "s/study/report.html").read_text()
    assert page.count("<figure") == 6
    assert "The best, trained again from scratch" in page
    assert "task.lr=" in page
    assert "s/study" in write_index(runs).read_text()


def test_the_pictures_go_to_a_run_of_the_studys_group(ended: Any) -> None:
    (folder,) = (ended[2] / "s/study/wandb").glob("offline-run-*")
    pictures = {path.stem.partition("_0")[0] for path in (folder / "files/media/images/figures").glob("*.png")}
    assert len(pictures) == 6
    (file,) = folder.glob("*.wandb")
    content = file.read_bytes()
    assert b"s/study" in content
    assert b"s-finalists" not in content


def test_nothing_is_done_again_unless_something_is_new(ended: Any) -> None:
    settings, study, runs = ended
    composer = Composer(settings.paths, trusted=False)
    page = runs / "s/study/report.html"
    before = page.stat().st_mtime_ns
    with initialize_config_dir(str(CONF), version_base="1.3"):
        retrain(settings, composer, study)
        assert write_report(settings, composer, study) == page
        assert page.stat().st_mtime_ns == before
        settings = settings.model_copy(update={"overrides": ["logger=csv"]})
        study.tell(study.ask(), state=optuna.trial.TrialState.FAIL)
        write_report(settings, composer, study)
    assert page.stat().st_mtime_ns > before
    assert json.loads((runs / "s/study/results.json").read_text())["trials"]["failed"] == 1


def test_a_study_without_a_complete_trial_has_a_page(tmp_path: Path) -> None:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        settings, composer = composed("study=empty", f"paths.runs={tmp_path}", "finalists=2")
        study = optuna.create_study()
        study.tell(study.ask(), state=optuna.trial.TrialState.FAIL)
        retrain(settings, composer, study)
        page = write_report(settings, composer, study)
    assert "trials failed" in page.read_text()
    assert not list((tmp_path / "empty/study/figures").glob("*.png"))
