"""What a search is and how a sweep goes about it: every name that a user may set, with its range and its default."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, StrictStr

from lattice_ml.ground.errors import UserError
from lattice_ml.ground.ranges import Count, Name, Paths, Positive, Seed, Settings, Text, Whole
from lattice_ml.search.outcome import Objective
from lattice_ml.search.sampling import build_pruner, build_sampler, is_pruning
from lattice_ml.search.space import check_space

STUDY = "study"
"""The folder beside those of the trials: the journal, and what was found."""
PLACE = "trial-"
"""Begins the name of a trial's run folder."""
JOURNAL = "study.journal"

Words = list[Annotated[str, Field(strict=True, pattern=r"^[^\x00]+$")]]
"""For ``python train.py``."""
Choice = StrictStr | dict[str, Any]
"""A name, or a mapping with ``name`` and the arguments of Optuna's class."""


class Search(Settings):
    """One file of conf/search. experiment: words of every trial, before what it draws. space: what it draws, see
    ``space.py``. objectives: what is minimised. max_parameters: a larger net is not trained. n_trials: of a study.
    references: words by name, of nets that are retrained beside the finalists. final: more words for retraining.
    """

    experiment: Words
    space: Annotated[dict[str, Any], Field(min_length=1)]
    objectives: Annotated[list[Objective], Field(min_length=1, max_length=2)] = Field(default=["validation"])
    max_parameters: Count | None = None
    pruner: Choice = "none"
    sampler: Choice = "tpe"
    n_trials: Count
    references: dict[str, Words] | None = None
    final: Words = Field(default=[])


class Sweep(Settings):
    """One study of a search. study: its name, and that of its trials' folder. n_trials: those of all workers together.
    workers: processes; 1: this one. storage: where the study is kept, None: a file in its folder. seed: of what is
    drawn. overrides: more words of every trial. finalists: how many of the best are trained again, ``retrain`` times
    each. heartbeat, grace, retries: see ``claims.Pace``.
    """

    search: Search
    study: Name
    n_trials: Count
    workers: Count = 1
    storage: Text | None = None
    seed: Seed = 0
    overrides: Words = Field(default=[])
    finalists: Whole = 0
    retrain: Count = 10
    heartbeat: Positive = 15.0
    grace: Positive = 120.0
    retries: Whole = 3
    paths: Paths

    @property
    def folder(self) -> Path:
        """Where the run folders of its trials lie."""
        return Path(self.paths.runs) / self.study

    @property
    def home(self) -> Path:
        """The study's own folder beside them."""
        return self.folder / STUDY

    @property
    def address(self) -> str:
        """Where the study is kept."""
        return self.storage or str(self.home / JOURNAL)

    @property
    def base_words(self) -> list[str]:
        """What every trial gives train.py beside what it draws: the search's experiment, and what the user adds."""
        return [*self.search.experiment, *self.overrides]

    def check(self) -> None:
        """Raise ``UserError`` on choices that do not go together, and on what Optuna or the space would refuse."""
        if self.grace < 2 * self.heartbeat:
            raise UserError(
                f"grace = {self.grace:g} s is too short for a heartbeat every {self.heartbeat:g} s: give grace=<at "
                f"least {2 * self.heartbeat:g}>."
            )
        search = self.search
        if len(set(search.objectives)) < len(search.objectives):
            raise UserError(f"search.objectives = {search.objectives} names one twice: give each once.")
        if len(search.objectives) > 1 and is_pruning(search.pruner):
            raise UserError(
                "Optuna prunes for one objective only: give search.pruner=none, or search.objectives=[validation]."
            )
        build_pruner(search.pruner)
        build_sampler(search.sampler, self.seed, 0)
        check_space(search.space)


def place(number: int) -> str:
    """The name of a trial's run folder in that of the study."""
    return f"{PLACE}{number:04d}"
