"""After the search: its best nets trained again from scratch, several times, by the ordinary workflow.

A trial trains short and few, and the best of many is the best by luck too. What is told of a found net is therefore
what new instances of it do on the whole test grid, beside the references of the search trained in the same way.
"""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, NamedTuple

from lattice_ml.ground.errors import UserError
from lattice_ml.ground.files import Taken
from lattice_ml.runs.run import finished
from lattice_ml.search.job import Compose, Job
from lattice_ml.search.outcome import OVERRIDES
from lattice_ml.search.settings import Sweep, place

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial

LOOK = 2.0
"""Seconds between two looks at what other processes train."""


class Finalist(NamedTuple):
    """A net to be trained again: the name of its runs, the words for train.py, and the trial, None of a reference."""

    name: str
    words: list[str]
    trial: int | None


def retrain(settings: Sweep, compose: Compose, study: optuna.Study) -> None:
    """Train the ``finalists`` best trials of a study, and the search's references, ``retrain`` times each.

    Every training is a run of its own in ``<paths.runs>/<study>-finalists`` with a report; what was interrupted goes
    on. Several processes may call this at once: each takes what none holds, and all return when everything is trained.
    Raises ``UserError``, before any training, on words that do not compose; a net whose training fails with one is told
    and left out.
    """
    waiting = [run for finalist in finalists(settings, study) for run in runs_of(settings, compose, finalist)]
    while waiting:
        taken = [run for run in waiting if not _train(run)]
        if len(taken) == len(waiting):
            time.sleep(LOOK)  # all that is left is in the hands of others, who may die
        waiting = taken


def finalists(settings: Sweep, study: optuna.Study) -> list[Finalist]:
    """The best trials by their first objective, of the Pareto front where there are two; then the references."""
    if not settings.finalists:
        return []
    final = settings.search.final
    best = [
        Finalist(place(trial.number), [*trial.user_attrs[OVERRIDES], *final], trial.number)
        for trial in ranked(study)[: settings.finalists]
    ]
    references = [
        Finalist(f"reference-{named(label)}", [*settings.base_words, *words, *final], None)
        for label, words in (settings.search.references or {}).items()
    ]
    return [*best, *references] if best else []


def ranked(study: optuna.Study) -> list[FrozenTrial]:
    """Complete trials, the best first; with several objectives those that no other one beats in all."""
    from optuna.trial import TrialState

    several = len(study.directions) > 1
    complete = study.best_trials if several else study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    return sorted(complete, key=lambda trial: (trial.values, trial.number))


def named(label: str) -> str:
    """A label as part of a folder's name."""
    return re.sub(r"[^\w.+=-]+", "-", str(label))


def runs_of(settings: Sweep, compose: Compose, finalist: Finalist) -> list[Job]:
    """The jobs of a finalist, with seeds that the trial, chosen for its luck, did not have.

    One run with all instances where they train at once (``data.members``), else one for each seed.
    """
    study = f"{settings.study}-finalists"
    trial = compose(finalist.words, study).workflow
    seeds = range(trial.seed + 1, trial.seed + 1 + settings.retrain)
    if trial.data.members is not None:
        each = [(f"{finalist.name}-x{settings.retrain}", [f"data.members={settings.retrain}", f"seed={seeds[0]}"])]
    else:
        each = [(f"{finalist.name}-seed{number}", [f"seed={number}"]) for number in seeds]
    return [compose([*finalist.words, *words], study, name) for name, words in each]


def _train(run: Job) -> bool:
    """Train to the end, unless another process is at it; is there nothing left to do?"""
    if finished(run.place.folder):
        return True
    try:
        run.perform()
    except Taken:
        return False
    except UserError as error:
        if not finished(run.place.folder):  # else another process was quicker
            print(f"{run.place.name}/{run.place.id} is left out: {error}", flush=True)
    return True
