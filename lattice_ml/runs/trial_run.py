"""The run folder of one trial of a search: an ordinary run that trains and tests, and draws no report of its own."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from typing import TYPE_CHECKING, Any

from lattice_ml.ensembles.ensemble import Ensemble
from lattice_ml.ground.recipe import Recipe
from lattice_ml.runs.loggers import open_loggers, publish
from lattice_ml.runs.run import Place, Run, open_run

if TYPE_CHECKING:
    from lightning.pytorch.loggers import Logger


@contextmanager
def opening(run: Run) -> Iterator[None]:
    """The step that opens the ensembles, which a sweep samples before its trials and which say so themselves."""
    with run.step("sample", "opening the ensembles"), redirect_stdout(io.StringIO()):
        yield


@contextmanager
def open_trial(
    place: Place, logger: Mapping[str, Recipe[Any] | None], ensembles: Mapping[str, Ensemble]
) -> Iterator[tuple[Run, list[Logger]]]:
    """The trial's folder ``<home>/<study>/<id>/`` and loggers; at the end ``results.json`` is written.

    A trial has no ``report.html``, so that its folder may be opened again: a worker that is killed after the training
    and before the study knows leaves it to the next one, which finds what there is. A pruned trial is a run that ended
    as it should: ``TrialPruned`` passes on when that is written down.
    """
    from optuna import TrialPruned

    pruned: TrialPruned | None = None
    with open_run(place, steps=3) as run:
        run.console.quiet = True  # what a search has to say is said by its workers
        run.results["trial"] = {"state": "complete"}
        with open_loggers(logger, run, ensembles) as loggers:
            try:
                yield run, loggers
            except TrialPruned as end:
                run.results["trial"] = {"state": "pruned", "reason": str(end)}
                pruned = end
            publish(loggers, run)
        run.save()
    if pruned is not None:
        raise pruned
