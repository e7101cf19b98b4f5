"""What a study looks like: arrays computed with Optuna, saved, and drawn by ``figures/search/``."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lattice_ml.figures import save
from lattice_ml.figures.captions import caption, tell
from lattice_ml.search.finalist_scores import COLUMNS, Scores
from lattice_ml.search.outcome import INFEASIBLE, outcome_of

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial

STORY = (
    *("search_finalists", "search_history", "search_pareto", "generalisation", "search_importances"),
    "search_parallel",
)
"""The order in which the report shows them."""
AXES = 7
"""Parameters in the parallel coordinates, the most important of those that most trials have: more are a tangle."""
BARS = 12
"""Parameters in the picture of importances."""


def draw_study(folder: Path, study: optuna.Study, finalists: Sequence[Scores], references: set[str]) -> None:
    """Every picture that the study holds something for; ``references``: which of the finalists are no trials."""
    complete = [trial for trial in counted(study) if outcome_of(trial) is not None]
    if not complete:
        return
    draw_history(folder, counted(study))
    draw_pareto(folder, complete, [score for score in finalists if score.label in references])
    draw_generalisation(folder, complete)
    importances = rank_parameters(study) if len(complete) > 1 else {}
    if importances:
        draw_importances(folder, importances)
        common = [name for name in importances if sum(name in trial.params for trial in complete) >= len(complete) / 2]
        draw_parallel(folder, complete, common[:AXES])
    if finalists:
        draw_finalists(folder, finalists)
    tell(folder, STORY)


def counted(study: optuna.Study) -> list[FrozenTrial]:
    """The finished trials of a study in the order of their numbers, without draws that were no net."""
    return [
        trial
        for trial in study.get_trials(deepcopy=False)
        if trial.state.is_finished() and INFEASIBLE not in trial.user_attrs
    ]


def draw_history(folder: Path, trials: list[FrozenTrial]) -> None:
    """Validation loss by trial; what was pruned or failed has none."""
    from lattice_ml.figures.search import history as search_history

    arrays = {
        "number": [trial.number for trial in trials],
        "validation": [_found(trial, "validation") for trial in trials],
        "state": [trial.state.name.lower() for trial in trials],
    }
    save(folder, "search_history", arrays, search_history.draw)
    caption(
        folder,
        "search_history",
        "History of the search",
        "Validation loss of every trial in the order in which they were drawn, and the least so far. Marks at the "
        "lower edge: trials that were pruned, and trials that failed.",
        "Validation loss against the number of the trial.",
    )


def draw_pareto(folder: Path, complete: list[FrozenTrial], references: Sequence[Scores]) -> None:
    """Validation loss against the number of parameters; of the references, which are trained longer, the size alone."""
    from lattice_ml.figures.search import pareto as search_pareto

    parameters, validation = _pairs(complete, "parameters", "validation")
    arrays = {"parameters": parameters, "validation": validation, "front": on_front(parameters, validation)}
    known = [score for score in references if score.parameters is not None]
    marks = {"marks": [score.parameters for score in known], "names": [score.label for score in known]}
    save(folder, "search_pareto", {**arrays, **(marks if known else {})}, search_pareto.draw)
    caption(
        folder,
        "search_pareto",
        "Small nets and good ones",
        "Validation loss against the number of trainable parameters, one point for each complete trial. The line joins "
        "those that no other trial beats in both (the Pareto front). Dotted: the size of the references.",
        "Scatter of validation loss against number of parameters with the Pareto front.",
    )


def on_front(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Which points ``[point]`` no other point beats in one coordinate without being beaten in the other."""
    better = (first[None] <= first[:, None]) & (second[None] <= second[:, None])
    strictly = (first[None] < first[:, None]) | (second[None] < second[:, None])
    return np.logical_not((better & strictly).any(axis=1))


def draw_generalisation(folder: Path, complete: list[FrozenTrial]) -> None:
    """Does the validation loss, by which the search chooses, tell which net generalises?"""
    from lattice_ml.figures.nets import generalisation

    tested = [trial for trial in complete if np.isfinite(_found(trial, "test"))]
    if not tested:
        return
    validation, test = _pairs(tested, "validation", "test")
    arrays = {"architectures": ["trials"], "validation": validation[None], "test": test[None]}
    save(folder, "generalisation", {**arrays, "where": "all complete trials"}, generalisation.draw)
    caption(
        folder,
        "generalisation",
        "Test against validation loss",
        "One marker for each complete trial: medians over its instances, test on the lattice of the training. The "
        "search sees the validation loss alone. On the line they are equal.",
        "Scatter of test loss against validation loss.",
    )


def rank_parameters(study: optuna.Study) -> dict[str, float]:
    """Optuna's importances of the parameters for the first objective, the largest first; empty where it has none."""
    import optuna

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that few trials say little; so does the caption
        try:
            return optuna.importance.get_param_importances(study, target=lambda trial: trial.values[0])
        except (ValueError, RuntimeError):  # as where no parameter takes two values
            return {}


def draw_importances(folder: Path, importances: dict[str, float]) -> None:
    from lattice_ml.figures.search import importances as search_importances

    shown = list(importances.items())[:BARS]
    arrays = {"names": [name for name, _ in shown], "importance": [value for _, value in shown]}
    save(folder, "search_importances", arrays, search_importances.draw)
    caption(
        folder,
        "search_importances",
        "What matters",
        "Share of each parameter in telling the better trials from the others (Optuna's PED-ANOVA; all parameters "
        f"together are 1). Shown: {len(shown)} of {len(importances)}. With few trials these are rough.",
        "Bar chart of the importance of the searched parameters.",
    )


def draw_parallel(folder: Path, complete: list[FrozenTrial], names: list[str]) -> None:
    """Parallel coordinates of the complete trials along the most important parameters and the validation loss."""
    from lattice_ml.figures.search import parallel as search_parallel

    axes = [_axis([trial.params.get(name) for trial in complete], _is_log(complete, name)) for name in names]
    axes.append(_axis([_found(trial, "validation") for trial in complete], log=True))
    ticks = [text for _, own in axes for _, text in own]
    arrays = {
        "names": [*names, "validation"],
        "place": np.stack([place for place, _ in axes], axis=1),
        "tick_axis": np.repeat(np.arange(len(axes)), [len(own) for _, own in axes]),
        "tick_place": [place for _, own in axes for place, _ in own],
        "tick_text": ticks,
        "rank": np.argsort(np.argsort([_found(trial, "validation") for trial in complete])),
    }
    save(folder, "search_parallel", arrays, search_parallel.draw)
    caption(
        folder,
        "search_parallel",
        "Trials side by side",
        f"Each line is a complete trial, dark for a low validation loss. Shown: the {len(names)} most important "
        "of the parameters that at least half of them have; a gap stands where a net lacks the layer.",
        "Parallel coordinates of the trials.",
    )


def _axis(values: list[Any], log: bool) -> tuple[np.ndarray, list[tuple[float, str]]]:
    """Places 0 … 1 of values along an axis, nan where there is none, and its ticks (place, text)."""
    there = [value for value in values if value is not None]
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in there):
        numbers = np.array([np.nan if value is None else value for value in values], dtype=np.float64)
        scaled = np.log10(numbers) if log and np.nanmin(numbers) > 0 else numbers
        low, high = np.nanmin(scaled), np.nanmax(scaled)
        place = (scaled - low) / (high - low) if high > low else np.where(np.isnan(scaled), np.nan, 0.5)
        ends = {float(np.nanmin(numbers)): float(np.nanmin(place)), float(np.nanmax(numbers)): float(np.nanmax(place))}
        return place, [(at, f"{value:.3g}") for value, at in ends.items()]
    names = sorted({str(value) for value in there})
    rung = {name: number / max(1, len(names) - 1) if len(names) > 1 else 0.5 for number, name in enumerate(names)}
    return np.array([np.nan if value is None else rung[str(value)] for value in values]), [
        (at, name) for name, at in rung.items()
    ]


def _is_log(trials: list[FrozenTrial], name: str) -> bool:
    distributions = (trial.distributions.get(name) for trial in trials)
    return any(getattr(distribution, "log", False) for distribution in distributions)


def draw_finalists(folder: Path, finalists: Sequence[Scores]) -> None:
    """Every instance of the nets that were trained again, and the literature's medians."""
    from lattice_ml.figures.search import finalists as search_finalists

    columns = [column for column in COLUMNS if any(column in score.losses for score in finalists)]
    most = max(len(losses) for score in finalists for losses in score.losses.values())
    losses = np.full((len(finalists), len(columns), most), np.nan)
    said = np.full((len(finalists), len(columns)), np.nan)
    for row, score in enumerate(finalists):
        for number, column in enumerate(columns):
            own = score.losses.get(column, np.empty(0))
            losses[row, number, : len(own)] = own
            said[row, number] = score.published.get(column, {}).get("median", np.nan)
    arrays = {"names": [score.label for score in finalists], "columns": columns, "losses": losses, "published": said}
    save(folder, "search_finalists", arrays, search_finalists.draw)
    caption(
        folder,
        "search_finalists",
        "The best, trained again",
        "Losses of new instances of the best nets, trained from scratch, and of the references trained in the same "
        "way: one marker for each instance, a bar at the median. Crosses: medians of the literature, if it has them.",
        "Losses of all instances of the finalists.",
    )


def _found(trial: FrozenTrial, name: str) -> float:
    outcome = outcome_of(trial)
    value = None if outcome is None else getattr(outcome, name)
    return np.nan if value is None else float(value)


def _pairs(trials: list[FrozenTrial], *names: str) -> list[np.ndarray]:
    return [np.array([_found(trial, name) for trial in trials]) for name in names]
