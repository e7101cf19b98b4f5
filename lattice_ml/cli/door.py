"""The shell's door: from a composed configuration to one live object, built once and whole.

What a class takes is what its constructor's type hints say, and nothing else is read: an argument is the section of
that name (of ``workflow`` first, then of the whole), an ``Ensemble`` is made of its section with the configured rules
and sampler, a ``Recipe`` of a section with a ``_target_``, a dataclass such as ``Training`` of its own arguments, and
everything else is a plain value whose type and range pydantic checks.
"""

from __future__ import annotations

import dataclasses
import difflib
import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from lattice_ml.cli.hints import hints_of, parts_of
from lattice_ml.cli.recipes import with_recipes
from lattice_ml.cli.sentences import sentence
from lattice_ml.ensembles.ensemble import Ensemble, speaking_of
from lattice_ml.ensembles.family import members
from lattice_ml.ensembles.plan import build_plan
from lattice_ml.ground.errors import UserError
from lattice_ml.ground.ranges import Extents, Settings, Text

T = TypeVar("T")


class EnsembleSection(Settings):
    """One section that is an ensemble; the plan checks the rest itself."""

    name: Text
    path: Text
    extents: Extents | Annotated[list[Extents], Field(min_length=1)]
    grid: dict[str, Any] | list[dict[str, Any]]
    replicas: Any
    samples: Any
    seed: Any
    protocol: dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Door:
    """plain: a resolved configuration. trusted: the user typed trust=true. open_run: what opens the folder of a
    finished run that a setting names."""

    plain: Mapping[str, Any]
    trusted: bool
    open_run: Callable[[str], Any]

    def build(self, kind: type[T], *sections: str) -> T:
        """An object of this class; its arguments are looked up in ``sections`` first.

        Raises ``UserError`` on the first argument that will not do.
        """
        wanted, hints = inspect.signature(kind).parameters, hints_of(kind)
        named = {name for name, hint in hints.items() if _is_ensemble(hint)}
        given = {}
        for name, parameter in wanted.items():
            where, value = self._find(name, sections)
            if _is_ensemble(hints[name]):
                value = self.ensemble(name) if name in ensemble_roles(self.plain) else None
            elif _is_ensembles(hints[name]):
                value = {role: self.ensemble(role) for role in ensemble_roles(self.plain) if role not in named}
            elif dataclasses.is_dataclass(hints[name]) and isinstance(hints[name], type):
                value = self.build(hints[name])
            elif value is _MISSING or (value is None and not _takes_none(hints[name])):
                if parameter.default is not parameter.empty:
                    continue
                raise UserError(f"{where} is missing: put it back, or leave out what took it away.")
            else:
                value = self._checked(where, hints[name], with_recipes(value, self.trusted))
            if value is None and _is_ensemble(hints[name]) and not _takes_none(hints[name]):
                raise UserError(f"{where} is missing: put it back, or leave out what took it away.")
            given[name] = value
        return kind(**given)

    def _find(self, name: str, sections: tuple[str, ...]) -> tuple[str, Any]:
        for section in sections:
            inner = self.plain.get(section)
            if isinstance(inner, Mapping) and name in inner:
                return f"{section}.{name}", inner[name]
        return name, self.plain.get(name, _MISSING)

    def _checked(self, where: str, hint: Any, value: Any) -> Any:
        for model in _models_in(hint):
            if isinstance(value, Mapping):
                require_known(value, f"{where}.", frozenset(model.model_fields), model)
        settings = ConfigDict(arbitrary_types_allowed=True)
        adapter = TypeAdapter(hint, config=None if _models_in(hint) else settings)
        try:
            return adapter.validate_python(value, context={"open_run": self.open_run})
        except ValidationError as error:
            raise UserError(sentence(error, where)) from None

    def ensemble(self, role: str) -> Ensemble:
        """The ensemble of a section; raises ``UserError`` on what makes none."""
        section = ensemble_roles(self.plain)[role]
        if not isinstance(section, Mapping):
            raise UserError(f"{role} = {section!r} is no ensemble: give ensemble@{role}=<name>.")
        require_known(section, f"{role}.", frozenset(EnsembleSection.model_fields), EnsembleSection)
        try:
            EnsembleSection.model_validate(dict(section))
        except ValidationError as error:
            raise UserError(sentence(error, role)) from None
        for part in ("system", "sampler"):
            if not isinstance(self.plain.get(part), Mapping) or "_target_" not in self.plain[part]:
                raise UserError(f"{part} is missing: put it back, or leave out what took it away.")
        with speaking_of(role):
            single = members(section)
            return Ensemble(
                rules=with_recipes(self.plain["system"], self.trusted),
                sampler=with_recipes(self.plain["sampler"], self.trusted),
                plan=build_plan(section),
                tori=tuple(tuple(member["extents"]) for member in single),
                paths=tuple(Path(member["path"]) for member in single),
            )


_MISSING: Any = object()


def ensemble_roles(plain: Mapping[str, Any]) -> dict[str, Any]:
    """Every section that is an ensemble, by the name under which a user finds it."""
    named = {key: plain[key] for key in ("ensemble", "survey", "extrapolation") if plain.get(key)}
    further = plain.get("ensembles")
    further = further if isinstance(further, Mapping) else {}
    return named | {f"ensembles.{name}": section for name, section in further.items() if section}


def require_known(
    section: Mapping[Any, Any], prefix: str, known: frozenset[str], model: type[BaseModel] | None = None
) -> None:
    """Raise ``UserError`` on a key of a section that nothing reads; ``prefix``: the section's name and a dot."""
    if model is not None and model.model_config.get("extra") == "allow":
        return
    for key in section:
        if str(key) not in known:
            meant = did_you_mean(str(key), prefix, known)
            raise UserError(f"there is no setting {prefix + str(key)!r}: {meant}There are {', '.join(sorted(known))}.")


def did_you_mean(key: str, prefix: str, known: frozenset[str]) -> str:
    """``did you mean data.sizes? `` if a known name is written alike, else nothing."""
    close = difflib.get_close_matches(key, sorted(known), n=1)
    return f"did you mean {prefix}{close[0]}? " if close else ""


def _is_ensemble(hint: Any) -> bool:
    return Ensemble in parts_of(hint)


def _is_ensembles(hint: Any) -> bool:
    return any(get_origin(part) is Mapping and get_args(part)[1:] == (Ensemble,) for part in parts_of(hint))


def _takes_none(hint: Any) -> bool:
    return type(None) in parts_of(hint) or Any in parts_of(hint)


def _models_in(hint: Any) -> list[type[Settings]]:
    return [part for part in parts_of(hint) if isinstance(part, type) and issubclass(part, Settings)]
