"""What a search needs from above: words for train.py become a job, whose workflow a trial trains once.

The shell composes words (``cli/sweep.py``); a test, or a program, may make jobs of them in another way.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from lightning import Callback

    from lattice_ml.data.settings import DataSettings
    from lattice_ml.ensembles.ensemble import Ensemble
    from lattice_ml.ground.recipe import Recipe
    from lattice_ml.runs.run import Place
    from lattice_ml.runs.training import Training
    from lattice_ml.search.outcome import Outcome


class Searchable(Protocol):
    """A workflow that trials can train; what each of these is, ``workflows/workflow.py`` and its kinds say."""

    @property
    def seed(self) -> int: ...
    @property
    def logger(self) -> Mapping[str, Recipe[Any] | None]: ...
    @property
    def data(self) -> DataSettings: ...
    @property
    def training(self) -> Training: ...
    @property
    def ensembles(self) -> Mapping[str, Ensemble]: ...
    @property
    def trial_reads(self) -> tuple[str, ...]: ...

    def try_once(self, place: Place, watch: Callback, limit: int | None) -> Outcome: ...


class Job(Protocol):
    """What words for train.py stand for: a workflow, and the place of its run."""

    @property
    def workflow(self) -> Searchable: ...
    @property
    def place(self) -> Place: ...

    def perform(self) -> Path | None:
        """Run the workflow in its place to the end, as train.py would; the path of the report."""
        ...


class Compose(Protocol):
    """From words for train.py to their job, of a run ``<paths.runs>/<name>/<id>/``.

    Raises ``UserError`` on words that do not compose, and on a job that could not be trained or searched.
    """

    def __call__(self, words: list[str], name: str, id: str = "auto") -> Job: ...
