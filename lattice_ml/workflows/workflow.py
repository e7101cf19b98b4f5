"""What a workflow is: one question that is put to ensembles, as an object; its answer is a run.

A workflow is a frozen dataclass. The arguments of its constructor are its configuration, live objects and plain values,
whose type hints the shell's door reads (``cli/door.py``); in Python it is built by calling it. A new one is a folder
beside this file with such a class, which its ``__init__.py`` exports, and a file of conf/workflow/ that names it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from lattice_ml.ensembles.ensemble import Ensemble
from lattice_ml.ground.errors import UserError
from lattice_ml.ground.ranges import Seed
from lattice_ml.ground.recipe import Recipe
from lattice_ml.runs.run import Place, Run, open_run

if TYPE_CHECKING:
    from lightning import Callback, Trainer

    from lattice_ml.search.outcome import Outcome
    from lattice_ml.workflows.explanations.explained import Explained


@dataclass(frozen=True, kw_only=True)
class Workflow:
    """seed: of everything but the ensembles, which have their own. logger: loggers of Lightning by name, beside the
    run's own ``metrics.csv``."""

    seed: Seed = 0
    logger: Mapping[str, Recipe[Any] | None] = field(default_factory=dict)

    trial_reads: ClassVar[tuple[str, ...]] = ()
    """Ensembles that the trials of a search read, by their roles; () of a workflow that cannot be searched."""

    @property
    def ensembles(self) -> dict[str, Ensemble]:
        """Every ensemble by the name under which a user finds it: ensemble, survey, …, ensembles.<name>."""
        return {}

    @property
    def steps(self) -> int:
        """Steps that ``run`` announces."""
        return 1

    def check_kinds(self) -> None:
        """Raise ``UserError`` on a class that is made for another workflow; its settings need not be right."""

    def check(self) -> None:
        """Raise ``UserError``, before any work, on choices that do not go together."""

    def prepare(self) -> None:
        """Raise ``UserError``, before any work, on what would stop the run later; makes the stores."""

    def run(self, run: Run) -> None:
        """The steps: fills ``run.results`` and ``run.figures``."""
        raise NotImplementedError

    def show(self, run: Run) -> None:
        """Print the answer, when everything is written."""
        run.show_boundaries()

    def party(self) -> Trainer | None:
        """A Trainer that knows which of how many processes this is, of workflows that several may train."""
        return None

    def follow(self, folder: Path) -> None:
        """The part of a process that trains along in the leader's run."""

    def reopen(self, folder: Path, net: str | None = None) -> Explained:
        """A finished run of this workflow with its trained net, to be asked why.

        net: which one, of several. Raises ``UserError`` if the run trained none that could be explained, or is damaged.
        """
        raise UserError(
            f"the run {folder} trained no net on a lattice: give one of workflow=phase_diagram, phase_committee, "
            "compare_nets, latents or queries."
        )

    def try_once(self, place: Place, watch: Callback, limit: int | None) -> Outcome:
        """One trial of a search: train and test, bit for bit as ``run`` would.

        watch: is told of the training, and may end it. limit: most trainable numbers of a net. Raises ``Infeasible``,
        before any work, on a net that cannot be built or is larger; ``UserError`` on what the user can mend.
        """
        raise UserError(
            f"{type(self).__name__} cannot be searched: give a workflow that can, e.g. workflow=compare_nets."
        )


def perform(workflow: Workflow, place: Place) -> Path | None:
    """Run a workflow in its place, from an empty folder or from where it was interrupted; the path of the report.

    Where several processes train one net, rank 0 runs the steps; the others take their part in the training alone and
    get None. Raises ``UserError`` on what the user can mend.
    """
    from lattice_ml.runs.ranks import leaders_folder, leading
    from lattice_ml.runs.training import seed_everything

    seed_everything(workflow.seed)
    workflow.check()
    party = workflow.party()
    if party is not None and party.global_rank > 0:
        workflow.follow(leaders_folder(party))
        return None
    with ExitStack() as held:
        announce: Callable[[Path], None] = held.enter_context(leading(party)) if party is not None else lambda _: None
        workflow.prepare()
        with open_run(place, workflow.steps) as run:
            run.announce = lambda: announce(run.folder)
            seed_everything(workflow.seed)  # checks may have built a net
            workflow.run(run)
            page = run.finish()
            workflow.show(run)
            run.show_end(page)
    return page
