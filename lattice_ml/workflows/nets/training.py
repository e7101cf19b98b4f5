"""The training of one net on one number of configurations, and its test on everything that is asked of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lattice_ml.data.settings import DataSettings
from lattice_ml.ground.recipe import Recipe
from lattice_ml.runs.evaluation import evaluate, load
from lattice_ml.runs.run import Run
from lattice_ml.runs.training import Training
from lattice_ml.workflows.nets.data import Lesson, Test, build_data, cases
from lattice_ml.workflows.nets.results import Trained, loss_of

if TYPE_CHECKING:
    from lightning import Callback
    from lightning.pytorch.loggers import Logger

    from lattice_ml.nets.lattice_cnn import LatticeCNN
    from lattice_ml.workflows.nets.workflow import CompareNets

EVALUATION = "evaluation.npz"
"""Of a finished training: its scores on every test ensemble."""


def learn(
    workflow: CompareNets,
    run: Run,
    loggers: list[Logger],
    name: str,
    model: Recipe[LatticeCNN],
    size: int | None,
    lesson: Lesson,
    tests: list[Test],
    callbacks: Sequence[Callback] = (),
) -> Trained:
    """Train the instances of one net on ``size`` configurations (None: all) and test them; once, whatever happens.

    ``callbacks`` are told of the training beside those of the configuration.
    """
    from lattice_ml.runs.fit_members import fit_members

    system = workflow.ensemble.system
    data = build_data(workflow.data, system, lesson, size, workflow.seed)
    task = workflow.instances(name, model, system)
    samples = int(data.index["train"].shape[1])
    folder = folder_of(run.folder, workflow.once, name, samples)
    told = load(folder / EVALUATION)
    if told is None:
        batches = len(data.train_dataloader())
        training = with_steps(workflow.training, workflow.data, size, batches)
        run.console.print(f"{name} on {samples:,} configurations, {training.epochs * batches:,} steps", highlight=False)
        fit_members(training, run, folder, task, data, loggers if folder == run.folder else [], callbacks)
        validation = data.index["val"].unique()
        task.to(data.states.device)
        kept = task.judge(data.states[validation].cpu().numpy(), data.targets[validation].cpu().numpy())
        told = evaluate(cases(task, tests), task.predict, task.grade, kept[loss_of(kept)])
        told.save(folder / EVALUATION)
    return Trained(name, samples, told)


def with_steps(training: Training, settings: DataSettings, size: int | None, batches: int) -> Training:
    """The training for the epochs that take ``settings.steps`` gradient steps, if that is given and they are fewer.

    ``settings.steps`` is a number for all sizes or a list that goes with ``settings.sizes``. A fixed number of epochs
    would train small sets for a few steps only, and the schedule ends with the last one.
    """
    steps = settings.steps
    if steps is None:
        return training
    own = steps if isinstance(steps, int) else steps[(settings.sizes or []).index(size)]
    return training.with_epochs(min(training.epochs, math.ceil(own / batches)))


def folder_of(run: Path, once: bool, name: str, samples: int) -> Path:
    """Where a training has its checkpoints: the run's folder if it is the only one, else one of its own."""
    return run if once else run / "nets" / f"{name}-{samples}"


def newest_training(run: Path, name: str) -> Path:
    """The folder of a net's training on the most configurations; the run's own if it is the only one."""
    trained = sorted((run / "nets").glob(f"{name}-*"), key=lambda path: int(path.name.rpartition("-")[2]))
    return trained[-1] if trained else run
