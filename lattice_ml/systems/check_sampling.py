"""What is asked of a sampler: the law is its own affair, the bits are not."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lattice_ml.ground.errors import UserError
from lattice_ml.systems.base import Lane, Point, Sampler, System

BAD_TIMES = ((4.0, 4.0), (8.0, 4.0), (-4.0, 4.0))


class Stopped(Exception):
    """Raised out of a tick."""


@dataclass(frozen=True)
class Trial:
    """A system and its sampler at a point, and the lanes on which they are tried."""

    system: System
    sampler: Sampler
    point: Point
    times: tuple[float, ...]
    start: str

    @property
    def lanes(self) -> list[Lane]:
        """Two replicas, and another point if one a little above is physical."""
        control = self.system.control
        above = {**self.point, control: self.point[control] * 1.1}
        try:
            self.system.validate(above)
            self.sampler.validate(self.system, above, self.times)
        except UserError:
            above = dict(self.point)
        return [Lane(self.point, 0, self.times), Lane(self.point, 1, self.times), Lane(above, 2, self.times)]

    def sample(self, lanes: Sequence[Lane], seed: int = 0, start: str | None = None) -> np.ndarray:
        """``[lane, time, species, x, y]`` on the host."""
        found = self.sampler.sample(self.system, lanes, seed, start or self.start, lambda work: None)
        return np.asarray(self.sampler.device.get(found))


def check_layout(trial: Trial, states: np.ndarray) -> Iterator[str]:
    """Shape and type of what was sampled; nothing else can be asked of another shape."""
    system = trial.system
    expected = (len(trial.lanes), len(trial.times), len(system.species), *system.extents)
    if states.shape != expected:
        yield f"sample gives an array {states.shape}, not [lane, time, species, x, y] = {expected}"
    if states.dtype != np.dtype(system.dtype):
        yield f"sample gives {states.dtype}, and the system's dtype is {system.dtype}"


def check_states(trial: Trial, states: np.ndarray) -> Iterator[str]:
    """The system's own laws hold in what was sampled."""
    for lane, own in zip(trial.lanes, states, strict=True):
        try:
            trial.system.check(own, lane.point)
        except RuntimeError as error:
            yield f"check refuses what was sampled: {error}"
            return


def check_bits(trial: Trial, states: np.ndarray) -> Iterator[str]:
    """The bits of a lane depend on seed, point, replica, start and settings, and on nothing else."""
    lanes, times = trial.lanes, trial.times
    if not np.array_equal(trial.sample(lanes), states):
        yield "the same call gives other states the second time: draw from the lane's own stream alone"
        return
    for n, lane in enumerate(lanes):
        if not np.array_equal(trial.sample([lane])[0], states[n]):
            yield "a lane that is sampled alone is another than beside its neighbours: give each lane its own stream"
            return
    if not np.array_equal(trial.sample(lanes[::-1])[::-1], states):
        yield "the order of the lanes in a call changes their states: give each lane its own stream"
    first = Lane(trial.point, 0, times[:1])
    if not np.array_equal(trial.sample([first])[0, 0], states[0, 0]):
        yield (
            f"the read-out at time {times[0]:g} is another one if the trajectory goes on: copy the state that is read "
            "out"
        )
    elif not np.array_equal(trial.sample([Lane(trial.point, 0, times[-1:])])[0, 0], states[0, -1]):
        yield (
            f"the state at time {times[-1]:g} depends on the read-outs before it, so on how time is sliced: two sweeps "
            "must be one and another one"
        )
    if np.array_equal(states[:, 0], states[:, -1]):
        yield f"nothing has moved from time {times[0]:g} to {times[-1]:g}: see advance, or try another point"
        return
    if np.array_equal(trial.sample(lanes, seed=1), states):
        yield "the seed changes nothing: draw from the stream of (seed, replica, point)"
    if np.array_equal(states[0], states[1]):
        yield "two replicas of a point are the same trajectory: the stream lacks the replica"


def check_ticks(trial: Trial) -> Iterator[str]:
    """Progress is told, and a campaign can be stopped."""
    told: list[float] = []
    trial.sampler.sample(trial.system, trial.lanes, 0, trial.start, told.append)
    work = sum(trial.system.work(lane.point) * lane.times[-1] for lane in trial.lanes)
    if not told:
        yield "sample never calls tick: tell it of the work that is done, so that a campaign shows progress and stops"
        return
    if not 0.9 * work <= sum(told) <= 1.1 * work:
        yield f"tick is told of {sum(told):g} in all, and work(point) × time is {work:g}"

    def stop(work: float) -> None:
        raise Stopped

    try:
        trial.sampler.sample(trial.system, trial.lanes, 0, trial.start, stop)
    except Stopped:
        return
    yield "sample goes on when tick raises: let the exception through"


def check_starts(trial: Trial) -> Iterator[str]:
    """Every start that is named can be prepared and is another one; no other is taken."""
    early = [lane._replace(times=trial.times[:1]) for lane in trial.lanes]
    found: dict[str, np.ndarray] = {}
    for start in trial.system.starts:
        try:
            found[start] = trial.sample(early, start=start)
        except (UserError, NotImplementedError) as error:
            yield f"the start {start!r} is among starts, and cannot be prepared: {error}"
    for start, states in found.items():
        for other in found:
            if other < start and np.array_equal(states, found[other]):
                yield f"the starts {other!r} and {start!r} give the same trajectories: one of them is not prepared"
    try:
        trial.sample(early, start="no such start")
    except UserError:
        return
    yield "a start that is not among starts is taken: raise UserError, or what was mistyped is sampled"


def check_settings(trial: Trial) -> Iterator[str]:
    """What a store must know of the sampler."""
    for name, value in (
        ("settings", trial.sampler.settings(trial.point)),
        ("record", trial.sampler.record(trial.system, trial.point)),
    ):
        fault = not_plain(value)
        if fault:
            yield f"{name}(point) of the sampler {fault}"
    for times in BAD_TIMES:
        try:
            trial.sampler.validate(trial.system, trial.point, times)
        except UserError:
            continue
        yield f"validate of the sampler takes the read-out times {list(times)}, which do not increase from above 0"
        return
    lanes = trial.sampler.lanes_at_once(trial.system, trial.point, 1)
    if not isinstance(lanes, int) or lanes < 1:
        yield f"lanes_at_once gives {lanes!r}, not a whole number of at least 1"


def not_plain(value: Any) -> str | None:
    """What keeps a value from being a mapping of plain JSON values, that it comes back from a file as it was."""
    if not isinstance(value, dict):
        return f"gives a {type(value).__name__}, not a dict"
    try:
        back = json.loads(json.dumps(value, allow_nan=False))
    except (TypeError, ValueError) as error:
        return f"holds what is no JSON ({error}): give plain numbers, texts and lists"
    if back != value:
        changed = next(key for key in value if back.get(str(key)) != value[key])
        return f"holds {changed} = {value[changed]!r}, which JSON turns into something else: give lists, no tuples"
    return None
