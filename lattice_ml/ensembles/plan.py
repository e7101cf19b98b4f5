"""Which configurations an ensemble holds: parameter points, replicas, read-out times.

A plan and a system fix every bit of an ensemble. A trajectory starts anew for each (point, replica), is left alone for
the waiting time, and is then read out at equal spacing.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

from lattice_ml.ground.errors import UserError

if TYPE_CHECKING:
    from lattice_ml.systems.base import Point

DIGITS = 10
"""Decimal digits that a control parameter keeps: 0.2 + 10 × 0.01 and 0.3 are one temperature."""

RESERVED = frozenset({"configurations", "time", "point", "replica", "sample", "species", "x", "y"})
"""Names that the store gives to its own variables and dimensions."""


@dataclass(frozen=True)
class Protocol:
    """How a trajectory is prepared and read out; times in the units of the system.

    start: the prepared state, a name that the sampler knows. waiting: time before the first sample. spacing: time
    between samples, ``cold_spacing`` at the points where T <= ``cold_below``.
    The defaults outlast the relaxation of a prepared band of the Active Ising Model at L = 81, rho0 = 3 (350 to 1,150)
    and, but near L | L+G, the correlation time of its band mode (20 to 35 above T = 0.54; some 130 ± 130 below 0.45,
    ``experiment=aim_physics``): reports warn where samples are correlated.
    """

    start: str = "band"
    waiting: float = 1500.0
    spacing: float = 100.0
    cold_spacing: float = 200.0
    cold_below: float = 0.5

    def __post_init__(self) -> None:
        if not isinstance(self.start, str) or not self.start:
            raise UserError(f"protocol.start = {self.start!r} names no start state: give e.g. band.")
        for name in ("waiting", "spacing", "cold_spacing"):
            object.__setattr__(self, name, _number(f"protocol.{name}", getattr(self, name)))
            if not getattr(self, name) > 0:
                raise UserError(f"protocol.{name} = {getattr(self, name):g} will not do: give a time > 0.")
        object.__setattr__(self, "cold_below", _number("protocol.cold_below", self.cold_below))


@dataclass(frozen=True)
class Plan:
    """Parameter points × replicas × samples, and the seed and protocol that they are drawn with.

    points: control parameters, ``{"T": 0.3, "rho0": 3.0}`` each. replicas: independent trajectories at every point.
    samples: configurations read out of each trajectory. Raises ``UserError`` on values that make no ensemble.
    """

    name: str
    points: tuple[Point, ...]
    replicas: int
    samples: int
    seed: int
    protocol: Protocol = field(default_factory=Protocol)

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not re.fullmatch(r"[\w.+=-]+", self.name) or self.name.strip(".") == "":
            raise UserError(f"ensemble.name = {self.name!r} cannot name a store: use letters, digits, _ and - only.")
        for name, least, limit in (("replicas", 1, 2**31), ("samples", 1, 2**31), ("seed", 0, 2**32)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, Integral) or not least <= int(value) < limit:
                raise UserError(
                    f"ensemble.{name} = {value!r} will not do: give a whole number from {least} to {limit - 1}."
                )
            object.__setattr__(self, name, int(value))
        if not self.points:
            raise UserError("ensemble.grid holds no point: give at least one value of every control parameter.")
        if len({tuple(sorted(point.items())) for point in self.points}) < len(self.points):
            raise UserError("ensemble.grid holds a point twice: give every value of a control parameter once.")

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names of the control parameters, in the order of the grid."""
        return tuple(self.points[0])

    def times(self, point: Point) -> tuple[float, ...]:
        """Read-out times of a trajectory since its start state, ``waiting + k spacing``, k < samples."""
        protocol = self.protocol
        cold = "T" in point and point["T"] <= protocol.cold_below
        spacing = protocol.cold_spacing if cold else protocol.spacing
        return tuple(round(protocol.waiting + k * spacing, DIGITS) for k in range(self.samples))

    def attributes(self) -> dict[str, Any]:
        """Everything that the plan fixes, as plain JSON; it goes into the store and is compared on resuming."""
        return {
            "name": self.name,
            "points": {name: [point[name] for point in self.points] for name in self.parameters},
            "replicas": self.replicas,
            "samples": self.samples,
            "seed": self.seed,
            "protocol": asdict(self.protocol),
        }


def plan_grid(
    name: str,
    grid: Mapping[str, Any] | Sequence[Mapping[str, Any]],
    replicas: int,
    samples: int,
    seed: int,
    protocol: Protocol | Mapping[str, Any] | None = None,
) -> Plan:
    """The plan over the outer product of the control parameters' values; the last one named runs fastest.

    grid: for each control parameter its values, as a list or as ``"start:stop:step"`` with ``stop`` included; or a list
    of several such blocks, one after the other, where the points wanted are no single product.
    Values are rounded to 10 digits. Raises ``UserError`` if something is not a number or ``stop`` is not reached.
    """
    blocks = [grid] if isinstance(grid, Mapping) else list(grid or ())
    if not blocks or not all(isinstance(block, Mapping) and block for block in blocks):
        raise UserError(
            "ensemble.grid is empty: give the values of every control parameter, e.g. ensemble.grid.T=[0.3]."
        )
    if any(set(block) != set(blocks[0]) for block in blocks):
        raise UserError("the blocks of ensemble.grid differ in their parameters: give every block the same ones.")
    taken = sorted(RESERVED.intersection(blocks[0]))
    if taken:
        raise UserError(f"ensemble.grid.{taken[0]} cannot be a control parameter: the store uses that name itself.")
    names = tuple(map(str, blocks[0]))
    points = []
    for block in blocks:
        columns = [_values(name, block[name]) for name in names]
        points += [dict(zip(names, combination, strict=True)) for combination in itertools.product(*columns)]
    return Plan(name, tuple(points), replicas, samples, seed, _protocol(protocol))


def build_plan(ensemble: Mapping[str, Any]) -> Plan:
    """The plan of a composed ``ensemble`` section; its ``path`` and ``extents`` are not the plan's and are left out."""
    return plan_grid(**{key: ensemble[key] for key in ("name", "grid", "replicas", "samples", "seed", "protocol")})


def summarise(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """``Plan.attributes`` in few words: the protocol's entries, then the plan's, points as values or ranges."""
    plan = dict(attributes)
    for name, values in plan.pop("points").items():
        distinct = sorted(set(values))
        shown = ", ".join(f"{value:.4g}" for value in distinct)
        plan[name] = shown if len(distinct) <= 6 else f"{distinct[0]:g} … {distinct[-1]:g} ({len(distinct)} values)"
    return {**plan.pop("protocol"), **plan}


def shared_trajectory(plan: Plan, other: Plan) -> str | None:
    """The first point at which both plans draw the same trajectories on a torus, ``T = 0.3, rho0 = 3``, or None."""
    shared = [point for point in plan.points if point in other.points] if plan.seed == other.seed else []
    return ", ".join(f"{name} = {value:g}" for name, value in shared[0].items()) if shared else None


def _protocol(given: Protocol | Mapping[str, Any] | None) -> Protocol:
    if given is None or isinstance(given, Protocol):
        return given or Protocol()
    known = [item.name for item in fields(Protocol)]
    unknown = [str(key) for key in given if key not in known]
    if unknown:
        raise UserError(f"protocol.{unknown[0]} does not exist: a protocol has {', '.join(known)}.")
    return Protocol(**{str(key): value for key, value in given.items()})


def _values(name: str, given: Any) -> list[float]:
    if isinstance(given, str):
        return _span(name, given)
    if isinstance(given, Real):
        given = [given]
    if not isinstance(given, Sequence):
        raise UserError(f"ensemble.grid.{name} = {given!r} holds no numbers: give a list or start:stop:step.")
    return [round(_number(f"ensemble.grid.{name}", value), DIGITS) for value in given]


def _span(name: str, given: str) -> list[float]:
    try:
        start, stop, step = (_number(f"ensemble.grid.{name}", float(part)) for part in given.split(":"))
    except ValueError:
        raise UserError(
            f"ensemble.grid.{name} = {given} is no span: give start:stop:step, e.g. 0.2:1.0:0.01, a list, or a number "
            "without quotes."
        ) from None
    if not step > 0 or stop < start:
        raise UserError(
            f"ensemble.grid.{name} runs from {start:g} to {stop:g} by {step:g}: give start <= stop, step > 0."
        )
    count = round((stop - start) / step)
    if not math.isclose(start + count * step, stop, rel_tol=0, abs_tol=1e-6 * step):
        reached = start + math.floor((stop - start) / step) * step
        raise UserError(
            f"ensemble.grid.{name} does not reach {stop:g} from {start:g} by steps of {step:g}: "
            f"give {start:g}:{reached:.{DIGITS}g}:{step:g} or another step."
        )
    return [round(start + k * step, DIGITS) for k in range(count + 1)]


def _number(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, Real) or not math.isfinite(value):
        raise UserError(f"{name} = {value!r} is not a number: give a finite one.")
    return float(value)
