"""Which physical quantities decide, and how far do models that can be read come with them?

sample -> name the phases without labels, or take observables as answers -> features -> fit linear models, trees and
forests -> test them on held-out replicas and on ensembles elsewhere, beside the net of a finished run -> importances
-> report. Any system: see ``explain/features.py``.

Source: L. Lucie-Smith, "Machine learning and its interpretability" (2023), lecture 1.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from lattice_ml.data.settings import DataSettings
from lattice_ml.ensembles.ensemble import Ensemble
from lattice_ml.ground.errors import UserError
from lattice_ml.phases.settings import Naming
from lattice_ml.runs.loggers import open_loggers, publish
from lattice_ml.runs.run import Run
from lattice_ml.workflows.white_boxes.checks import require_same_training
from lattice_ml.workflows.white_boxes.settings import WhiteBoxSettings
from lattice_ml.workflows.workflow import Workflow

if TYPE_CHECKING:
    import xarray as xr

    from lattice_ml.workflows.explanations.explained import Explained
    from lattice_ml.workflows.white_boxes.data import Table


@dataclass(frozen=True, kw_only=True)
class WhiteBoxes(Workflow):
    """ensemble: learned from and, by its replicas held back, tested on. survey, further: tested on too, on any tori.
    phases: how they are named, where they are what is asked for. data: whose split holds replicas back.
    """

    ensemble: Ensemble
    survey: Ensemble | None = None
    further: Mapping[str, Ensemble] = field(default_factory=dict)
    phases: Naming = field(default_factory=Naming)
    data: DataSettings
    white_boxes: WhiteBoxSettings = field(default_factory=WhiteBoxSettings)

    @property
    def ensembles(self) -> dict[str, Ensemble]:
        survey = {} if self.survey is None else {"survey": self.survey}
        return {"ensemble": self.ensemble, **survey, **self.further}

    @property
    def steps(self) -> int:
        return 5

    @property
    def targets(self) -> list[str]:
        """Names of the observables that are asked for; none where the phases are."""
        return list(self.white_boxes.targets or ())

    def check(self) -> None:
        system = self.ensemble.system
        if self.data.split is None:
            raise UserError("white boxes hold whole replicas back: give data=default, whose split says how many.")
        self.deal()
        if not self.targets and not system.phases:
            raise UserError(
                f"{system.name} has no phases to tell apart: give white_boxes.targets=[<observables>], e.g. "
                f"[{', '.join(system.watched) or 'energy'}]."
            )

    def prepare(self) -> None:
        from lattice_ml.workflows.white_boxes.data import net_judge

        net, compare = self.open_net(), self.white_boxes.compare
        if net is not None and compare is not None:
            require_same_training(net, compare.workflow, self)
            net_judge(net, self.targets)

    def open_net(self) -> Explained | None:
        """The net of the run to compare with, if there is one."""
        return None if self.white_boxes.compare is None else self.white_boxes.compare.explained()

    def deal(self) -> dict[str, np.ndarray]:
        """Numbers of the replicas for training, validation and test."""
        from lattice_ml.data.dealing import deal_replicas

        assert self.data.split is not None  # checked before any work
        return deal_replicas(self.ensemble.plan.replicas, list(self.data.split), self.seed)

    def run(self, run: Run) -> None:
        from lattice_ml.workflows.white_boxes.data import net_judge, with_targets
        from lattice_ml.workflows.white_boxes.figures import draw
        from lattice_ml.workflows.white_boxes.fitting import fit, judge, measure
        from lattice_ml.workflows.white_boxes.results import judged, tell

        net, settings, targets = self.open_net(), self.white_boxes, self.targets
        system = self.ensemble.system
        run.results["system"] = system.parameters()
        with run.step("sample", "sampling " + " and ".join(one.name for one in self.ensembles.values())):
            sampled = sample(self.ensembles, run)
        with run.step("tables", "computing features and naming the answers"):
            training, *tests = read_tables(sampled, settings.configurations)
            transitions: list[dict[str, Any]] = []
            if targets:
                training, *tests = [with_targets(table, targets) for table in (training, *tests)]
            else:
                training, tests, transitions = self.name_tables(run, sampled[0][2], training, tests, net)
        with open_loggers(self.logger, run, self.ensembles) as loggers:
            with run.step("fit", f"fitting {', '.join(settings.kinds)} and testing them"):
                dealt = self.deal()
                learned = training.replicas(np.concatenate([dealt["train"], dealt["val"]]))
                tests = [training.replicas(dealt["test"]), *tests]
                boxes = fit(run, settings.kinds, learned, targets, self.seed)
                verdicts = [judged(judge(kind, boxes[kind]), tests) for kind in settings.kinds]
                if net is not None:
                    # A net of several instances learned from other replicas than ours: its own ensemble is no test.
                    fair = tests if net.classes else [table for table in tests if table.part != "ensemble"]
                    verdicts.append(judged(net_judge(net, targets), fair))
                tell(run, verdicts, tests, transitions, targets, self.seed)
            with run.step("importance", f"measuring importances with {settings.forests} resampled forests"):
                measure(run, learned, tests[0], targets, settings.forests, self.seed)
            with run.step("report", "writing the report"):
                draw(run, boxes, verdicts, tests, transitions, targets)
                publish(loggers, run)

    def name_tables(
        self, run: Run, dataset: xr.Dataset, training: Table, tests: list[Table], net: Explained | None
    ) -> tuple[Table, list[Table], list[dict[str, Any]]]:
        """The tables with phases as answers, and the transitions between them.

        dataset: the whole of the training ensemble. Where a net has learned labels, its phases are those.
        """
        from lattice_ml.phases.label_file import load_labels, save_labels
        from lattice_ml.workflows.phase_diagram.names import LABELS, name_phases
        from lattice_ml.workflows.white_boxes.data import label_scans, with_labels

        known = load_labels(net.folder / LABELS) if net is not None else None
        if known is not None:
            save_labels(run.folder / LABELS, known)
        labels = name_phases(self.phases, run, training.system, dataset, self.data.memory)
        transitions = list(labels.transitions)

        def say(sentence: str) -> None:
            run.console.print(sentence, highlight=False, soft_wrap=True)

        labelled = []
        for table in tests:
            table, found = label_scans(table, run.folder, self.phases, say)
            labelled.append(table)
            transitions += found
        return with_labels(training, labels.labels[:, 0, 0]), labelled, transitions

    def show(self, run: Run) -> None:
        from lattice_ml.workflows.white_boxes.results import show

        show(run)


def sample(ensembles: Mapping[str, Ensemble], run: Run) -> list[tuple[str, Ensemble, xr.Dataset]]:
    """Every dataset with the ensemble that it is of, by what it is for; those tested on may have several tori."""
    from lattice_ml.workflows.common.protocol import protocol_of

    found = {part: ensemble.sample() for part, ensemble in ensembles.items()}
    run.results["protocol"] = {part: protocol_of(*datasets) for part, datasets in found.items()}
    return [(part, ensembles[part], dataset) for part, datasets in found.items() for dataset in datasets]


def read_tables(sampled: list[tuple[str, Ensemble, xr.Dataset]], most: int) -> list[Table]:
    """The table of the training ensemble, of ``most`` configurations at most, and those of the others, whole."""
    from lattice_ml.workflows.white_boxes.data import read_table

    return [read_table(*one, None if number else most) for number, one in enumerate(sampled)]
