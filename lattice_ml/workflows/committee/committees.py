"""What workflows have in common that train committees of one net: a committee for each strength of the L2 term."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lattice_ml.data.settings import DataSettings
from lattice_ml.ensembles.ensemble import Ensemble
from lattice_ml.ground.errors import UserError
from lattice_ml.ground.ranges import Text
from lattice_ml.ground.recipe import Recipe
from lattice_ml.runs.run import Run
from lattice_ml.runs.training import Training
from lattice_ml.workflows.committee.parts import Judged, Part
from lattice_ml.workflows.committee.predictions import PREDICTIONS, ask
from lattice_ml.workflows.committee.settings import CommitteeSettings
from lattice_ml.workflows.phase_diagram.checks import prepare_all, require_dealt
from lattice_ml.workflows.workflow import Workflow

if TYPE_CHECKING:
    from lightning.pytorch.loggers import Logger
    from torch import nn

    from lattice_ml.data.datamodule import EnsembleData
    from lattice_ml.systems.base import System
    from lattice_ml.tasks.classify_committee import ClassifyCommittee


@dataclass(frozen=True, kw_only=True)
class Committees(Workflow):
    """ensemble: on which the nets are trained. survey: elsewhere in parameter space on the same torus. model: the net,
    given ``in_channels``, ``extents`` and ``classes``. task: ``ClassifyCommittee``, given ``net``, ``system``, ``l2``
    and ``classes``. committee: how many nets, and the strengths of the L2 term.
    """

    ensemble: Ensemble
    survey: Ensemble | None = None
    data: DataSettings
    model: Recipe[nn.Module]
    models: Mapping[str, Recipe[Any]] | None = None
    task: Recipe[ClassifyCommittee]
    training: Training
    committee: CommitteeSettings = field(default_factory=CommitteeSettings)
    ckpt_path: Text | None = None

    @property
    def ensembles(self) -> dict[str, Ensemble]:
        return {"ensemble": self.ensemble, **({} if self.survey is None else {"survey": self.survey})}

    def check_kinds(self) -> None:
        from lattice_ml.tasks.classify_committee import ClassifyCommittee

        if self.models or not issubclass(self.task.kind, ClassifyCommittee):
            raise UserError(
                "committees of one net classify phases: leave out models, and give task=classify_committee, e.g. "
                "experiment=aim_boundaries."
            )

    def check(self) -> None:
        """Raise ``UserError`` unless task, data and training are those of committees that classify, and on a net that
        does not fit."""
        self.check_kinds()
        if self.data.split is None:
            raise UserError("committees learn from labelled phases: give data=default or data=particles.")
        self.require_strengths()
        if self.ckpt_path not in (None, "last"):
            raise UserError("committees train from the beginning: leave out ckpt_path.")
        if not self.training.alone:
            raise UserError("a committee trains in one process: leave out trainer=ddp and trainer.devices.")
        self.fresh(self.ensemble.system, 0.0)

    def require_strengths(self) -> None:
        """Raise ``UserError`` unless the strengths of the L2 term are given once each, and where committees have
        them."""
        if "l2" in self.task.settings:
            raise UserError(
                f"the L2 term of committees is committee.l2: give committee.l2=[{self.task.settings['l2']}]."
            )
        if len({f"{l2:g}" for l2 in self.committee.l2}) < len(self.committee.l2):
            raise UserError(f"committee.l2 = {self.committee.l2} repeats itself: give each strength once.")

    def prepare(self) -> None:
        require_dealt(self.data, self.ensemble, self.seed)
        prepare_all(self.ensembles)  # last: it makes the stores

    def classes(self, system: System) -> Sequence[str]:
        """What a net tells apart."""
        return system.phases

    def fresh(self, system: System, l2: float) -> ClassifyCommittee:
        """Untrained nets; the weights of net m are a function of (seed, m) alone."""
        from lattice_ml.nets.committee import Committee

        classes = self.classes(system)
        shape: dict[str, Any] = {"in_channels": len(system.channels), "extents": system.extents}
        net = Committee.initialise(lambda: self.model(**shape, classes=len(classes)), self.committee.members, self.seed)
        return self.task(net=net, system=system, l2=l2, classes=list(classes))

    def home(self, folder: Path, l2: float) -> Path:
        """Where a committee has its checkpoints: the run's folder if it is the only one, else one of its own."""
        return folder if len(self.committee.l2) == 1 else folder / "committees" / f"l2={l2:g}"

    def judge(self, run: Run, loggers: list[Logger], data: EnsembleData, parts: Sequence[Part]) -> list[Judged]:
        """Train each committee, from the last readable checkpoint on, and ask it about every part; once, whatever
        happens."""
        from lattice_ml.runs.fit_members import fit_members

        judged = []
        for l2 in self.committee.l2:
            folder, task = self.home(run.folder, l2), self.fresh(data.system, l2)
            folder.mkdir(parents=True, exist_ok=True)
            own = loggers if folder == run.folder else []
            history = fit_members(self.training, run, folder, task, data, own)
            judged.append(Judged(l2, task, ask(run, folder / PREDICTIONS, task, parts), history))
        return judged
