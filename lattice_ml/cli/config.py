"""A composed configuration, checked before any work and turned into what it stands for; nothing heavy is imported.

Hydra refuses keys that do not exist on the command line; those that a file or ``+key=value`` brings are refused here.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from omegaconf import DictConfig, OmegaConf
from pydantic import StrictBool, TypeAdapter, ValidationError

from lattice_ml.cli.door import Door, ensemble_roles, require_known
from lattice_ml.cli.former import renamed
from lattice_ml.cli.recipes import check_kinds, check_recipes, with_recipes
from lattice_ml.cli.sentences import sentence
from lattice_ml.cli.targets import check_classes, check_targets, find_workflow
from lattice_ml.ensembles.ensemble import Ensemble, speaking_of
from lattice_ml.ensembles.plan import Plan
from lattice_ml.ground.errors import UserError
from lattice_ml.ground.ranges import Name, Paths, Seed
from lattice_ml.ground.redaction import redacted
from lattice_ml.runs.run import Place
from lattice_ml.systems.base import System
from lattice_ml.workflows.explanations.finished_run import FinishedRun, require_finished
from lattice_ml.workflows.workflow import Workflow, perform

CONF = Path(__file__).resolve().parents[2] / "conf"
LARGEST = 10**8
"""Points × replicas × samples and sites of an ensemble: beyond, a number was mistyped."""
BUILT = (
    "system",
    "sampler",
    "data",
    "model",
    "models",
    "oracle",
    "task",
    "trainer",
    "callbacks",
    "logger",
    "question",
    "workflow",
)
"""Sections that hold recipes, or are one."""


@dataclass(frozen=True)
class Job:
    """What a configuration of train.py stands for: a workflow, and the place of its run.

    plain: the configuration, resolved. trusted: the user typed trust=true.
    """

    workflow: Workflow
    place: Place
    plain: Mapping[str, Any]
    trusted: bool

    def check_classes(self) -> None:
        """Raise ``UserError`` on a class that is not built from a configuration, and on settings that are none of its
        constructor's; imports torch and Lightning, and everything else that will be built."""
        sections = {key: self.plain[key] for key in BUILT if self.plain.get(key)}
        tree = {**sections, "workflow": {k: v for k, v in self.plain["workflow"].items() if k != "_target_"}}
        recipes = with_recipes(tree, self.trusted)
        check_kinds(recipes, self.trusted)
        self.workflow.check_kinds()  # before their settings: those of another workflow's task fit no better
        check_recipes(recipes, self.trusted)

    def perform(self) -> Path | None:
        """Run the workflow in its place, from an empty folder or from where it was interrupted."""
        return perform(self.workflow, self.place)


def validate(config: DictConfig) -> Job:
    """The job of a composed configuration of train.py; raises ``UserError`` with one sentence on the first thing that
    is wrong with it."""
    plain = plain_of(config)
    return job_of(plain, trusted=plain.get("trust") is True)


def plain_of(config: DictConfig) -> dict[str, Any]:
    """A composed configuration resolved to plain values, under today's names; raises ``UserError``."""
    try:
        plain: Any = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    except RecursionError:
        raise UserError("the configuration does not compose: a value refers to itself.") from None
    return renamed(plain)


def job_of(plain: dict[str, Any], trusted: bool, reopen: Callable[[str], FinishedRun] | None = None) -> Job:
    """The job of a resolved configuration of train.py; ``reopen``: how it opens the finished runs that it names."""
    if not trusted:
        check_targets(plain)
    if plain.get("name") in (None, ""):
        raise UserError("no experiment is named: give experiment=<name>, e.g. experiment=aim_quick, or name=<yours>.")
    check_names(plain)
    if not isinstance(plain.get("workflow"), dict) or "_target_" not in plain["workflow"]:
        raise UserError("workflow is missing: put it back, or leave out what took it away.")
    home, name = Path(checked("paths", Paths, plain.get("paths")).runs), checked("name", Name, plain["name"])
    run = plain.get("run") or {}
    own = checked("run.id", Name | int, run.get("id", "auto") if isinstance(run, dict) else run)
    seed = checked("seed", Seed, plain.get("seed", 0))
    checked("trust", StrictBool, plain.get("trust", False))
    reopen = reopen or functools.partial(open_run, stores=plain["paths"]["stores"], trusted=trusted)
    door = Door(plain, trusted, reopen)
    check_points(door)
    workflow = door.build(find_workflow(plain["workflow"]["_target_"], trusted), "workflow")
    return Job(workflow, Place(home, name, str(own), seed, redacted(plain)), plain, trusted)


def open_run(folder: str | Path, stores: str | None = None, trusted: bool = False) -> FinishedRun:
    """The finished run in a folder that ``train.py`` wrote; what stands there is checked like what was typed.

    stores: where its ensembles lie now, if elsewhere. trusted: the user has typed trust=true now; that the folder says
    so of itself does not count. Raises ``UserError`` if it is not finished or damaged.
    """
    folder = Path(folder)
    require_finished(folder)
    plain = read_config(folder / "config.yaml")
    plain["trust"] = trusted
    if stores is not None:
        for section in ensemble_roles(plain).values():
            if isinstance(section, dict) and isinstance(section.get("path"), str):
                section["path"] = str(Path(stores) / Path(section["path"]).name)
    job = job_of(plain, trusted, left_closed)
    job.check_classes()
    return FinishedRun(folder, job.workflow, job.place.name, job.place.seed, job.plain)


def left_closed(folder: str) -> FinishedRun:
    """A run that a finished one was compared with: named, not opened, as it need not be there any more, and may in turn
    name the other."""
    return FinishedRun(Path(folder), Workflow(), Path(folder).parent.name, 0, {})


def read_config(path: Path) -> dict[str, Any]:
    """The configuration that a run folder holds, plain values under today's names; raises ``UserError``."""
    try:
        plain = renamed(yaml.safe_load(path.read_text(encoding="utf-8")))
    except RecursionError:
        raise UserError(f"{path} cannot be read, a value refers to itself: give another run.") from None
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise UserError(f"{path} cannot be read ({' '.join(str(error).split())[:100]}): give another run.") from None
    if not isinstance(plain, dict):
        raise UserError(f"{path} is no configuration: give a run folder that train.py wrote.")
    return plain


def checked(where: str, hint: Any, value: Any) -> Any:
    """A value of a type and range; ``UserError`` says what is wrong with it."""
    try:
        return TypeAdapter(hint).validate_python(value)
    except ValidationError as error:
        raise UserError(sentence(error, where)) from None


def check_names(plain: Mapping[str, Any]) -> None:
    """Raise ``UserError`` on a key that nothing reads: each must stand in one of the files of conf/.

    Sections that hold the settings of a class are looked at with that class.
    """
    require_known(plain, "", known_names("."))
    for section in plain:
        inner, known = plain[section], known_names(section)
        if isinstance(inner, dict) and "_target_" not in inner and known and section not in ("models", "ensembles"):
            if section in ("survey", "extrapolation", "callbacks", "logger"):
                continue
            require_known(inner, f"{section}.", known)


@functools.cache
def known_names(group: str) -> frozenset[str]:
    """The settings of a group of conf/, as its files hold them; of ``.``, those of a whole configuration."""
    files = [*(CONF / group).glob("*.yaml")] if group != "." else [CONF / "train.yaml", CONF / "sample.yaml"]
    names = {str(key) for file in files for key in yaml.safe_load(file.read_text(encoding="utf-8")) or {}}
    if group == ".":
        rooms = {path.name for path in CONF.iterdir() if path.is_dir()}
        names |= rooms - {"experiment", "debug", "hydra", "search"}
        names |= {"survey", "extrapolation", "ensembles", "storage"}
    return frozenset(names - {"defaults", "hydra"})


def check_points(door: Door) -> None:
    """Is every point of every plan physical, the start state one that the system knows, and no number mistyped?"""
    if not door.trusted and isinstance(door.plain.get("system"), dict):
        check_classes(door.plain["system"])
    for role in ensemble_roles(door.plain):
        ensemble = door.ensemble(role)
        with speaking_of(role):
            _check_plans(ensemble)


def _check_plans(ensemble: Ensemble) -> None:
    for member in ensemble.members:
        _check_plan(ensemble.plan, member.system)


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
