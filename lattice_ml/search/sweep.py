"""A search in order: open the study, sample what it trains on, try until it has its trials, say what was found."""

from __future__ import annotations

import functools
import signal
import threading
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig
from rich.console import Console

from lattice_ml.ground.errors import UserError
from lattice_ml.ground.files import Taken, lock
from lattice_ml.ground.redaction import public
from lattice_ml.search import crew, results
from lattice_ml.search.address import open_storage
from lattice_ml.search.attempt import attempt, base_words, compose_training, folder_of, place_words, prepare
from lattice_ml.search.claims import Claims, Pace
from lattice_ml.search.sampling import build_pruner, build_sampler
from lattice_ml.search.schema import Search, search_of
from lattice_ml.search.space import draw
from lattice_ml.search.study import define, open_study
from lattice_ml.search.worker import work

if TYPE_CHECKING:
    import optuna

JOURNAL = "study.journal"
STUDY = "study"
"""The folder beside those of the trials: the journal, and what was found."""


def sweep(config: DictConfig) -> None:
    """Be a worker of the study, or the leader of several, until it has its trials; then show and retrain the best.

    The same command, here or elsewhere, is one more worker; a finished study is shown. Raises ``UserError`` on what
    the user can mend.
    """
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # a batch system's end puts the trial back
    if crew.is_member():
        crew.follow_leader()
    if config.workers > 1 and HydraConfig.get().mode == RunMode.MULTIRUN:
        raise UserError("workers=<n> and --multirun do not go together: give one of them.")
    search = search_of(config)
    claims = open_claims(config, search)
    if not claims.are_all_finished():
        prepare(config)
        if config.workers > 1 and not crew.is_member():
            accelerated = compose_training(config, base_words(config)).trainer.accelerator != "cpu"
            crew.lead(claims, config.workers, home(config) / "workers", accelerated)
        else:
            attempting = functools.partial(attempt, config, search.max_parameters, claims)
            work(claims, attempting, search.objectives, functools.partial(folder_of, config))
    if not crew.is_member():
        conclude(config, claims.study)


def conclude(config: DictConfig, study: optuna.Study) -> None:
    """Retrain the finalists, if there are any, write the study's report and print what was found."""
    from lattice_ml.search.finalists import retrain
    from lattice_ml.search.study_report import write_report

    retrain(config, study)
    page = None
    home(config).mkdir(parents=True, exist_ok=True)
    with suppress(Taken), lock(home(config) / ".report", "another worker writes the report"):
        page = write_report(config, study)
    results.show(study, Console())
    if page is not None:
        print(f"report: {page}")


def home(config: DictConfig) -> Path:
    """The study's own folder."""
    return Path(config.paths.runs) / config.study / STUDY


def open_claims(config: DictConfig, search: Search) -> Claims:
    """This process's dealings with the configured study, which is begun if there is none."""
    always = [*base_words(config), *place_words(config)]
    storage = open_storage(config.storage or str(home(config) / JOURNAL), config.study)
    study = open_study(
        storage,
        config.study,
        define(search.model_dump(), public(compose_training(config, base_words(config))), config.seed),
        len(search.objectives),
        build_pruner(search.pruner),
        home(config).parent,
    )
    return Claims(
        study,
        storage,
        config.n_trials,
        lambda trial: [*always, *draw(search.space, trial)],
        functools.partial(build_sampler, search.sampler, config.seed),
        Pace(config.heartbeat, config.grace, config.retries),
    )
