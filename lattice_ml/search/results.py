"""What a study has found, on the console: a line for each finished trial, a table, and the line of the best."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from lattice_ml.search.outcome import INFEASIBLE, OVERRIDES, REASON, SECONDS, outcome_of

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial

SHOWN = 10
"""Rows of the table."""


def train_line(overrides: Sequence[str]) -> str:
    """The command that trains a trial's net again, for a shell."""
    return shlex.join(["python", "train.py", *overrides])


def trial_line(trial: FrozenTrial) -> str:
    """How a trial ended, in one line."""
    named = zip(("trial", "", "", "test", "with", "in"), _row(trial), ("", "", "", "", "parameters", ""), strict=True)
    return "  ".join(" ".join(filter(None, words)) for words in named if words[1])


def best_of(study: optuna.Study) -> list[FrozenTrial]:
    """The best trial, or with several objectives those that no other one beats in all; empty if none is complete."""
    from optuna.trial import TrialState

    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if len(study.directions) == 1:
        return sorted(complete, key=lambda trial: (trial.value or 0.0, trial.number))[:1]
    return study.best_trials if complete else []


def show(study: optuna.Study, console: Console) -> None:
    """Print how the trials ended, the best of them, and the command that trains the best again."""
    from optuna.trial import TrialState

    trials = study.get_trials(deepcopy=False)
    complete = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    console.print(f"study {study.study_name}: {_counts(trials)}", highlight=False)
    best = best_of(study)
    table = Table("trial", "state", "validation", "test", "parameters", "time", title="the best trials")
    first = [trial.number for trial in best]
    ranked = sorted(complete, key=lambda trial: (trial.number not in first, trial.values))
    for trial in ranked[: max(SHOWN, len(first))]:
        table.add_row(*_row(trial))
    if complete:
        console.print(table)
    for reason in {trial.user_attrs[REASON]: None for trial in trials if REASON in trial.user_attrs}:
        console.print(f"failed: {reason}", highlight=False, markup=False)
    for trial in best:
        console.print(f"trial {trial.number} again:", highlight=False)
        print(train_line(trial.user_attrs.get(OVERRIDES, [])), flush=True)  # as it is, to be copied


def _counts(trials: list[FrozenTrial]) -> str:
    barren = sum(INFEASIBLE in trial.user_attrs for trial in trials)
    states = [trial.state.name.lower() for trial in trials if INFEASIBLE not in trial.user_attrs]
    words = {"complete": "complete", "pruned": "pruned", "fail": "failed", "running": "running", "waiting": "waiting"}
    counted = [f"{states.count(state)} {word}" for state, word in words.items() if state in states]
    return ", ".join([*counted, *([f"{barren} infeasible draws"] if barren else [])]) or "no trials"


def _row(trial: FrozenTrial) -> list[str]:
    """Number, state, validation, test, parameters, time; empty where there is none."""
    attributes: dict[str, Any] = trial.user_attrs
    outcome = outcome_of(trial)
    why = attributes.get(INFEASIBLE) or attributes.get(REASON)
    state = "infeasible" if INFEASIBLE in attributes else trial.state.name.lower().replace("fail", "failed")
    seconds = f"{attributes[SECONDS]:.0f} s" if SECONDS in attributes else ""
    if outcome is None:
        reached = f"{trial.values[0]:.4g}" if trial.values and not why else ""
        return [str(trial.number), f"{state}: {why}" if why else state, reached, "", "", seconds]
    test = "" if outcome.test is None else f"{outcome.test:.4g}"
    return [str(trial.number), state, f"{outcome.validation:.4g}", test, f"{outcome.parameters:,}", seconds]
