"""What a lattice system and its sampler must provide for the rest of the house to work on them.

A new system is a folder beside ``active_ising/`` whose classes satisfy these two protocols; there is no
registry: Hydra's ``_target_`` names the class.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    import numpy as np
    import torch

    from lattice_ml.kernels.device import Device

Point = Mapping[str, float]
"""Control parameters of one point of parameter space, e.g. ``{"T": 0.3, "rho0": 3.0}``."""


class Lane(NamedTuple):
    """One independent trajectory: a parameter point, a replica number, and the times at which it is read out.

    times: increasing, > 0, since the start state.
    """

    point: Point
    replica: int
    times: Sequence[float]


Tick = Callable[[float], None]
"""Called with the work done since the last call (particles × time); it may raise to stop the sampler."""


class System(Protocol):
    """The rules of a lattice system: parameters, state, channels and observables."""

    @property
    def name(self) -> str: ...

    @property
    def extents(self) -> tuple[int, int]:
        """Sites along x and y; the lattice is a torus."""
        ...

    @property
    def species(self) -> tuple[str, ...]:
        """Names along the ``species`` axis of a state ``[..., species, x, y]``."""
        ...

    @property
    def dtype(self) -> str:
        """Type of a state in the store: "uint16" for counts, "int16" where a state has a sign."""
        ...

    @property
    def channels(self) -> tuple[str, ...]:
        """Names along the ``channel`` axis of what a net sees, ``[..., channel, x, y]``."""
        ...

    @property
    def phases(self) -> tuple[str, ...]:
        """Names of the phases in the order in which a rising control parameter crosses them."""
        ...

    @property
    def control(self) -> str:
        """The control parameter along which transitions are located, e.g. ``"T"``."""
        ...

    @property
    def time_unit(self) -> str:
        """Unit of read-out times, e.g. ``"sweeps"``."""
        ...

    @property
    def starts(self) -> tuple[str, ...]:
        """Names of the start states that its samplers can prepare."""
        ...

    @property
    def watched(self) -> tuple[str, ...]:
        """Observables by which ensembles with the start ``hot_and_cold`` prove their equilibration; () for none."""
        ...

    def parameters(self) -> dict[str, Any]:
        """Plain JSON values that fix the system; they go into every store and checkpoint."""
        ...

    def validate(self, point: Point) -> None:
        """Raise ``UserError`` if the point is not physical."""
        ...

    def work(self, point: Point) -> float:
        """Cost of one unit of time at this point in the sampler's own unit (particles)."""
        ...

    def check(self, states: np.ndarray, point: Point) -> None:
        """Raise ``RuntimeError`` if integer states ``[..., species, x, y]`` break a conservation law."""
        ...

    def to_channels(self, states: torch.Tensor) -> torch.Tensor:
        """Integer states ``[..., species, x, y]`` to float32 ``[..., channel, x, y]``, on their device."""
        ...

    def observables(self, states: np.ndarray, point: Point | None = None) -> dict[str, np.ndarray]:
        """Integer states ``[..., species, x, y]`` to float64 observables, each ``[...]``.

        point: where they were drawn; without it, the observables that need a parameter are left out.
        """
        ...

    def statistics(self, states: np.ndarray) -> dict[str, np.ndarray]:
        """Further numbers of integer states ``[..., species, x, y]`` that models with physical features read, float64
        ``[...]`` each; {} where the observables and the common statistics of ``explain/features.py`` say it all."""
        ...

    def mirror(self, field: np.ndarray) -> np.ndarray:
        """The first channel ``[..., x, y]`` under the system's own symmetry beside translations."""
        ...

    def recognise(self, observables: Mapping[str, np.ndarray]) -> np.ndarray | None:
        """The phase of every configuration of one scan by a rule on its observables, nothing learned: an index into
        ``phases``, int64 ``[n]``; None where the system has no such rule.

        observables: name -> ``[n]``, as of ``observables``, of all configurations of the scan: a rule may cut where
        their distribution has its gap.
        """
        ...

    def name_groups(self, observables: Mapping[str, np.ndarray], group: np.ndarray) -> list[str] | None:
        """A phase for each group of configurations, or None if the groups are no phases.

        observables: name -> ``[n]``, as of ``observables``; group: int64 ``[n]``. Several groups may be one phase.
        """
        ...


class Sampler(Protocol):
    """An algorithm that draws trajectories of a system.

    Its constructor takes ``device`` ("auto", "cpu" or "cuda") and ``trajectories``, the number of the whole campaign,
    on which a default may depend.
    """

    @property
    def device(self) -> Device:
        """Where it runs; ``device.get`` brings what ``sample`` returned to the host."""
        ...

    def validate(self, system: Any, point: Point, times: Sequence[float]) -> None:
        """Raise ``UserError`` if this algorithm cannot simulate the system at this point or read it out then."""
        ...

    def settings(self, point: Point) -> dict[str, Any]:
        """Plain JSON values that determine the law and the bits at this point; the device is not among them."""
        ...

    def lanes_at_once(self, system: Any, point: Point, readouts: int) -> int:
        """Lanes that one call should hold to keep the device busy; 1 where threads of the CPU share the work.

        readouts: times of every lane; what they take of the device's memory counts too.
        """
        ...

    def record(self, system: Any, point: Point) -> dict[str, Any]:
        """What it measured of itself at this point, as plain JSON, e.g. acceptance rates; {} if nothing."""
        ...

    def sample(self, system: Any, lanes: Sequence[Lane], seed: int, start: str, tick: Tick) -> Any:
        """Advance every lane from its start state and read it out at its times, which are equally many.

        Returns ``[lane, time, species, x, y]`` of the system's ``dtype`` on the sampler's device; ``device.to_torch``
        makes it a tensor without a copy. The bits of a lane depend on (seed, point, replica, start, settings) alone,
        never on its neighbours in the call, on threads or on how ``tick`` slices it.
        """
        ...
