"""Does a system of one's own keep what the rest of the house relies on? ``check_system`` says in words what is wrong.

It samples a few short trajectories, so give it a small torus: ``check_system(Potts(extents=(9, 9)), HeatBath())``.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from lattice_ml.ground.errors import UserError
from lattice_ml.systems.base import Point, Sampler, System
from lattice_ml.systems.channels import channels_of, embedded_channels, state_tensor
from lattice_ml.systems.check_sampling import (
    Trial,
    check_bits,
    check_layout,
    check_settings,
    check_starts,
    check_states,
    check_ticks,
    not_plain,
)
from lattice_ml.systems.families import width

DTYPES = ("uint8", "int8", "uint16", "int16", "int32", "float32", "float64")
CLOSE: dict[str, Any] = {"rtol": 1e-5, "atol": 1e-6}
"""Of observables that should be equal: sums in another order."""


def check_system(
    system: System, sampler: Sampler, point: Point | None = None, times: Sequence[float] = (4.0, 8.0)
) -> list[str]:
    """Sentences, each on one thing that is wrong; [] if nothing is.

    point: where trajectories are tried, by default 1.0 for every parameter. times: two read-out times or more.
    """
    if point is None:
        point = dict.fromkeys((system.control, *system.couplings), 1.0)
    faults = _said(lambda: check_statements(system), "the class attributes")
    try:
        system.validate(point)
        sampler.validate(system, point, times)
    except UserError as error:
        return [*faults, f"the point {dict(point)} cannot be tried ({error}): give check_system another point or times"]
    trial = Trial(system, sampler, point, tuple(times), system.starts[0])
    faults += _said(lambda: check_parameters(system), "parameters")
    faults += _said(lambda: check_validate(system, point), "validate")
    faults += _said(lambda: check_settings(trial), "the sampler's settings")
    try:
        states = trial.sample(trial.lanes)
    except Exception as error:
        return [*faults, f"sample fails: {_told(error)}"]
    wrong = _said(lambda: check_layout(trial, states), "sample")
    if wrong:
        return [*faults, *wrong]
    for check, name in (
        (lambda: check_states(trial, states), "check"),
        (lambda: check_likelihood(system, states), "likelihood"),
        (lambda: check_bits(trial, states), "sample"),
        (lambda: check_ticks(trial), "sample"),
        (lambda: check_starts(trial), "sample"),
    ):
        faults += _said(check, name)
    wrong = _said(lambda: check_channels(system, states), "to_channels")
    faults += wrong
    faults += _said(lambda: check_numbers(system, states, point), "observables")
    if not wrong:
        faults += _said(lambda: check_symmetries(system, states, point), "symmetries")
    faults += _said(lambda: check_names(system, states, point), "name_groups")
    return faults


def _said(check: Callable[[], Iterator[str]], name: str) -> list[str]:
    """What a check says; that the system's own code failed is said too."""
    found: list[str] = []
    try:
        for fault in check():
            found.append(fault)
    except Exception as error:
        found.append(f"{name} fails: {_told(error)}")
    return found


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"


def check_statements(system: System) -> Iterator[str]:
    """What the class says of itself."""
    for name in ("species", "channels", "starts", "phases", "watched", "embedded"):
        value = getattr(system, name)
        if isinstance(value, str) or not all(isinstance(one, str) for one in value) or len(set(value)) < len(value):
            yield f"{name} = {value!r} are not different names: give e.g. {name} = ('a', 'b')"
        elif not value and name in ("species", "channels", "starts", "embedded"):
            yield f"{name} is empty: give one name at least"
    lost = [name for name in system.embedded if name not in system.channels]
    if lost:
        yield f"embedded names {', '.join(lost)}, which is none of the channels {', '.join(system.channels)}"
    if system.dtype not in DTYPES:
        yield f"dtype = {system.dtype!r} is none that a store holds: give one of {', '.join(DTYPES)}"
    elif system.values is not None and np.dtype(system.dtype).kind != "f":
        limits = np.iinfo(system.dtype)
        if min(system.values) < limits.min or max(system.values) > limits.max:
            yield f"dtype = {system.dtype} does not hold the values {min(system.values)} to {max(system.values)}"
    work = system.work(dict.fromkeys((system.control, *system.couplings), 1.0))
    if not (np.isfinite(work) and work > 0):
        yield f"work(point) = {work!r} is no cost: give a number above 0, e.g. the number of sites"


def check_parameters(system: System) -> Iterator[str]:
    """What a store and a checkpoint know of the system."""
    found = system.parameters()
    fault = not_plain(found)
    if fault:
        yield f"parameters() {fault}"
        return
    lacking = [name for name in ("name", *inspect.signature(type(system)).parameters) if name not in found]
    if lacking:
        yield (
            f"parameters() lacks {' and '.join(lacking)}: systems that differ in it would be taken for one another and "
            "share their stores"
        )


def check_validate(system: System, point: Point) -> Iterator[str]:
    """Points that are none are refused before any work."""
    control = system.control
    nonsense: list[tuple[str, dict[str, float]]] = [
        (f"{control} = nan", {**point, control: float("nan")}),
        (f"{control} = inf", {**point, control: float("inf")}),
        (f"a point without {control}", {name: value for name, value in point.items() if name != control}),
        ("a parameter that it does not know", {**point, "no_such_parameter": 1.0}),
    ]
    for name, wrong in nonsense:
        try:
            system.validate(wrong)
        except UserError:
            continue
        except Exception as error:
            yield f"validate answers {name} with {_told(error)}: raise UserError with a sentence"
            continue
        yield f"validate takes {name}: raise UserError"


def check_likelihood(system: System, states: np.ndarray) -> Iterator[str]:
    """The family of every species can hold what was sampled."""
    if len(system.likelihood) != len(system.species):
        yield f"likelihood = {system.likelihood} is not one family for each of the species {', '.join(system.species)}"
        return
    real = states.dtype.kind == "f"
    for number, (species, family) in enumerate(zip(system.species, system.likelihood, strict=True)):
        count, own = width(family), states[:, :, number]
        kind = family.partition(":")[0]
        largest = {"bernoulli": 1, "categorical": count - 1}.get(kind, np.inf)
        lowest = -np.inf if kind in ("logistic", "normal") else 0
        if real != (kind == "normal"):
            yield f"likelihood {family} of {species} does not fit {system.dtype}: normal is for real numbers"
        elif own.min() < lowest or own.max() > largest:
            yield f"likelihood {family} of {species} does not allow for {own.min()} ... {own.max()}, which were sampled"


def check_channels(system: System, states: np.ndarray) -> Iterator[str]:
    """float32, one map for each channel, finite, and the states left as they are."""
    import torch

    tensor = state_tensor(states)
    before = tensor.clone()
    found = system.to_channels(tensor)
    expected = (*states.shape[:2], len(system.channels), *system.extents)
    if not isinstance(found, torch.Tensor):
        yield f"to_channels gives a {type(found).__name__}, not a tensor"
        return
    if tuple(found.shape) != expected:
        yield f"to_channels gives {tuple(found.shape)}, not [..., channel, x, y] = {expected}"
        return
    if found.dtype != torch.float32:
        yield f"to_channels gives {found.dtype}, not float32: end it with .float()"
    if not found.isfinite().all():
        yield "to_channels gives numbers that are not finite"
    if not torch.equal(tensor, before):
        yield "to_channels changes the states that it is given: work on a copy"
    elif not torch.allclose(system.to_channels(tensor[0, 0]), found[0, 0], equal_nan=True):
        yield "to_channels gives other channels of one configuration than of the same one in a batch"


def check_numbers(system: System, states: np.ndarray, point: Point) -> Iterator[str]:
    """Observables and statistics: one number for each configuration, the same wherever it stands on the torus."""
    if system.phases and not system.observables(states, point):
        yield "there are phases, and no observables by which they could be named"
    for kind, measure in (
        ("observable", lambda some: system.observables(some, point)),
        ("statistic", lambda some: system.statistics(some)),
    ):
        given = states.copy()
        found = measure(given)
        if not np.array_equal(given, states):
            yield f"the {kind}s change the states that they are given: work on a copy"
        single, moved = measure(states[0, 0]), measure(np.roll(states, (1, 2), axis=(-2, -1)))
        for name, values in found.items():
            values = np.asarray(values)
            if values.shape != states.shape[:2]:
                yield f"the {kind} {name!r} has the shape {values.shape}, not one number for each of {states.shape[:2]}"
            elif values.dtype != np.float64 or not np.isfinite(values).all():
                yield f"the {kind} {name!r} is not finite float64: it is {values.dtype}, {values.flat[0]}"
            elif not np.allclose(single[name], values[0, 0], **CLOSE):
                yield f"the {kind} {name!r} of one configuration is another than of the same one in a batch"
            elif not np.allclose(moved[name], values, **CLOSE):
                yield f"the {kind} {name!r} changes when the torus is shifted, which leaves the rules as they are"


def check_symmetries(system: System, states: np.ndarray, point: Point) -> Iterator[str]:
    """Images have the shape of the fields, keep to the embedded channels, and have the same observables."""
    fields = channels_of(system, states).numpy()
    given = fields.copy()
    images = system.symmetries(given)
    if not np.array_equal(given, fields):
        yield "symmetries changes the fields that it is given: work on a copy"
        return
    own = embedded_channels(system)
    partial = np.zeros_like(fields)
    partial[:, :, own] = fields[:, :, own]
    again = system.symmetries(partial)
    inverse, seen = _inverse(fields, states), system.observables(states, point)
    for number, image in enumerate(images, 1):
        if np.shape(image) != fields.shape:
            yield f"symmetry {number} has the shape {np.shape(image)}, not that of the fields, {fields.shape}"
            continue
        if not np.array_equal(again[number - 1][:, :, own], image[:, :, own]):
            yield f"symmetry {number} mixes channels that are not embedded into those that are: see embedded"
        turned = inverse(image)
        if turned is None:
            continue
        for name, values in system.observables(turned, point).items():
            if not np.allclose(values, seen[name], **CLOSE) and not np.allclose(values, -seen[name], **CLOSE):
                yield (
                    f"symmetry {number} changes the observable {name!r}: then it is no symmetry of the rules, or the "
                    "observable belongs into statistics"
                )


def _inverse(fields: np.ndarray, states: np.ndarray) -> Callable[[np.ndarray], np.ndarray | None]:
    """What makes states of channels, where these are one to one and site by site; it gives None where they are not."""
    flat_fields, flat_states = (np.moveaxis(one, 2, -1).reshape(-1, one.shape[2]) for one in (fields, states))
    keys, first, number = np.unique(flat_fields, axis=0, return_index=True, return_inverse=True)
    known = {key.tobytes(): flat_states[place] for key, place in zip(keys + 0.0, first, strict=True)}
    faithful = np.array_equal(flat_states[first][number.ravel()], flat_states)

    def inverse(image: np.ndarray) -> np.ndarray | None:
        wanted = np.moveaxis(np.asarray(image), 2, -1).reshape(-1, image.shape[2]).astype(keys.dtype) + 0.0
        rows = [known.get(row.tobytes()) for row in wanted]
        if not faithful or any(row is None for row in rows):
            return None
        turned = np.array(rows).reshape(*image.shape[:2], *image.shape[3:], states.shape[2])
        return np.moveaxis(turned, -1, 2).astype(states.dtype)

    return inverse


def check_names(system: System, states: np.ndarray, point: Point) -> Iterator[str]:
    """Names that are given are names of phases."""
    if not system.phases:
        return
    flat = states.reshape(-1, *states.shape[2:])
    values: dict[str, Any] = {system.control: np.full(len(flat), point[system.control])}
    values |= system.observables(flat, point)
    group = np.arange(len(flat)) % 2
    names = system.name_groups(values, group)
    if names is not None and (len(names) != 2 or not set(names) <= set(system.phases)):
        yield f"name_groups gives {names!r} for 2 groups, not a phase of {', '.join(system.phases)} for each, or None"
    phase = system.recognise(values)
    if phase is not None:
        phase = np.asarray(phase)
        if (
            phase.shape != (len(flat),)
            or phase.dtype.kind != "i"
            or phase.min() < 0
            or phase.max() >= len(system.phases)
        ):
            yield f"recognise gives {phase.dtype} {phase.shape}, not an index into phases for each of {len(flat)}"
