"""The schema of a composed configuration: types, ranges and what goes together, checked before any work.

Hydra has already refused keys that do not exist. Here values are checked by pydantic, and choices against each other.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any, Literal

from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lattice_ml.ensembles.plan import build_plan
from lattice_ml.errors import UserError

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NonNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1, strict=True)]
Seed = Annotated[int, Field(ge=0, lt=2**32, strict=True)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="allow", protected_namespaces=())


class _Ensemble(_Section):
    """Its torus and its store; the plan checks the rest itself."""

    path: str
    extents: Annotated[list[Count], Field(min_length=2, max_length=2)]


class _Sampler(_Section):
    device: Literal["auto", "cpu", "cuda"] = "auto"
    domain: Annotated[list[Count], Field(min_length=2, max_length=2)] | None = None
    window: Positive | None = None


class _Data(_Section):
    batch_size: Count
    split: Annotated[list[NonNegative], Field(min_length=3, max_length=3)]


class _Task(_Section):
    lr: Positive
    l2: NonNegative


class _Phases(_Section):
    components: Count
    seed: Seed


class _Model(_Section):
    filters: Count = 1
    hidden: Count = 1
    padding_mode: Literal["zeros", "circular"] = "zeros"


class _Trainer(_Section):
    max_epochs: Count


class _Config(_Section):
    name: str = "sample"
    ensemble: _Ensemble
    survey: _Ensemble | None = None
    sampler: _Sampler
    data: _Data | None = None
    model: _Model | None = None
    phases: _Phases | None = None
    task: _Task | None = None
    trainer: _Trainer | None = None
    seed: Seed = 0


def validate(config: DictConfig) -> None:
    """Raise ``UserError`` with one sentence on the first thing that is wrong with a composed configuration."""
    plain: Any = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    if "workflow" in plain and not plain["name"]:
        raise UserError("no experiment is named: give experiment=<name>, e.g. experiment=aim_quick, or name=<yours>.")
    try:
        _Config.model_validate(plain)
    except ValidationError as error:
        raise UserError(_sentence(error)) from None
    for key in ("ensemble", "survey"):
        if plain.get(key):
            with speaking_of(key):
                _check_points(plain["system"], plain[key])


@contextmanager
def speaking_of(section: str) -> Iterator[None]:
    """Let a ``UserError`` about an ensemble name the section that the user must change, e.g. ``survey``."""
    try:
        yield
    except UserError as error:
        raise UserError(re.sub(r"\bensemble\.(?=\w)", f"{section}.", str(error))) from None


def _check_points(system: Mapping[str, Any], ensemble: Mapping[str, Any]) -> None:
    """Is every point of the plan physical, and the start state one that the system knows?"""
    rules = instantiate(dict(system), extents=list(ensemble["extents"]))
    plan = build_plan(ensemble)
    if plan.protocol.start not in rules.starts:
        raise UserError(
            f"protocol.start = {plan.protocol.start!r} is no start state: give one of {', '.join(rules.starts)}."
        )
    for point in plan.points:
        rules.validate(point)


def _sentence(error: ValidationError) -> str:
    """The first of pydantic's complaints, as one sentence with the name that the user typed."""
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"] if not str(part).startswith(("_", "list[")))
    what = first["msg"][0].lower() + first["msg"][1:]
    return f"{where} = {first['input']!r} will not do: {what}."
