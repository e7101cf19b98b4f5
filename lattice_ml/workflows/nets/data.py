"""The configurations that nets are compared on, with what is asked of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from lattice_ml.data.settings import DataSettings
from lattice_ml.ensembles.ensemble import Ensemble
from lattice_ml.runs.evaluation import Case
from lattice_ml.runs.run import Run
from lattice_ml.workflows.common.protocol import protocol_of, torus_of

if TYPE_CHECKING:
    import xarray as xr

    from lattice_ml.data.members import MemberData
    from lattice_ml.systems.base import System
    from lattice_ml.tasks.members import MemberTask


class Test(NamedTuple):
    """A test ensemble on one torus, with the system on that torus, and what it is for: survey, extrapolation, …"""

    part: str
    system: System
    dataset: xr.Dataset


class Lesson(NamedTuple):
    """The training ensemble, read once: states of the smallest integers ``[configuration, species, x, y]``, targets
    ``[configuration, output]``, and the replica number of each."""

    states: np.ndarray
    targets: np.ndarray
    replica: np.ndarray


def sample(run: Run, ensembles: Mapping[str, Ensemble], force: bool) -> tuple[xr.Dataset, list[Test]]:
    """The training ensemble and the test ensembles, one for each torus; refuses what is not equilibrated.

    ensembles: by their roles, that of the training is ``ensemble``. force: take what is not proven equilibrated.
    """
    from lattice_ml.ensembles.equilibration import require_equilibrated, verdict_in_words

    run.results["equilibration"] = {}
    found: dict[str, list[xr.Dataset]] = {}
    for part, ensemble in ensembles.items():
        found[part] = ensemble.sample()
        for path in ensemble.paths:
            require_equilibrated(path, force=force)
            run.results["equilibration"][path.name] = verdict_in_words(path)
    run.results["protocol"] = {part: protocol_of(*datasets) for part, datasets in found.items()}
    (training,) = found.pop("ensemble")
    tests = [
        Test(part, member.system, dataset)
        for part, datasets in found.items()
        for member, dataset in zip(ensembles[part].members, datasets, strict=True)
    ]
    return training, tests


def read_lesson(task: type[MemberTask], system: System, training: xr.Dataset) -> Lesson:
    """Every configuration of the training ensemble with its target, in the order (point, replica, sample)."""
    from lattice_ml.data.pieces import smallest_integer

    states = training["configurations"].values
    replica = np.broadcast_to(np.arange(states.shape[1])[:, None], states.shape[:3])
    small = states.astype(smallest_integer(int(states.min()), int(states.max())))
    return Lesson(small.reshape(-1, *states.shape[3:]), targets_of(task, system, training), replica.ravel())


def build_data(settings: DataSettings, system: System, lesson: Lesson, size: int | None, seed: int) -> MemberData:
    """Batches of ``size`` configurations (None: all); a replica number is on one side of training and validation."""
    from lattice_ml.data.members import MemberData

    assert settings.members is not None  # checked before any work
    return MemberData(
        lesson.states,
        lesson.targets,
        system,
        members=settings.members,
        batch_size=settings.batch_size,
        validation=settings.validation,
        size=size,
        seed=seed,
        augment=settings.augmentation(),
        groups=lesson.replica,
    )


def targets_of(task: type[MemberTask], system: System, dataset: xr.Dataset) -> np.ndarray:
    """What the task asks of every configuration ``[configuration, output]``, in the order (point, replica, sample)."""
    from lattice_ml.ensembles.store import points_of

    wanted = []
    for number, point in enumerate(points_of(dataset)):
        states = dataset["configurations"][number].to_numpy()
        wanted.append(task.targets(system, states.reshape(-1, *states.shape[2:]), point))
    return np.concatenate(wanted)


def all_targets(task: type[MemberTask], lesson: Lesson, tests: list[Test]) -> dict[str, np.ndarray]:
    """The targets of the training ensemble and of the tests, those of one torus together."""
    found = {"training": [lesson.targets]}
    for test in tests:
        if test.part == "survey":
            torus = torus_of(test.dataset).replace("x", " × ")
            found.setdefault(torus, []).append(targets_of(task, test.system, test.dataset))
    return {name: np.concatenate(parts) for name, parts in found.items()}


def cases(task: MemberTask, tests: list[Test]) -> Iterator[Case]:
    """Every test ensemble that the net takes, point by point; a net that flattens takes its own torus alone."""
    from lattice_ml.ensembles.store import points_of

    for part, system, dataset in tests:
        if task.net.template.architecture == "FL" and system.extents != task.net.template.extents:
            continue
        chain = np.repeat(np.arange(dataset.sizes["replica"]), dataset.sizes["sample"])
        for number, point in enumerate(points_of(dataset)):
            states = dataset["configurations"][number].to_numpy()
            states = states.reshape(-1, *states.shape[2:])
            yield Case(part, torus_of(dataset), point, states, task.targets(system, states, point), chain)
