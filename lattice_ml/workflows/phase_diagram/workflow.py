"""From an empty folder to a phase diagram with its reasons (Casert et al., PRE 99, 023304).

sample -> embed and name the phases without labels -> train a classifier on those names -> predict at other densities
and find where the class probabilities cross -> show what the net looked at -> report.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from lattice_ml.data.settings import DataSettings
from lattice_ml.ensembles.ensemble import Ensemble, speaking_of
from lattice_ml.ground.errors import UserError
from lattice_ml.ground.ranges import Text
from lattice_ml.ground.recipe import Recipe
from lattice_ml.phases.label_file import load_labels
from lattice_ml.phases.settings import Naming
from lattice_ml.runs.loggers import open_loggers, publish
from lattice_ml.runs.run import Place, Run
from lattice_ml.runs.training import Training
from lattice_ml.workflows.common.protocol import tell_protocols
from lattice_ml.workflows.phase_diagram import checks
from lattice_ml.workflows.phase_diagram.names import LABELS, name_phases
from lattice_ml.workflows.phase_diagram.training import build_net, label_by_point, resume_point, train
from lattice_ml.workflows.workflow import Workflow

if TYPE_CHECKING:
    import xarray as xr
    from lightning import Callback, Trainer
    from torch import nn

    from lattice_ml.data.datamodule import EnsembleData
    from lattice_ml.phases.label import Labels
    from lattice_ml.search.outcome import Outcome
    from lattice_ml.systems.base import System
    from lattice_ml.tasks.classify_phase import ClassifyPhase
    from lattice_ml.workflows.explanations.explained import Explained


@dataclass(frozen=True, kw_only=True)
class PhaseDiagram(Workflow):
    """ensemble: one scan along the system's control parameter, on which phases are named and the net is trained.
    survey, further: elsewhere in parameter space on the same torus, where the net is asked. phases: how they are named.
    model: the net, given ``in_channels``, ``extents`` and ``classes``. task: ``ClassifyPhase``, given ``net`` and
    ``system``. ckpt_path: a checkpoint whose weights the training starts from.
    """

    ensemble: Ensemble
    survey: Ensemble | None = None
    further: Mapping[str, Ensemble] = field(default_factory=dict)
    phases: Naming = field(default_factory=Naming)
    data: DataSettings
    model: Recipe[nn.Module]
    models: Mapping[str, Recipe[Any]] | None = None
    task: Recipe[ClassifyPhase]
    training: Training
    ckpt_path: Text | None = None

    trial_reads: ClassVar[tuple[str, ...]] = ("ensemble",)

    @property
    def steps(self) -> int:
        return 6

    @property
    def ensembles(self) -> dict[str, Ensemble]:
        survey = {} if self.survey is None else {"survey": self.survey}
        return {"ensemble": self.ensemble, **survey, **self.further}

    def check(self) -> None:
        """Raise ``UserError`` on choices that are made for workflow=compare_nets, and on a net that does not fit."""
        from lattice_ml.tasks.classify_phase import ClassifyPhase

        classifies = issubclass(self.task.kind, ClassifyPhase)
        if self.models or "layers" in self.model.settings or self.data.split is None or not classifies:
            raise UserError(
                "workflow=phase_diagram trains one net to classify phases: leave out models, and give model=phase_cnn, "
                "data=default and task=classify_phase, or an experiment that compares, e.g. experiment=flux_regression."
            )
        build_net(self.model, self.ensemble.system)

    def party(self) -> Trainer:
        return checks.build_party(self.training)

    def prepare(self) -> None:
        system = self.ensemble.system
        checks.require_dealt(self.data, self.ensemble, self.seed)
        checks.require_metrics(self.training.callbacks)
        checks.require_disjoint(self.ensemble, self.survey, system)
        self.fresh_net(system)
        for key, ensemble in self.ensembles.items():
            with speaking_of(key):
                ensemble.single.prepare()  # last: it makes the store

    def fresh_net(self, system: System) -> nn.Module:
        """The net before its training, with the weights of ``ckpt_path`` if one is given."""
        from lattice_ml.tasks.classify_phase import load_classifier

        net = build_net(self.model, system)
        if self.ckpt_path not in (None, "last"):  # an unfinished run goes on from its last one in any case
            load_classifier(self.ckpt_path, net, system)  # leaves its weights in the net
        return net

    def labelled(self, system: System, ensemble: xr.Dataset, labels: Labels) -> EnsembleData:
        """The training ensemble with its labels, as batches."""
        return label_by_point(self.data, system, ensemble, labels, self.seed)

    def follow(self, folder: Path) -> None:
        """Train along on the leader's ensemble and labels, and leave everything else to it."""
        system = self.ensemble.system
        net, labels = build_net(self.model, system), load_labels(folder / LABELS)
        if labels is None:
            raise UserError(f"{folder / LABELS} cannot be read on this node: give a paths.runs that all nodes share.")
        data = self.labelled(system, self.ensemble.open(), labels)
        resume = resume_point(folder / "checkpoints", net, system)
        self.training.fit(folder, self.task(net=net, system=system), data, [], resume)

    def run(self, run: Run) -> None:
        """The six steps."""
        from lattice_ml.figures import captions
        from lattice_ml.ground.checkpoints import keep_threads
        from lattice_ml.workflows.phase_diagram import figures as phase_figures

        system = self.ensemble.system
        net = self.fresh_net(system)
        run.results["system"] = system.parameters()
        names = " and ".join(ensemble.name for ensemble in self.ensembles.values())
        with run.step("sample", f"sampling {names}"), keep_threads():
            sampled = {role: one.sample_one() for role, one in self.ensembles.items()}
            tell_protocols(run, {role: [(self.ensembles[role], one)] for role, one in sampled.items()})
        ensemble = sampled.pop("ensemble")
        with run.step("embed", "embedding without labels and naming the phases"), keep_threads():
            labels = name_phases(self.phases, run, system, ensemble, self.data.memory)
        with open_loggers(self.logger, run, self.ensembles) as loggers:
            run.announce()
            with run.step("train", "training the classifier"):
                data = self.labelled(system, ensemble, labels)
                classifier = train(self.training, self.task, run, data, net, loggers, ensemble.sizes["sample"])
            with run.step("predict", "predicting phases and finding boundaries"):
                held_out = np.sort(np.concatenate([data.replicas["val"], data.replicas["test"]]))
                predict(run, system, classifier, [ensemble.isel(replica=held_out), *sampled.values()], self.seed)
            with run.step("explain", "asking the net where it looked"):
                explain(run, system, classifier, labels, ensemble.isel(replica=data.replicas["test"]))
            with run.step("report", "writing the report"):
                publish(loggers, run)
                captions.tell(run.figures, phase_figures.STORY)

    def reopen(self, folder: Path, net: str | None = None) -> Explained:
        from lattice_ml.tasks.classify_phase import load_classifier
        from lattice_ml.workflows.explanations.explained import Explained

        system = self.ensemble.system
        task = load_classifier(folder / "checkpoints" / "best.ckpt", build_net(self.model, system), system)
        return Explained(folder, system, task, task, task.phases, True, self.unseen)

    def unseen(self) -> xr.Dataset:
        """The replicas of the test."""
        return checks.test_replicas(self.data, self.ensemble, self.seed)

    def try_once(self, place: Place, watch: Callback, limit: int | None) -> Outcome:
        from lattice_ml.workflows.phase_diagram.trial import try_phase

        return try_phase(self, place, watch, limit)


def predict(run: Run, system: System, classifier: ClassifyPhase, parts: list[xr.Dataset], seed: int) -> None:
    """Class probabilities and their crossings.

    parts: the ensemble trained on, with the replicas alone that the net was not trained on, and the survey.
    """
    from lattice_ml.ensembles.store import points_of
    from lattice_ml.phases.boundary import boundary_table
    from lattice_ml.phases.scan import place_of, scans_of
    from lattice_ml.workflows.phase_diagram import figures as phase_figures

    rows, scans = [], []
    for part in parts:
        points, found = points_of(part), probabilities(classifier, part["configurations"])
        rows += boundary_table(points, found, system.phases, system.control, seed=seed)
        scans += scans_of(points, found, system.control)
    scans.sort(key=lambda scan: list(scan.place.values()))
    run.results["boundaries"] = sorted(rows, key=lambda row: phase_figures.number_of(row, scans))
    trained = [dict(place) for place in sorted({place_of(point, system.control) for point in points_of(parts[0])})]
    phase_figures.draw_predictions(run.figures, system, scans, run.results["boundaries"], trained)


def probabilities(classifier: ClassifyPhase, configurations: xr.DataArray) -> np.ndarray:
    """Float32 ``[point, replica, sample, class]`` of a whole ensemble, of which one point at a time is read."""
    ordered = configurations.transpose("point", "replica", "sample", "species", "x", "y")
    found, rest = [], np.empty((0, *ordered.shape[3:]), ordered.dtype)
    for point in ordered:
        states = np.concatenate((rest, point.to_numpy().reshape(-1, *ordered.shape[3:])))
        whole = len(states) // 256 * 256  # in blocks that no point's end cuts short
        found.append(classifier.probabilities(states[:whole]))
        rest = states[whole:]
    return np.concatenate([*found, classifier.probabilities(rest)]).reshape(*ordered.shape[:3], -1)


def explain(run: Run, system: System, classifier: ClassifyPhase, labels: Labels, test: xr.Dataset) -> None:
    """Saliency of a configuration from the middle of the range of a phase in between, of a test replica."""
    from lattice_ml.ensembles.store import points_of
    from lattice_ml.explain.attribution import saliency
    from lattice_ml.workflows.phase_diagram import figures as phase_figures

    phase = system.phases[len(system.phases) // 2]
    control = np.asarray(test[system.control].values)
    point = labels.middle(control, system.phases.index(phase))
    states = test["configurations"][point, 0, -1].to_numpy()
    phase_figures.draw_saliency(
        run.figures,
        system,
        states,
        saliency(classifier, states, phase),
        phase,
        points_of(test)[point],
    )
