"""One trial of a search: bit for bit what train.py trains, from wherever another worker was killed in it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import optuna
import pytest
import yaml
from hydra import compose, initialize_config_dir
from lightning import Callback

from lattice_ml.cli.config import CONF, Job, validate
from lattice_ml.ground.errors import UserError
from lattice_ml.report import write_index
from lattice_ml.search.outcome import Infeasible, Outcome
from lattice_ml.search.space import draw
from lattice_ml.workflows.phase_diagram import PhaseDiagram
from lattice_ml.workflows.phase_diagram.trial import labels_name

SEARCH = yaml.safe_load((CONF / "search" / "toy.yaml").read_text())
QUIET = ["callbacks.progress=null", "+trainer.enable_progress_bar=false", "logger=csv"]


class Watch(Callback):
    """Counts epochs, and raises something after one of them."""

    def __init__(self, after: int | None = None, raises: BaseException | None = None) -> None:
        self.epochs: list[int] = []
        self._after, self._raises = after, raises

    def on_train_epoch_end(self, trainer, pl_module) -> None:
        self.epochs.append(trainer.current_epoch)
        if self._raises is not None and trainer.current_epoch == self._after:
            raise self._raises


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("trials")


def drawn(seed: int) -> list[str]:
    """What a trial's line says but for its place."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
    return [*SEARCH["experiment"], *draw(SEARCH["space"], study.ask())]


def configured(
    place: Path, words: list[str], study: str = "s", trial: str | None = None, stores: Path | None = None
) -> Job:
    where = [f"paths.runs={place}/runs", f"paths.stores={stores or place / 'stores'}", f"name={study}"]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return validate(compose("train", [*words, *QUIET, *where, *([f"run.id={trial}"] if trial else [])]))


def attempt(job: Job, watch: Watch, limit: int | None = None) -> Outcome:
    return job.workflow.try_once(job.place, watch, limit)


def evaluation(folder: Path) -> dict[str, np.ndarray]:
    with np.load(folder / "evaluation.npz") as saved:
        return {name: saved[name] for name in saved.files}


def test_a_trial_is_what_train_py_trains_bit_for_bit(place: Path) -> None:
    words, watch = drawn(1), Watch()
    found = attempt(configured(place, words, trial="trial-0001"), watch)
    assert watch.epochs == [0, 1, 2, 3]
    configured(place, words, study="again").perform()
    mine, again = (evaluation(place / "runs" / name) for name in ("s/trial-0001", "again/001"))
    assert mine.keys() == again.keys()
    for name, values in mine.items():
        np.testing.assert_array_equal(values, again[name], err_msg=name)
    assert found.validation == np.median(again["validation"])
    assert found.test == np.median(again["score.mse"].mean(axis=0))
    assert found.scores["mse on 8x4"] == found.test
    assert not (place / "runs/s/trial-0001/report.html").exists()
    results = json.loads((place / "runs/s/trial-0001/results.json").read_text())
    assert results["trial"] == {"state": "complete"}
    assert results["metrics"]["parameters"]["value"] == found.parameters


def test_an_interrupted_trial_goes_on_and_a_finished_one_is_not_trained_again(place: Path) -> None:
    words = drawn(2)
    whole = attempt(configured(place, words, trial="trial-0002"), Watch())
    broken = configured(place, words, trial="trial-0003")
    with pytest.raises(ZeroDivisionError):
        attempt(broken, Watch(after=1, raises=ZeroDivisionError()))
    assert not (place / "runs/s/trial-0003/results.json").exists()
    on, once_more = Watch(), Watch()
    assert attempt(broken, on) == whole
    assert on.epochs == [1, 2, 3], "the epoch that was interrupted, and the rest"
    assert attempt(broken, once_more) == whole
    assert once_more.epochs == []


def test_a_pruned_trial_says_so_and_is_no_crash(place: Path) -> None:
    job = configured(place, drawn(4), trial="trial-0004")
    with pytest.raises(optuna.TrialPruned):
        attempt(job, Watch(after=1, raises=optuna.TrialPruned()))
    results = json.loads((place / "runs/s/trial-0004/results.json").read_text())
    assert results["trial"]["state"] == "pruned"
    index = write_index(place / "runs").read_text()
    assert "s/trial-0004" in index
    assert "killed, stopped" not in index.partition("s/trial-0004")[2].partition("</tr>")[0]


@pytest.mark.parametrize(
    ("words", "limit", "said"),
    [
        ([], 10, "at most 10 are allowed"),
        (["model.layers=[{pool:max},{pool:max},{pool:max},flatten,{linear:2}]"], None, "layer 3"),
        (["model.layers=[{conv:4,kernel:1}]"], 10, "ends with 8 × 4 sites"),
    ],
)
def test_a_net_that_cannot_be_is_refused_before_any_work(place: Path, words: list[str], limit, said: str) -> None:
    job = configured(place, [*drawn(1), *words], trial="trial-0005")
    with pytest.raises(Infeasible, match=said):
        attempt(job, Watch(), limit)
    assert not (place / "runs/s/trial-0005").exists()


def test_a_trial_trains_one_net_once(place: Path) -> None:
    with pytest.raises(UserError, match="models=null"):
        attempt(configured(place, ["experiment=flux_toy"], trial="trial-0006"), Watch())
    with pytest.raises(UserError, match="several"):
        attempt(configured(place, [*drawn(1), "data.sizes=[50,100]"], trial="trial-0006"), Watch())


def of_phases(place: Path, toy: Path, trial: str, *words: str, study: str = "phases") -> Job:
    """The toy run of all integration tests, as a trial."""
    same = ["experiment=aim_toy", "ensemble.name=toy", "survey.name=toy_survey", *words]
    return configured(place, same, study, trial, toy / "stores")


def labels_of(job: Job) -> str:
    assert isinstance(job.workflow, PhaseDiagram)
    return labels_name(job.workflow, job.workflow.ensemble.system)


def test_a_classifier_is_that_of_train_py_with_the_labels_of_the_study(place: Path, toy, toy_run: Path) -> None:
    job = of_phases(place, toy[0], "trial-0000")
    shared = place / "runs/phases/study" / labels_of(job)
    shared.parent.mkdir(parents=True)
    shutil.copyfile(toy_run / "labels.npz", shared)  # found by another trial
    found = attempt(job, Watch())
    assert (place / "runs/phases/trial-0000/labels.npz").read_bytes() == shared.read_bytes()
    assert (place / "runs/phases/trial-0000/metrics.csv").read_text() == (toy_run / "metrics.csv").read_text()
    metrics = json.loads((toy_run / "results.json").read_text())["metrics"]
    assert found.scores["validation_loss"] == metrics["validation_loss"]["value"]
    assert found.scores["test_accuracy"] == metrics["test_accuracy"]["value"]
    assert found.parameters == metrics["parameters"]["value"]
    assert found.validation < found.scores["validation_loss"], "the penalty on the weights is not part of it"
    with pytest.raises(Infeasible, match="at most 100 are"):
        attempt(of_phases(place, toy[0], "trial-0001"), Watch(), 100)
    with pytest.raises(Infeasible, match="multiples of 9"):
        attempt(of_phases(place, toy[0], "trial-0001", "ensemble.extents=[10,10]"), Watch())


@pytest.mark.slow
def test_the_first_trial_finds_the_labels_of_all(place: Path, toy, toy_run: Path) -> None:
    job = of_phases(place, toy[0], "trial-0000", "trainer.max_epochs=1", study="labels")
    attempt(job, Watch())
    shared = place / "runs/labels/study" / labels_of(job)
    with np.load(shared) as mine, np.load(toy_run / "labels.npz") as theirs:
        for name in theirs.files:
            np.testing.assert_array_equal(mine[name], theirs[name])


def test_labels_are_shared_by_all_that_they_depend_on(place: Path, toy) -> None:
    name = labels_of(of_phases(place, toy[0], "trial-0000"))
    assert labels_of(of_phases(place, toy[0], "trial-0007", "task.lr=0.5", "model.filters=2")) == name
    assert labels_of(of_phases(place, Path("/elsewhere"), "trial-0007")) == name
    assert labels_of(of_phases(place, toy[0], "trial-0000", "seed=1")) != name
    assert labels_of(of_phases(place, toy[0], "trial-0000", "phases.components=5")) != name
