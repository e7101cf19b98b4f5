"""The configurations that nets are compared on, with what is asked of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from hydra.utils import get_class
from omegaconf import DictConfig

from lattice_ml.cli.runtime import build
from lattice_ml.data.members import MemberData
from lattice_ml.data.pieces import smallest_integer
from lattice_ml.ensembles.store import points_of
from lattice_ml.runs.evaluation import Case
from lattice_ml.tasks.members import MemberTask
from lattice_ml.workflows.common.protocol import on_torus, torus_of

if TYPE_CHECKING:
    import xarray as xr

    from lattice_ml.systems.base import System

Test = tuple[str, "xr.Dataset"]
"""A test ensemble on one torus and what it is for: survey or extrapolation."""


class Lesson(NamedTuple):
    """The training ensemble, read once: states of the smallest integers ``[configuration, species, x, y]``, targets
    ``[configuration, output]``, and the replica number of each."""

    states: np.ndarray
    targets: np.ndarray
    replica: np.ndarray


def read_lesson(config: DictConfig, training: xr.Dataset) -> Lesson:
    """Every configuration of the training ensemble with its target, in the order (point, replica, sample)."""
    states = training["configurations"].values
    replica = np.broadcast_to(np.arange(states.shape[1])[:, None], states.shape[:3])
    small = states.astype(smallest_integer(int(states.min()), int(states.max())))
    return Lesson(small.reshape(-1, *states.shape[3:]), targets_of(config, training), replica.ravel())


def build_data(config: DictConfig, system: System, lesson: Lesson, size: int | None) -> MemberData:
    """Batches of ``size`` configurations (None: all); a replica number is on one side of training and validation."""
    return MemberData(
        lesson.states,
        lesson.targets,
        system,
        members=config.data.members,
        batch_size=config.data.batch_size,
        validation=config.data.validation,
        size=size,
        seed=config.seed,
        augment=None if config.data.augment is None else build(config.data.augment),
        groups=lesson.replica,
    )


def targets_of(config: DictConfig, dataset: xr.Dataset) -> np.ndarray:
    """What the task asks of every configuration ``[configuration, output]``, in the order (point, replica, sample)."""
    system = on_torus(config, dataset)
    wanted = []
    for number, point in enumerate(points_of(dataset)):
        states = dataset["configurations"][number].to_numpy()
        wanted.append(get_class(config.task._target_).targets(system, states.reshape(-1, *states.shape[2:]), point))
    return np.concatenate(wanted)


def all_targets(config: DictConfig, lesson: Lesson, tests: list[Test]) -> dict[str, np.ndarray]:
    """The targets of the training ensemble and of the tests, those of one torus together."""
    found = {"training": [lesson.targets]}
    for part, dataset in tests:
        if part == "survey":
            found.setdefault(torus_of(dataset).replace("x", " × "), []).append(targets_of(config, dataset))
    return {name: np.concatenate(parts) for name, parts in found.items()}


def cases(config: DictConfig, task: MemberTask, tests: list[Test]) -> Iterator[Case]:
    """Every test ensemble that the net takes, point by point; a net that flattens takes its own torus alone."""
    targets = get_class(config.task._target_).targets
    for part, dataset in tests:
        extents = (dataset.sizes["x"], dataset.sizes["y"])
        if task.net.template.architecture == "FL" and extents != task.net.template.extents:
            continue
        system = build(config.system, extents=extents)
        chain = np.repeat(np.arange(dataset.sizes["replica"]), dataset.sizes["sample"])
        for number, point in enumerate(points_of(dataset)):
            states = dataset["configurations"][number].to_numpy()
            states = states.reshape(-1, *states.shape[2:])
            yield Case(part, torus_of(dataset), point, states, targets(system, states, point), chain)
