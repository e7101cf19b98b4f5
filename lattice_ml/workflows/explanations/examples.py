"""A room in a finished run for one explanation of it: ``<run>/explain/<method>/``, with figures, results.json and a
page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from lattice_ml.ensembles.store import points_of
from lattice_ml.ground.errors import UserError
from lattice_ml.ground.files import disk_errors, lock
from lattice_ml.runs.run import LOCK, Place, Run
from lattice_ml.workflows.explanations.explained import Explained
from lattice_ml.workflows.explanations.finished_run import FinishedRun

if TYPE_CHECKING:
    import torch

    from lattice_ml.systems.base import System

ROWS = 4000
"""Configurations of an ensemble that an explanation looks at, at most."""


class Examples(NamedTuple):
    """Configurations that a net has not learned from: states ``[n, species, x, y]``, where they were drawn, and
    (point, replica) of each, int64 ``[n, 2]``."""

    states: np.ndarray
    points: list[dict[str, float]]
    trajectory: np.ndarray

    def parameter(self, name: str) -> np.ndarray:
        """A control parameter of every configuration."""
        return np.array([point[name] for point in self.points])


@contextmanager
def open_room(
    finished: FinishedRun, system: System, method: str, settings: Mapping[str, Any], steps: int
) -> Iterator[Run]:
    """The room, held for this process alone; an explanation that is there already is made anew.

    Its ``config.yaml`` is that of the run with ``explain``, the settings.
    """
    folder = finished.folder / "explain" / method
    with disk_errors(folder, "another run folder"):
        folder.mkdir(parents=True, exist_ok=True)
        with lock(folder / LOCK, f"another process is at work in {folder}: wait for it."):
            (folder / "report.html").unlink(missing_ok=True)
            name, told = f"{finished.name}: {method}", {"run": str(finished.folder), "method": method, **settings}
            record = {**finished.record, "explain": told, "name": name}
            run = Run(folder, Place(folder.parents[1], name, method, finished.seed, record), steps)
            run.results["run"] = finished.folder.name
            run.results["system"] = system.parameters()
            run.results["explain"] = told
            yield run


def examples(found: Explained, most: int = ROWS) -> Examples:
    """Configurations that the net has not learned from, ``most`` at most, spread evenly over points, replicas and
    samples."""
    dataset = found.unseen()
    configurations = dataset["configurations"].transpose("point", "replica", "sample", "species", "x", "y")
    points, replicas, samples = configurations.shape[:3]
    numbers = np.arange(points * replicas * samples)
    if len(numbers) > most:
        numbers = np.unique(np.linspace(0, len(numbers) - 1, most).round().astype(int))
    where = np.stack(np.unravel_index(numbers, (points, replicas, samples)), axis=1)
    states = []
    for point in range(points):
        own = where[where[:, 0] == point]
        if len(own):
            states.append(configurations[point].to_numpy()[own[:, 1], own[:, 2]])
    known = points_of(dataset)
    return Examples(np.concatenate(states), [known[k] for k in where[:, 0]], where[:, :2])


def channels(found: Explained, states: np.ndarray) -> torch.Tensor:
    """What the net sees, float32 ``[n, channel, x, y]``."""
    import torch

    return found.system.to_channels(torch.from_numpy(states.astype(np.int32)))


def output_number(found: Explained, wanted: str | None) -> int | None:
    """The number of an output by name; None where none was named. Raises ``UserError`` for an unknown one."""
    if wanted is None:
        return None
    if wanted not in found.outputs:
        raise UserError(
            f"the net of {found.folder} has no output {wanted!r}: give output=<one of {', '.join(found.outputs)}>."
        )
    return found.outputs.index(wanted)


def observable(found: Explained, sample: Examples, name: str) -> np.ndarray:
    """An observable, or a control parameter, of every configuration. Raises ``UserError`` for an unknown name."""
    if name in sample.points[0]:
        return sample.parameter(name)
    values = observables(found, sample)
    if name not in values:
        known = [*sample.points[0], *values]
        raise UserError(f"{found.system.name} has no {name}: give colour=[...] of {', '.join(known)}.")
    return values[name]


def observables(found: Explained, sample: Examples) -> dict[str, np.ndarray]:
    """Every observable of the system, ``[n]`` each."""
    result: dict[str, np.ndarray] = {}
    for number in np.unique(sample.trajectory[:, 0]):
        rows = sample.trajectory[:, 0] == number
        point = sample.points[int(np.argmax(rows))]
        for name, values in found.system.observables(sample.states[rows], point).items():
            result.setdefault(name, np.empty(len(rows)))[rows] = values
    return result
