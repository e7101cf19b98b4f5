"""A composed configuration, checked before any work: names, types, ranges (``schema.py``) and what goes together.

Hydra refuses keys that do not exist on the command line; those that a file or ``+key=value`` brings are refused here.
Values are checked by pydantic, choices against each other, and nothing heavy is imported.
"""

from __future__ import annotations

import difflib
import functools
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from pydantic import ValidationError

from lattice_ml.cli.schema import ENSEMBLE, SECTIONS, schema_of, sentence
from lattice_ml.cli.targets import check_classes, check_targets
from lattice_ml.ensembles.family import members
from lattice_ml.ensembles.plan import Plan, build_plan
from lattice_ml.ground.errors import UserError
from lattice_ml.systems.base import System

CONF = Path(__file__).resolve().parents[2] / "conf"
LARGEST = 10**8
"""Points × replicas × samples and sites of an ensemble: beyond, a number was mistyped."""


def validate(config: DictConfig) -> None:
    """Raise ``UserError`` with one sentence on the first thing that is wrong with a composed configuration."""
    try:
        plain: Any = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    except RecursionError:
        raise UserError("the configuration does not compose: a value refers to itself.") from None
    if plain.get("trust") is not True:
        check_targets(plain)
    if "workflow" in plain and plain.get("name") in (None, ""):
        raise UserError("no experiment is named: give experiment=<name>, e.g. experiment=aim_quick, or name=<yours>.")
    _check_names(plain)
    try:
        schema_of(plain).model_validate(plain)
    except ValidationError as error:
        raise UserError(sentence(error)) from None
    for key, ensemble in _ensembles(plain).items():
        with speaking_of(key):
            _check_points(plain, ensemble)


def _ensembles(plain: Mapping[str, Any]) -> dict[str, Any]:
    """Every section that is an ensemble, by its dotted name."""
    named = {key: plain[key] for key in ("ensemble", "survey", "extrapolation") if plain.get(key)}
    further = plain.get("ensembles")
    further = further if isinstance(further, dict) else {}
    return named | {f"ensembles.{name}": section for name, section in further.items() if section}


def _check_names(plain: Mapping[str, Any]) -> None:
    """Raise ``UserError`` on a key that nothing reads: each must stand in one of the files of conf/."""
    require_known(plain, "", known_names("."))
    for section, model in SECTIONS.items():
        if isinstance(plain.get(section), dict):
            require_known(plain[section], f"{section}.", known_names(section) | model.model_fields.keys())
    for section, ensemble in _ensembles(plain).items():
        if isinstance(ensemble, dict):
            require_known(ensemble, f"{section}.", known_names("ensemble") | ENSEMBLE.model_fields.keys())


def require_known(section: Mapping[Any, Any], prefix: str, known: frozenset[str]) -> None:
    """Raise ``UserError`` on a key of a section that nothing reads; ``prefix``: the section's name and a dot."""
    for key in section:
        if str(key) not in known:
            meant = did_you_mean(str(key), prefix, known)
            raise UserError(f"there is no setting {prefix + str(key)!r}: {meant}There are {', '.join(sorted(known))}.")


def did_you_mean(key: str, prefix: str, known: frozenset[str]) -> str:
    """``did you mean data.sizes? `` if a known name is written alike, else nothing."""
    close = difflib.get_close_matches(key, sorted(known), n=1)
    return f"did you mean {prefix}{close[0]}? " if close else ""


@functools.cache
def known_names(group: str) -> frozenset[str]:
    """The settings of a group of conf/, as its files hold them; of ``.``, those of a whole configuration."""
    files = [*(CONF / group).glob("*.yaml")] if group != "." else [CONF / "train.yaml", CONF / "sample.yaml"]
    names = {str(key) for file in files for key in yaml.safe_load(file.read_text(encoding="utf-8")) or {}}
    if group == ".":
        rooms = {path.name for path in CONF.iterdir() if path.is_dir()}
        names |= (rooms - {"experiment", "debug", "hydra", "search"}) | {
            "survey",
            "extrapolation",
            "ensembles",
            "storage",
        }
    return frozenset(names - {"defaults", "hydra"})


@contextmanager
def speaking_of(section: str) -> Iterator[None]:
    """Let a ``UserError`` about an ensemble name the section that the user must change, e.g. ``survey``."""
    try:
        yield
    except UserError as error:
        raise UserError(re.sub(r"\bensemble\.(?=\w)", f"{section}.", str(error))) from None


def _check_points(plain: Mapping[str, Any], ensemble: Mapping[str, Any]) -> None:
    """Is every point of the plan physical, the start state one that the system knows, and the sampler one for it?"""
    system = plain["system"]
    if plain.get("trust") is not True:
        check_classes(system)
    plan = build_plan(ensemble)
    for member in members(ensemble):
        _check_plan(plan, instantiate(dict(system), extents=member["extents"]))


def _check_plan(plan: Plan, rules: System) -> None:
    _check_size(plan.name, len(plan.points) * plan.replicas * plan.samples, rules.extents)
    if plan.protocol.start not in rules.starts:
        raise UserError(
            f"protocol.start = {plan.protocol.start!r} is no start state: give one of {', '.join(rules.starts)}."
        )
    for point in plan.points:
        rules.validate(point)


def _check_size(name: str, configurations: int, extents: tuple[int, int]) -> None:
    if configurations > LARGEST or extents[0] * extents[1] > LARGEST:
        raise UserError(
            f"the ensemble {name} would hold {configurations:.3g} configurations of {extents[0]} × {extents[1]} sites: "
            f"give fewer than {LARGEST:.0e} of either."
        )
