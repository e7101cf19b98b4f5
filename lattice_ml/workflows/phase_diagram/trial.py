"""One trial of a search among classifiers of phases: the net of ``phase_diagram``, trained and tested."""

from __future__ import annotations

import csv
import hashlib
import json
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

import numpy as np

from lattice_ml.ground.errors import UserError
from lattice_ml.ground.files import Taken, lock, write_file
from lattice_ml.runs.run import Place, Run
from lattice_ml.runs.training import seed_everything
from lattice_ml.runs.trial_run import open_trial, opening
from lattice_ml.search.outcome import Outcome, trainable_numbers
from lattice_ml.workflows.phase_diagram.names import LABELS, name_phases
from lattice_ml.workflows.phase_diagram.training import build_net, train

if TYPE_CHECKING:
    import xarray as xr
    from lightning import Callback

    from lattice_ml.data.datamodule import EnsembleData
    from lattice_ml.phases.label import Labels
    from lattice_ml.systems.base import System
    from lattice_ml.tasks.classify_phase import ClassifyPhase
    from lattice_ml.workflows.phase_diagram.workflow import PhaseDiagram


def try_phase(workflow: PhaseDiagram, place: Place, watch: Callback, limit: int | None) -> Outcome:
    """Train the workflow's classifier and test it: ``Workflow.try_once``.

    validation and test of the outcome are cross-entropies in nats, without the penalty on the weights, whose strength
    may be searched: of the epoch whose weights are kept, and on the test replicas.
    """
    from lattice_ml.ground.checkpoints import keep_threads

    seed_everything(workflow.seed)
    system = workflow.ensemble.system
    parameters = feasible(workflow, system, limit)
    workflow.check()
    if workflow.party().world_size > 1:
        raise UserError("a trial trains in one process: leave out trainer=ddp and trainer.devices.")
    workflow.prepare()
    seed_everything(workflow.seed)  # the checks have built nets
    net = workflow.fresh_net(system)
    with open_trial(place, workflow.logger, workflow.ensembles) as (run, loggers):
        run.results["system"] = system.parameters()
        with opening(run), keep_threads():
            ensemble = workflow.ensemble.sample_one()
        with run.step("embed", "naming the phases"), keep_threads():
            labels = shared_labels(workflow, run, system, ensemble)
        with run.step("train", "training and testing"):
            data = workflow.labelled(system, ensemble, labels)
            best = train(workflow.training, workflow.task, run, data, net, loggers, ensemble.sizes["sample"], [watch])
        metrics = run.results["metrics"]
        found = Outcome(
            validation=logged(run, metrics["best_epoch"]["value"], "val/cross_entropy"),
            parameters=parameters,
            test=cross_entropy(best, data, "test"),
            scores={name: float(metrics[name]["value"]) for name in ("test_accuracy", "validation_loss")},
        )
        metrics["test_cross_entropy"] = {"value": found.test, "error": None, "n": len(data.index["test"])}
    return found


def feasible(workflow: PhaseDiagram, system: System, limit: int | None) -> int:
    """The trainable numbers of the net; raises ``Infeasible`` where it cannot be built or has more than ``limit``."""
    return trainable_numbers(lambda: build_net(workflow.model, system), limit)


def shared_labels(workflow: PhaseDiagram, run: Run, system: System, ensemble: xr.Dataset) -> Labels:
    """The labels that ``PhaseDiagram`` would find, found by the first trial of the study and copied by the others.

    They lie in the study's own folder. Trials that start together wait for the first of them.
    """
    shared, own = run.folder.parent / "study" / labels_name(workflow, system), run.folder / LABELS
    shared.parent.mkdir(exist_ok=True)
    if not own.exists():
        with ExitStack() as held:
            while not shared.exists():
                try:
                    held.enter_context(lock(shared.with_name(f".{shared.name}.lock"), "found by another trial"))
                    break
                except Taken:
                    time.sleep(0.2)
            if not shared.exists():
                labels = name_phases(workflow.phases, run, system, ensemble, workflow.data.memory)
                write_file(shared, own.read_bytes())
                return labels
        write_file(own, shared.read_bytes())
    return name_phases(workflow.phases, run, system, ensemble, workflow.data.memory)


def labels_name(workflow: PhaseDiagram, system: System) -> str:
    """``labels-<hash>.npz``, by all that labels are a function of: a search may draw some of it."""
    known = [system.parameters(), workflow.ensemble.plan.attributes(), workflow.phases.model_dump()]
    identity = json.dumps([*known, list(system.extents), workflow.data.memory, workflow.seed], sort_keys=True)
    return f"labels-{hashlib.sha256(identity.encode()).hexdigest()[:12]}.npz"


def logged(run: Run, epoch: int, name: str) -> float:
    """A metric of an epoch, as ``metrics.csv`` has it."""
    with (run.folder / "metrics.csv").open(encoding="utf-8") as file:
        return next(float(row[name]) for row in csv.DictReader(file) if int(row["epoch"]) == epoch)


def cross_entropy(classifier: ClassifyPhase, data: EnsembleData, side: str) -> float:
    """Mean of -ln p(label) over the configurations of a side of the split, in nats."""
    truth = data.labels.cpu()[data.index[side]].numpy()
    found = np.concatenate([classifier.probabilities(states) for states in data.parts(side)])
    likely = found[np.arange(len(truth)), truth].astype(np.float64)
    return float(-np.log(np.maximum(likely, np.finfo(np.float32).tiny)).mean())
