"""What a study found, as a page: ``<paths.runs>/<study>/study/report.html``, and as a run of its own in W&B."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lattice_ml.report.folder import read_json
from lattice_ml.report.numbers import text
from lattice_ml.runs.loggers import open_loggers, publish
from lattice_ml.runs.run import Run, finished
from lattice_ml.search.finalist_scores import COLUMNS, Scores, read_scores
from lattice_ml.search.finalists import finalists, ranked, runs_of
from lattice_ml.search.job import Compose
from lattice_ml.search.outcome import OVERRIDES, SECONDS, outcome_of
from lattice_ml.search.pictures import counted, draw_study
from lattice_ml.search.results import train_line
from lattice_ml.search.settings import STUDY, Sweep, place

if TYPE_CHECKING:
    import optuna

SHOWN = 10
"""Trials in the table."""
COMPLETE = "complete"


def write_report(settings: Sweep, compose: Compose, study: optuna.Study) -> Path:
    """Write the page of a study, with the finalists that are trained, and return its path; nothing if nothing is new.

    The folder is one of a run: ``results.json`` with ``best`` (trial, validation, test, parameters, command),
    ``trials`` (how many ended how) and ``finalists`` (every instance's losses); figures with their arrays. W&B gets
    them as the run ``<study>/study`` of the study's group, beside those of the trials.
    """
    base = compose(settings.base_words, settings.study, STUDY)
    folder = base.place.folder
    scores, references = scores_of(settings, compose, study)
    seen = {"trials": counts(study), "finalists": {score.label: listed(score) for score in scores}}
    if finished(folder) and all(read_json(folder / "results.json")[0].get(key) == seen[key] for key in seen):
        return folder / "report.html"
    run = Run(folder, base.place, steps=1)
    run.console.quiet = True
    run.results |= seen
    with open_loggers(base.workflow.logger, run, base.workflow.ensembles) as loggers:
        with run.step("report", "drawing the study"):
            draw_study(run.figures, study, scores, references)
            tell(run, study, scores)
        publish(loggers, run)
    return run.finish()


def scores_of(settings: Sweep, compose: Compose, study: optuna.Study) -> tuple[list[Scores], set[str]]:
    """What the finalists' finished runs say, and which of the labels are references."""
    found, references = [], set()
    labels = {f"reference-{label}": str(label) for label in settings.search.references or {}}
    for finalist in finalists(settings, study):
        label = labels.get(finalist.name, finalist.name)
        score = read_scores(label, [run.place.folder for run in runs_of(settings, compose, finalist)])
        if score is not None:
            found.append(score)
            references |= {label} if finalist.trial is None else set()
    return found, references


def counts(study: optuna.Study) -> dict[str, int]:
    """How many trials ended how; draws that were no net apart."""
    states = [trial.state.name.lower() for trial in counted(study)]
    named = {COMPLETE: COMPLETE, "pruned": "pruned", "fail": "failed"}
    barren = sum(trial.state.is_finished() for trial in study.get_trials(deepcopy=False)) - len(states)
    return {**{word: states.count(state) for state, word in named.items()}, "infeasible draws": barren}


def listed(score: Scores) -> dict[str, Any]:
    """A finalist's losses as plain numbers for ``results.json``."""
    losses = {column: losses.tolist() for column, losses in score.losses.items()}
    return {"parameters": score.parameters, "losses": losses, "published": score.published}


def tell(run: Run, study: optuna.Study, scores: list[Scores]) -> None:
    """The numbers and tables of the page."""
    best = ranked(study)
    run.results["tables"] = [
        *([finalist_table(scores)] if scores else []),
        *([trial_table(study)] if best else []),
    ]
    numbers: dict[str, Any] = {f"trials {word}": number for word, number in run.results["trials"].items()}
    outcome = outcome_of(best[0]) if best else None
    if outcome is not None:
        line = train_line(best[0].user_attrs[OVERRIDES])
        found = {"validation": outcome.validation, "test": outcome.test, "parameters": outcome.parameters}
        run.results["best"] = {"trial": best[0].number, **found, "command": line}
        numbers |= {f"best trial: {name}": value for name, value in found.items()}
    run.results["metrics"] = {name: {"value": value, "error": None} for name, value in numbers.items()}


def finalist_table(scores: list[Scores]) -> dict[str, Any]:
    """Mean and median over the instances of every kind of loss, the literature's below those it has."""
    columns = [column for column in COLUMNS if any(column in score.losses for score in scores)]
    rows = []
    for score in scores:
        size = "–" if score.parameters is None else f"{score.parameters:,}"
        most = max(len(losses) for losses in score.losses.values())
        rows.append([score.label, size, str(most), *(_statistics(score.losses.get(column)) for column in columns)])
        if score.published:
            said = [score.published.get(column, {}) for column in columns]
            shown = [f"{text(one['mean'])} / {text(one['median'])}" if len(one) == 2 else "–" for one in said]
            rows.append([f"{score.label}, literature", size, "–", *shown])
    return {
        "title": "The best, trained again from scratch",
        "columns": ["net", "parameters", "instances", *columns],
        "rows": rows,
        "note": "Mean / median over the instances, which train at once and differ in first weights and order.",
    }


def _statistics(losses: np.ndarray | None) -> str:
    if losses is None or not len(losses):
        return "–"
    return f"{losses.mean():.3e} / {np.median(losses):.3e}"


def trial_table(study: optuna.Study) -> dict[str, Any]:
    """The best trials, with the words that train them again."""
    rows = []
    for trial in ranked(study)[:SHOWN]:
        outcome = outcome_of(trial)
        if outcome is None:
            continue
        test = "–" if outcome.test is None else f"{outcome.test:.3e}"
        numbers = [f"{outcome.validation:.3e}", test, f"{outcome.parameters:,}", f"{trial.user_attrs[SECONDS]:.0f} s"]
        rows.append([place(trial.number), *numbers, train_line(trial.user_attrs[OVERRIDES])])
    several = len(study.directions) > 1
    return {
        "title": "Trials that no other one beats in all objectives" if several else "The best trials",
        "columns": ["trial", "validation", "test", "parameters", "time", "again"],
        "rows": rows,
        "note": "Losses are medians over a trial's instances. The command trains the same net, bit for bit with as "
        "many threads on the same machine.",
    }
