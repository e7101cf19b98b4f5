"""Which kind of net learns an observable best, and how far beyond its training it holds.

sample, and prove that it is equilibrated -> train several instances of each architecture at once -> test them on other
lattices and couplings -> show how equivariant they are and what their first layers see -> report.

Source: Bulusu, Favoni, Ipp, Müller & Schuh, Phys. Rev. D 104, 074504 (2021), arXiv:2103.14686.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from lattice_ml.data.settings import DataSettings
from lattice_ml.ensembles.ensemble import Ensemble
from lattice_ml.ensembles.family import torus_name
from lattice_ml.ground.errors import UserError
from lattice_ml.ground.ranges import Text
from lattice_ml.ground.recipe import Recipe
from lattice_ml.runs.loggers import open_loggers, publish
from lattice_ml.runs.run import Place, Run
from lattice_ml.runs.training import Training
from lattice_ml.workflows.common.protocol import verdict_table
from lattice_ml.workflows.nets import checks
from lattice_ml.workflows.nets.data import all_targets, build_data, read_lesson, sample
from lattice_ml.workflows.nets.explain import explain
from lattice_ml.workflows.nets.instances import build_task
from lattice_ml.workflows.nets.oracle import measure_oracle, set_by_hand
from lattice_ml.workflows.nets.ranking import rank, show_ranking, table
from lattice_ml.workflows.nets.results import show, tell
from lattice_ml.workflows.nets.training import learn, newest_training
from lattice_ml.workflows.workflow import Workflow

if TYPE_CHECKING:
    import xarray as xr
    from lightning import Callback

    from lattice_ml.nets.lattice_cnn import LatticeCNN
    from lattice_ml.search.outcome import Outcome
    from lattice_ml.systems.base import System
    from lattice_ml.tasks.members import MemberTask
    from lattice_ml.workflows.explanations.explained import Explained


@dataclass(frozen=True, kw_only=True)
class CompareNets(Workflow):
    """ensemble: what the nets learn from, on one torus. survey, extrapolation, further: what they are tested on, on
    several; the survey holds the torus of the training. models: the nets by name, given ``in_channels``, ``extents``
    and ``outputs``; without them ``model`` is trained alone. oracle: the net whose weights the task sets by hand, the
    floor under the errors of the others. task: a ``MemberTask``, given ``net`` and ``system``. own_task: settings of
    the task for one of the models alone, by its name.
    """

    ensemble: Ensemble
    survey: Ensemble | None = None
    extrapolation: Ensemble | None = None
    further: Mapping[str, Ensemble] = field(default_factory=dict)
    data: DataSettings
    model: Recipe[LatticeCNN] | None = None
    models: Mapping[str, Recipe[LatticeCNN]] | None = None
    oracle: Recipe[LatticeCNN] | None = None
    task: Recipe[MemberTask]
    own_task: Mapping[str, Mapping[str, Any] | None] | None = None
    training: Training
    ckpt_path: Text | None = None

    trial_reads: ClassVar[tuple[str, ...]] = ("ensemble", "survey", "extrapolation")

    @property
    def steps(self) -> int:
        return 4

    @property
    def ensembles(self) -> dict[str, Ensemble]:
        tests = {"survey": self.survey, "extrapolation": self.extrapolation}
        given = {role: ensemble for role, ensemble in tests.items() if ensemble is not None}
        return {"ensemble": self.ensemble, **given, **self.further}

    def check(self) -> None:
        """Raise ``UserError`` on what cannot be compared; each net is built once, so that a mistake is told before any
        work."""
        system = self.ensemble.system
        self.require_comparable()
        if self.oracle is not None:
            set_by_hand(self.oracle, self.task, system, self.ensemble.plan.points[0])
        checks.require_own_task(self.own_task, self.models)
        for name, model in self.nets(system).items():
            self.instances(name, model, system)

    def require_comparable(self) -> None:
        """Raise ``UserError`` unless task, data, training and ensembles go together, whatever the nets."""
        checks.require_members(self.task, self.data, self.training)
        if self.ckpt_path not in (None, "last"):
            raise UserError("workflow=compare_nets trains from the beginning: leave out ckpt_path.")
        checks.require_tests(self.ensembles, self.task)

    def nets(self, system: System) -> Mapping[str, Recipe[LatticeCNN]]:
        """Those of ``models`` by their names, or the one of ``model``, named EQ, ST or FL as its layers are."""
        return self.models or {self.alone(system).net.template.architecture: self.only_net}

    @property
    def only_net(self) -> Recipe[LatticeCNN]:
        """That of ``model``, where there are no ``models``; raises ``UserError`` if there is none."""
        if self.model is None:
            raise UserError("model is missing: put it back, or leave out what took it away.")
        return self.model

    def alone(self, system: System) -> MemberTask:
        """The task on ``data.members`` instances of the net of ``model``."""
        return build_task(self.task, self.only_net, self.data, self.seed, system)

    def instances(self, name: str, model: Recipe[LatticeCNN], system: System) -> MemberTask:
        """The task on ``data.members`` instances of the net of this name, with the settings that it has for itself."""
        task = self.task.but(**((self.own_task or {}).get(name) or {}))
        return build_task(task, model, self.data, self.seed, system)

    @property
    def once(self) -> bool:
        """Is there a single training, whose checkpoints are those of the run?"""
        return not self.models and len(self.data.sizes or ()) == 1

    def run(self, run: Run) -> None:
        """The four steps."""
        from lattice_ml.workflows.nets.story import draw

        system = self.ensemble.system
        nets, sizes, members = self.nets(system), self.data.sizes, self.data.members
        assert sizes is not None  # both checked before any work
        assert members is not None
        run.results["system"] = system.parameters()
        names = " and ".join(ensemble.name for ensemble in self.ensembles.values())
        with run.step("sample", f"sampling {names}"):
            training, tests = sample(run, self.ensembles, self.data.force)
            lesson = read_lesson(self.task.kind, system, training)
            checks.require_sizes(sizes, build_data(self.data, system, lesson, None, self.seed).index["train"].shape[1])
        with open_loggers(self.logger, run, self.ensembles) as loggers:
            with run.step("train", f"training {members} instances of {' and '.join(nets)} and testing them"):
                trained = [
                    learn(self, run, loggers, name, model, size, lesson, tests)
                    for name, model in nets.items()
                    for size in sizes
                ]
            with run.step("explain", "measuring equivariance and looking into the first layers"):
                explain(self, run, trained, tests)
                if self.oracle is not None:
                    run.results["oracle"] = measure_oracle(self.oracle, self.task, system, tests)
            with run.step("report", "drawing and writing the report"):
                tell(run, trained)
                ranked = rank(trained)
                run.results["ranking"] = [one._asdict() for one in ranked]
                run.results["tables"] = [
                    *([table(ranked, members)] if ranked else []),
                    verdict_table(run.results["equilibration"]),
                ]
                learned = {name: np.unique(training[name].values) for name in training.attrs["plan"]["points"]}
                # Distributions are drawn of observables alone, not of numbers of worms.
                targets = {} if "worms" in learned else all_targets(self.task.kind, lesson, tests)
                draw(run, trained, system.extents, learned, targets, self.task.kind.outputs)
                publish(loggers, run)

    def show(self, run: Run) -> None:
        """Print the medians over the instances, and the rankings on the lattice of the training."""
        show(run)
        show_ranking(run, torus_name(self.ensemble.tori[0]))

    def reopen(self, folder: Path, net: str | None = None) -> Explained:
        """One net of the comparison; of its instances the one with the best validation loss."""
        from lattice_ml.tasks.members import load_members
        from lattice_ml.workflows.explanations.explained import Explained

        system = self.ensemble.system
        nets = self.nets(system)
        name = net or next(iter(nets))
        if name not in nets:
            raise UserError(f"the run {folder} trained no net {name!r}: give net=<one of {', '.join(nets)}>.")
        last = newest_training(folder, name) / "checkpoints" / "last.ckpt"
        task = load_members(last, self.instances(name, nets[name], system))
        member = task.best.member(int(task.best_loss.argmin())).eval()
        return Explained(folder, system, task, member, task.outputs, False, self.unseen)

    def unseen(self) -> xr.Dataset:
        """The survey on the torus of the training, all of whose trajectories are others (``checks.py``)."""
        assert self.survey is not None  # a run that was trained has one
        return next(member for member in self.survey.members if member.tori == self.ensemble.tori).open()

    def try_once(self, place: Place, watch: Callback, limit: int | None) -> Outcome:
        from lattice_ml.workflows.nets.trial import try_net

        return try_net(self, place, watch, limit)
