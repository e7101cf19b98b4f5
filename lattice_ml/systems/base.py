"""What a lattice system and its sampler are to the rest of the house, with a default for all that can have one.

A new system is a class with a few lines: what a site may hold, what a net sees of it, its phases, one kernel. It says
more where it knows more. There is no registry: Hydra's ``_target_`` names the class. ``check.check_system`` says in
words what is wrong with one. ``examples/potts`` is one written from nothing.
"""

from __future__ import annotations

import inspect
import json
import math
import re
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, cast

import numpy as np

from lattice_ml.ground.errors import UserError
from lattice_ml.kernels.device import Device, Where, open_device
from lattice_ml.systems.naming import ordered_or_not

if TYPE_CHECKING:
    import torch

Point = Mapping[str, float]
"""Control parameters of one point of parameter space, e.g. ``{"T": 0.3, "rho0": 3.0}``."""

TICK_EVERY = 0.1
"""Seconds between two calls of ``tick`` by a sampler that ``advance`` makes, or the time of a sweep if that is more."""


T = TypeVar("T")


def default(method: Callable[[Any], T]) -> T:
    """A default that follows from other members, worked out once; a class attribute or a property takes its place."""
    return cast(T, cached_property(method))


class Lane(NamedTuple):
    """One independent trajectory: a parameter point, a replica number, and the times at which it is read out.

    times: increasing, > 0, since the start state.
    """

    point: Point
    replica: int
    times: Sequence[float]


Tick = Callable[[float], None]
"""Called with the work done since the last call (particles × time); it may raise to stop the sampler."""


class System:
    """The rules of a lattice system: parameters, state, channels and observables.

    Usually a frozen dataclass whose fields are its parameters, ``extents`` among them. What a system must say: what a
    site holds (``values``, or ``dtype`` and ``check``), its ``phases`` if it has any, and its ``control`` parameter if
    that is not a temperature.
    """

    name: str
    """By default that of the class, ``XYModel`` -> ``xy_model``."""
    extents: tuple[int, int]
    """Sites along x and y; the lattice is a torus."""
    smallest: int = 3
    """Sites that the torus has at least each way: 3, so that four neighbours are four sites."""
    values: tuple[int, ...] | None = None
    """The integers that a site may hold, of whatever species; None: any that ``dtype`` can hold."""
    species: tuple[str, ...] = ("state",)
    """Names along the ``species`` axis of a state ``[..., species, x, y]``."""
    phases: tuple[str, ...] = ()
    """Names of the phases in the order in which a rising control parameter crosses them."""
    control: str = "T"
    """The control parameter along which transitions are located."""
    couplings: tuple[str, ...] = ()
    """The other parameters that a point must give, e.g. ``("rho0",)``."""
    time_unit: str = "sweeps"
    """Unit of read-out times."""
    starts: tuple[str, ...] = ("ordered", "random")
    """Names of the start states that its samplers can prepare."""
    watched: tuple[str, ...] = ()
    """Observables by which ensembles with the start ``hot_and_cold`` prove their equilibration; () for none."""

    def __init_subclass__(cls, **settings: Any) -> None:
        super().__init_subclass__(**settings)
        if not hasattr(cls, "name"):
            cls.name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", cls.__name__).lower()

    def __post_init__(self) -> None:
        """Of dataclasses: raise ``UserError`` unless ``extents`` are a torus; they become a tuple."""
        extents = tuple(self.extents)
        if len(extents) != 2 or not all(type(n) is int and n >= self.smallest for n in extents):
            raise UserError(
                f"extents = {list(extents)} is not a torus: give two whole numbers of at least {self.smallest}, "
                "e.g. ensemble.extents=[32,32]."
            )
        object.__setattr__(self, "extents", extents)

    # The state.

    @default
    def dtype(self) -> str:
        """Type of a state in the store: "uint16" for counts, "int16" where a state has a sign, "float32" or "float64"
        for angles and fields. By default the first that holds ``values``."""
        return "int16" if self.values is not None and min(self.values) < 0 else "uint16"

    @default
    def likelihood(self) -> tuple[str, ...]:
        """For each species the family of laws that a generative net gives a site, of ``nets/likelihoods.py``.

        By default what ``values`` and ``dtype`` declare: bernoulli for 0 and 1, categorical for other values from 0 on,
        poisson for any counts, logistic where integers have a sign, normal for real numbers. It is never read off data.
        """
        if np.dtype(self.dtype).kind == "f":
            family = "normal"
        elif self.values is None:
            family = "poisson" if np.dtype(self.dtype).kind == "u" else "logistic"
        elif min(self.values) < 0:
            family = "logistic"
        else:
            family = "bernoulli" if max(self.values) <= 1 else f"categorical:{max(self.values) + 1}"
        return (family,) * len(self.species)

    @property
    def volume(self) -> int:
        """Number of sites."""
        return self.extents[0] * self.extents[1]

    def check(self, states: np.ndarray, point: Point) -> None:
        """Raise ``RuntimeError`` if states ``[..., species, x, y]`` break a conservation law.

        By default, if a site holds what ``values`` do not list, or a number that is not finite.
        """
        if self.values is not None and not np.isin(states, self.values).all():
            found = states[~np.isin(states, self.values)].flat[0]
            raise RuntimeError(f"a site holds {found} at {dict(point)}, not one of {', '.join(map(str, self.values))}")
        if not np.isfinite(states).all():
            raise RuntimeError(f"a site holds no finite number at {dict(point)}")

    # The parameters.

    def parameters(self) -> dict[str, Any]:
        """Plain JSON values that fix the system; they go into every store and checkpoint.

        By default its name and what its constructor takes, each kept under its own name.
        """
        own = {key: getattr(self, key) for key in inspect.signature(type(self)).parameters}
        return {"name": self.name, **json.loads(json.dumps(own))}

    def validate(self, point: Point) -> None:
        """Raise ``UserError`` if the point is not physical.

        By default, unless it gives ``control`` and ``couplings`` and nothing else, all finite, and ``control`` > 0.
        """
        names = (self.control, *self.couplings)
        if set(point) != set(names):
            given = ", ".join(sorted(point)) or "nothing"
            raise UserError(f"a point of {self.name} is given by {' and '.join(names)} alone, not by {given}.")
        for name in names:
            if not math.isfinite(point[name]) or (name == self.control and point[name] <= 0):
                wanted = f"{name} > 0" if name == self.control else "a finite number"
                raise UserError(
                    f"{name} = {point[name]:g} will not do: give {wanted}, e.g. ensemble.grid.{name}=[1.0]."
                )

    def point_key(self, point: Point) -> int:
        """A uint32 that names this point of this system in the random streams: the same in whichever ensemble."""
        numbers = " ".join(f"{name}={value:.10g}" for name, value in sorted(point.items()))
        return zlib.crc32(f"{json.dumps(self.parameters(), sort_keys=True)} {numbers}".encode())

    def work(self, point: Point) -> float:
        """Cost of one unit of time at this point in the sampler's own unit; by default the number of sites."""
        return float(self.volume)

    # What nets see.

    @default
    def channels(self) -> tuple[str, ...]:
        """Names along the ``channel`` axis of what a net sees, ``[..., channel, x, y]``; by default the species."""
        return self.species

    @default
    def embedded(self) -> tuple[str, ...]:
        """The channels by which configurations are embedded when phases are sought; by default all."""
        return self.channels

    def to_channels(self, states: torch.Tensor) -> torch.Tensor:
        """States ``[..., species, x, y]`` to float32 ``[..., channel, x, y]``, on their device; by default the numbers
        as they are. Integer states come as any integer dtype."""
        return states.float()

    def symmetries(self, fields: np.ndarray) -> list[np.ndarray]:
        """The images of all channels ``[..., channel, x, y]`` under the rules' own symmetries beside translations.

        Each is as probable as the fields, and has their shape; the fields themselves are not among them. Where there
        are many, a few that generate them will do. By default none: [].
        """
        return []

    # What physicists see.

    def observables(self, states: np.ndarray, point: Point | None = None) -> dict[str, np.ndarray]:
        """States ``[..., species, x, y]`` to float64 observables, each ``[...]``.

        point: where they were drawn; without it, the observables that need a parameter are left out. Each must be the
        same of a configuration and of its images under ``symmetries``, or change its sign alone; what is not goes into
        ``statistics``. By default ``order``: how far the lattice means of the channels, a vector M, are from the mean
        of their images, |M - <M>_images|. That is |m| of an Ising magnet, and zero if there are no symmetries.
        """
        from lattice_ml.systems.channels import channels_of

        fields = channels_of(self, states).numpy()
        means = np.stack([one.mean(axis=(-2, -1), dtype=np.float64) for one in (fields, *self.symmetries(fields))])
        return {"order": np.linalg.norm(means[0] - means.mean(axis=0), axis=-1)}

    def statistics(self, states: np.ndarray) -> dict[str, np.ndarray]:
        """Further numbers of states ``[..., species, x, y]`` that models with physical features read, float64
        ``[...]`` each; {} where the observables and the common statistics of ``explain/features.py`` say it all."""
        return {}

    def recognise(self, observables: Mapping[str, np.ndarray]) -> np.ndarray | None:
        """The phase of every configuration of one scan by a rule on its observables, nothing learned: an index into
        ``phases``, int64 ``[n]``; None where the system has no such rule.

        observables: name -> ``[n]``, as of ``observables``, of all configurations of the scan: a rule may cut where
        their distribution has its gap.
        """
        return None

    def name_groups(self, observables: Mapping[str, np.ndarray], group: np.ndarray) -> list[str] | None:
        """A phase for each group of configurations, or None if the groups are no phases.

        observables: name -> ``[n]``, as of ``observables``, and ``control`` under its own name; group: int64 ``[n]``.
        Several groups may be one phase. By default two phases are told apart by ``order``, see ``naming``: that which
        is met at smaller values of the control parameter is the first.
        """
        if len(self.phases) != 2 or "order" not in observables:
            return None
        ordered = ordered_or_not(observables["order"], group)
        if ordered is None:
            return None
        control = observables.get(self.control)
        first = control is None or control[ordered[group]].mean() <= control[~ordered[group]].mean()
        return [self.phases[int(one != first)] for one in ordered]


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
