"""What a sampler of a lattice system is to the rest of the house: one kernel, and a default for everything else."""

from __future__ import annotations

import inspect
import json
import time
import zlib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from lattice_ml.ground.errors import UserError
from lattice_ml.kernels.device import Device, Where, open_device
from lattice_ml.systems.base import Point

TICK_EVERY = 0.1
"""Seconds between two calls of ``tick`` by a sampler that ``advance`` makes, or the time of a sweep if that is more."""


class Lane(NamedTuple):
    """One independent trajectory: a parameter point, a replica number, and the times at which it is read out.

    times: increasing, > 0, since the start state.
    """

    point: Point
    replica: int
    times: Sequence[float]


Tick = Callable[[float], None]
"""Called with the work done since the last call (particles × time); it may raise to stop the sampler."""


class Sampler:
    """An algorithm that draws trajectories of a system.

    The short way to one is ``advance``, a kernel on one lattice; a sampler that does several lattices at once, or runs
    on a GPU, writes ``sample`` itself. Its constructor takes ``device`` ("auto", "cpu" or "cuda") and ``trajectories``,
    the number of the whole campaign, on which a default may depend.
    """

    device: Device
    """Where it runs; ``device.get`` brings what ``sample`` returned to the host."""
    version: int = 1
    """Of the bits: raise it whenever a change of the code changes them."""

    def __init__(self, device: Where = "auto", trajectories: int = 1) -> None:
        if device not in ("auto", "cpu"):
            raise UserError(f"{type(self).__name__} runs on the CPU alone, not on {device!r}: give sampler.device=cpu.")
        self.device = open_device("cpu")

    def validate(self, system: Any, point: Point, times: Sequence[float]) -> None:
        """Raise ``UserError`` if this algorithm cannot simulate the system at this point or read it out then.

        By default unless the times are whole numbers of sweeps that increase from above 0.
        """
        if any(one != round(one) for one in times):
            raise UserError(
                f"read-out times {list(times)} are no whole numbers of {system.time_unit}: give such times in "
                "ensemble.protocol, e.g. waiting=1000 and spacing=100."
            )
        if any(later <= earlier for earlier, later in zip((0, *times), times, strict=False)):
            raise UserError(f"read-out times {list(times)} do not increase from above 0: give e.g. [1000, 1100].")

    def settings(self, point: Point) -> dict[str, Any]:
        """Plain JSON values that determine the law and the bits at this point; the device is not among them.

        By default the name of the class, its version and what its constructor takes, kept under its own name.
        """
        own = {
            key: getattr(self, key)
            for key in inspect.signature(type(self)).parameters
            if key not in ("device", "trajectories")
        }
        return {"algorithm": type(self).__name__, "version": self.version, **json.loads(json.dumps(own))}

    def lanes_at_once(self, system: Any, point: Point, readouts: int) -> int:
        """Lanes that one call should hold to keep the device busy; 1 where threads of the CPU share the work.

        readouts: times of every lane; what they take of the device's memory counts too.
        """
        return 1

    def record(self, system: Any, point: Point) -> dict[str, Any]:
        """What it measured of itself at this point, as plain JSON, e.g. acceptance rates; {} if nothing."""
        return {}

    def prepare(self, system: Any, point: Point, start: str, random: np.random.Generator) -> np.ndarray:
        """The start state ``[species, x, y]`` of a trajectory, of the system's dtype.

        By default of systems that list ``values``: ``ordered``, all sites alike, or ``random``, each for itself.
        """
        if system.values is None or start not in ("ordered", "random"):
            raise UserError(
                f"{type(self).__name__} cannot prepare the start {start!r} of {system.name}: give another "
                "ensemble.protocol.start, or write its method prepare."
            )
        shape = (len(system.species), *((1, 1) if start == "ordered" else system.extents))
        drawn = np.array(system.values)[random.integers(len(system.values), size=shape)]
        return np.broadcast_to(drawn, (len(system.species), *system.extents)).astype(system.dtype)

    def advance(self, system: Any, point: Point, state: np.ndarray, sweeps: int, random: np.random.Generator) -> None:
        """Change a state ``[species, x, y]`` in place by whole sweeps, drawing from ``random`` alone.

        Two sweeps must be one and another one: how many are done in a call depends on the clock. A kernel of numba
        takes the generator as it is, and with ``nogil=True`` several threads sample at once.
        """
        raise NotImplementedError(f"{type(self).__name__} has neither the method advance nor the method sample")

    def sample(self, system: Any, lanes: Sequence[Lane], seed: int, start: str, tick: Tick) -> Any:
        """Advance every lane from its start state and read it out at its times, which are equally many.

        Returns ``[lane, time, species, x, y]`` of the system's ``dtype`` on the sampler's device; ``device.to_torch``
        makes it a tensor without a copy. The bits of a lane depend on (seed, point, replica, start, settings) alone,
        never on its neighbours in the call, on threads or on how ``tick`` slices it.

        By default each lane in turn has a Philox stream of its own, for ``prepare`` and ``advance``.
        Raises ``UserError`` on an unphysical point, an unknown start, or times that ``validate`` refuses.
        """
        if start not in system.starts:
            raise UserError(f"there is no start {start!r}: give one of {', '.join(system.starts)}.")
        for lane in lanes:
            system.validate(lane.point)
            self.validate(system, lane.point, lane.times)
        return np.stack([self._trajectory(system, lane, seed, start, tick) for lane in lanes])

    def _trajectory(self, system: Any, lane: Lane, seed: int, start: str, tick: Tick) -> np.ndarray:
        """The read-outs ``[time, species, x, y]`` of one lane."""
        random = stream(seed, lane.replica, system.point_key(lane.point), zlib.crc32(start.encode()))
        state = np.array(self.prepare(system, lane.point, start, random))
        done, slice_, readouts = 0, 1, []
        for due in map(round, lane.times):
            while done < due:
                sweeps, began = min(slice_, due - done), time.monotonic()
                self.advance(system, lane.point, state, sweeps, random)
                done, took = done + sweeps, time.monotonic() - began
                slice_ = max(1, min(2 * slice_, int(sweeps * TICK_EVERY / max(took, 1e-9))))
                tick(system.work(lane.point) * sweeps)
            readouts.append(state.copy())
        return np.stack(readouts)


def stream(seed: int, replica: int, point_key: int, name: int) -> np.random.Generator:
    """NumPy's Philox4x64-10 with the key (seed, replica, point, name), each a uint32: one of its own for every four.

    Raises ``UserError`` unless 0 <= seed, replica < 2^32.
    """
    from lattice_ml.kernels.rng import stream_key

    words = [int(word) for word in stream_key(seed, replica, point_key, name)]
    key = np.array([words[0] | words[1] << 32, words[2] | words[3] << 32], dtype=np.uint64)
    return np.random.Generator(np.random.Philox(key=key))
