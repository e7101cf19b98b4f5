"""A search in order: open the study, sample what it trains on, try until it has its trials, say what was found."""

from __future__ import annotations

import functools
import signal
import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from rich.console import Console

from lattice_ml.ground.files import Taken, lock
from lattice_ml.search import crew, results
from lattice_ml.search.address import open_storage
from lattice_ml.search.attempt import attempt, prepare
from lattice_ml.search.claims import Claims, Pace
from lattice_ml.search.job import Compose, Job
from lattice_ml.search.sampling import build_pruner, build_sampler
from lattice_ml.search.settings import Sweep, place
from lattice_ml.search.space import draw
from lattice_ml.search.study import define, open_study
from lattice_ml.search.worker import work

if TYPE_CHECKING:
    import optuna


def sweep(settings: Sweep, compose: Compose, where: Sequence[str] = ()) -> None:
    """Be a worker of the study, or the leader of several, until it has its trials; then show and retrain the best.

    where: words that train.py would need elsewhere to find the ensembles, kept with every trial. The same call, here or
    in other processes, is one more worker; a finished study is shown. Raises ``UserError`` on what the user can mend.
    """
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # a batch system's end puts the trial back
    if crew.is_member():
        crew.follow_leader()
    base = compose(settings.base_words, settings.study)
    claims = open_claims(settings, base, where)
    if not claims.are_all_finished():
        prepare(base.workflow)
        if settings.workers > 1 and not crew.is_member():
            accelerated = base.workflow.training.trainer.settings.get("accelerator") != "cpu"
            crew.lead(claims, settings.workers, settings.home / "workers", accelerated)
        else:
            attempting = functools.partial(attempt, settings, compose, claims)
            work(claims, attempting, settings.search.objectives, lambda number: settings.folder / place(number))
    if not crew.is_member():
        conclude(settings, compose, claims.study)


def conclude(settings: Sweep, compose: Compose, study: optuna.Study) -> None:
    """Retrain the finalists, if there are any, write the study's report and print what was found."""
    from lattice_ml.search.finalists import retrain
    from lattice_ml.search.study_report import write_report

    retrain(settings, compose, study)
    page = None
    settings.home.mkdir(parents=True, exist_ok=True)
    with suppress(Taken), lock(settings.home / ".report", "another worker writes the report"):
        page = write_report(settings, compose, study)
    results.show(study, Console())
    if page is not None:
        print(f"report: {page}")


def open_claims(settings: Sweep, base: Job, where: Sequence[str]) -> Claims:
    """This process's dealings with the study, which is begun if there is none.

    base: the job of the words that all trials share. where: see ``sweep``.
    """
    search, always = settings.search, [*settings.base_words, *where]
    storage = open_storage(settings.address, settings.study)
    study = open_study(
        storage,
        settings.study,
        define(search.model_dump(), base.place.record, settings.seed),
        len(search.objectives),
        build_pruner(search.pruner),
        settings.folder,
    )
    return Claims(
        study,
        storage,
        settings.n_trials,
        lambda trial: [*always, *draw(search.space, trial)],
        functools.partial(build_sampler, search.sampler, settings.seed),
        Pace(settings.heartbeat, settings.grace, settings.retries),
    )
