"""What a lattice system is to the rest of the house, with a default for all that can have one.

A new system is a class with a few lines: what a site may hold, what a net sees of it, its phases, one kernel. It says
more where it knows more. There is no registry: Hydra's ``_target_`` names the class. ``check.check_system`` says in
words what is wrong with one; its sampler is ``sampler.py``'s. ``examples/potts`` is one written from nothing.
"""

from __future__ import annotations

import inspect
import json
import math
import re
import zlib
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar, cast

import numpy as np

from lattice_ml.ground.errors import UserError
from lattice_ml.systems.naming import ordered_or_not

if TYPE_CHECKING:
    import torch

Point = Mapping[str, float]
"""Control parameters of one point of parameter space, e.g. ``{"T": 0.3, "rho0": 3.0}``."""


T = TypeVar("T")


def default(method: Callable[[Any], T]) -> T:
    """A default that follows from other members, worked out once; a class attribute or a property takes its place."""
    return cast(T, cached_property(method))


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
