"""The figures of a search, drawn from what their .npz holds, and the arrays that go into them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import optuna
import pytest
from matplotlib.image import imread

from lattice_ml import figures
from lattice_ml.figures.search import finalists as search_finalists
from lattice_ml.figures.search import history as search_history
from lattice_ml.figures.search import importances as search_importances
from lattice_ml.figures.search import parallel as search_parallel
from lattice_ml.figures.search import pareto as search_pareto
from lattice_ml.search.finalist_scores import COLUMNS, Scores
from lattice_ml.search.outcome import INFEASIBLE, OUTCOME, Outcome
from lattice_ml.search.pictures import STORY, draw_study, on_front

RNG = np.random.default_rng(3)


def a_study(trials: int) -> optuna.Study:
    """A search in which the learning rate decides and the second layer, which not every net has, does not."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for number in range(trials):
        trial = study.ask()
        lr = trial.suggest_float("task.lr", 1e-4, 1e-1, log=True)
        if trial.suggest_categorical("layers.second", [False, True]):
            trial.suggest_int("layers.second.conv", 1, 9)
        if number % 6 == 5:
            if number % 4 == 3:
                trial.set_user_attr(INFEASIBLE, "too large")
            study.tell(trial, state=optuna.trial.TrialState.PRUNED)
            continue
        loss = 10 ** (-6 + (np.log10(lr) + 2) ** 2)
        trial.set_user_attr(OUTCOME, Outcome(loss, 100 + number, 2 * loss).record())
        study.tell(trial, loss)
    return study


def some_scores() -> list[Scores]:
    losses = {column: 10 ** RNG.uniform(-8, -6, 5) for column in COLUMNS}
    only = {COLUMNS[0]: losses[COLUMNS[0]][:3]}
    return [Scores("trial-0003", 500, losses), Scores("EQ_1", 1800, only, {COLUMNS[0]: {"mean": 1e-7, "median": 1e-7}})]


def test_every_figure_of_a_study_is_drawn_from_its_saved_arrays(tmp_path: Path) -> None:
    draw_study(tmp_path, a_study(24), some_scores(), {"EQ_1"})
    assert {path.stem for path in tmp_path.glob("*.png")} == set(STORY)
    assert list(json.loads((tmp_path / "captions.json").read_text())) == list(STORY)
    for picture in tmp_path.glob("*.png"):
        pixels = imread(picture)[..., :3]
        assert min(pixels.shape[:2]) > 300
        assert 0.005 < (pixels < 0.98).any(axis=-1).mean() < 0.95


def test_arrays_are_those_of_the_trials(tmp_path: Path) -> None:
    study = a_study(24)
    draw_study(tmp_path, study, some_scores(), {"EQ_1"})
    history = figures.load(tmp_path / "search_history.npz")
    assert list(history["state"]).count("pruned") == 2, "two of the four were no nets"
    trials = [study.trials[number] for number in history["number"]]
    np.testing.assert_array_equal(
        history["validation"], [t.value if t.state.name == "COMPLETE" else np.nan for t in trials]
    )
    importance = figures.load(tmp_path / "search_importances.npz")
    assert importance["names"][0] == "task.lr"
    assert importance["importance"][0] > 0.5
    parallel = figures.load(tmp_path / "search_parallel.npz")
    rates = np.array([t.params["task.lr"] for t in trials if t.state.name == "COMPLETE"])
    place = parallel["place"][:, list(parallel["names"]).index("task.lr")]
    np.testing.assert_allclose(place, np.log(rates / rates.min()) / np.log(rates.max() / rates.min()), atol=1e-12)
    assert parallel["rank"][np.argmin(figures.load(tmp_path / "search_pareto.npz")["validation"])] == 0
    finalists = figures.load(tmp_path / "search_finalists.npz")
    assert np.isfinite(finalists["losses"]).sum() == 15 + 3
    assert np.isfinite(finalists["published"]).sum() == 1


@pytest.mark.parametrize("trials", [0, 1])
def test_a_study_of_no_or_one_trial_is_drawn_as_far_as_it_goes(tmp_path: Path, trials: int) -> None:
    draw_study(tmp_path, a_study(trials), [], set())
    drawn = {path.stem for path in tmp_path.glob("*.png")}
    assert drawn == ({"search_history", "search_pareto", "generalisation"} if trials else set())


def test_the_front_is_what_no_other_point_beats() -> None:
    first, second = np.array([1.0, 2, 3, 2, 1, 4]), np.array([5.0, 3, 3, 4, 5, 1])
    assert on_front(first, second).tolist() == [True, True, False, False, True, True]


def arrays(**values: object) -> dict[str, np.ndarray]:
    return {name: np.asarray(value) for name, value in values.items()}


def test_the_step_line_is_the_least_loss_so_far() -> None:
    given = arrays(
        number=[0, 1, 2, 3], validation=[3.0, np.nan, 1.0, 2.0], state=["complete", "fail", *["complete"] * 2]
    )
    lines = {line.get_label(): line for line in search_history.draw(given).axes[0].get_lines()}
    assert list(lines["least so far"].get_ydata()) == [3, 1, 1]
    assert list(lines["failed: 1"].get_xdata()) == [1]


def test_a_gap_stands_where_a_trial_lacks_a_parameter() -> None:
    given = arrays(
        names=["a", "b", "loss"], place=[[0, np.nan, 1], [1, 0.5, 0]], rank=[1, 0], tick_axis=[0], tick_place=[0.0],
        tick_text=["x"],
    )  # fmt: skip
    worse, best = search_parallel.draw(given).axes[0].get_lines()[:2]
    assert best.get_linewidth() > worse.get_linewidth(), "the best is drawn last"
    np.testing.assert_array_equal(best.get_ydata(), [1, 0.5, 0])
    np.testing.assert_array_equal(worse.get_ydata(), [0, np.nan, 1])


def test_marks_bars_and_medians_stand_where_they_should() -> None:
    pareto = search_pareto.draw(
        arrays(parameters=[10, 20], validation=[2.0, 1.0], front=[True, True], marks=[15], names=["paper"])
    )
    assert pareto.axes[0].texts[0].get_text().strip() == "paper"
    bars = search_importances.draw(arrays(names=["b", "a"], importance=[0.7, 0.3])).axes[0].patches
    assert [bar.get_width() for bar in bars] == [0.7, 0.3]
    losses = np.array([[[1.0, 2.0, 9.0]], [[4.0, np.nan, np.nan]]])
    drawn = search_finalists.draw(
        arrays(names=["x", "y"], columns=["validation"], losses=losses, published=[[np.nan], [3.0]])
    )
    medians = [line for line in drawn.axes[0].get_lines() if line.get_linestyle() == "-"]
    assert [line.get_xdata()[0] for line in medians] == [2.0, 4.0]
