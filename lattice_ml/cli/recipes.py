"""The recipes of a composed configuration: every ``_target_`` in it becomes one, checked before anything is called."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from typing import Any, Literal, get_origin

from hydra.utils import instantiate
from pydantic import ConfigDict, TypeAdapter, ValidationError

from lattice_ml.cli.hints import hints_of, parts_of
from lattice_ml.cli.sentences import sentence
from lattice_ml.cli.targets import HYDRA, check_classes, check_targets, require_arguments
from lattice_ml.ground.errors import UserError
from lattice_ml.ground.recipe import Make, Recipe


def with_recipes(plain: Any, trusted: bool) -> Any:
    """The tree of plain values with a recipe in the place of every mapping that has a ``_target_``."""
    if isinstance(plain, Mapping):
        inner = {key: with_recipes(value, trusted) for key, value in plain.items() if key != "_target_"}
        if "_target_" in plain:
            return Recipe(str(plain["_target_"]), _maker(trusted), **{str(key): own for key, own in inner.items()})
        return inner
    return [with_recipes(value, trusted) for value in plain] if isinstance(plain, list | tuple) else plain


def _maker(trusted: bool) -> Make:
    """How Hydra calls a recipe, with live objects, which it must not copy.

    Raises ``UserError`` on a ``_target_`` that is not built from a configuration (``targets.py``), and on a value that
    it does not take. What is checked is what is built: the values are plain, interpolations were resolved before.
    """

    def make(recipe: Recipe[Any], objects: dict[str, Any]) -> Any:
        plain = recipe.plain()
        if not trusted:
            check_targets(plain)
            check_classes(plain)
        deferred = instantiate(plain, _partial_=True, _convert_="all")
        require_arguments(plain, objects)
        return deferred(**objects)

    return make


def check_recipes(tree: Any, trusted: bool, where: str = "") -> None:
    """Raise ``UserError`` on the first recipe that cannot be made: its class, its settings and their types.

    Imports the classes, whose constructors' hints are the only place where those types stand.
    """
    check_kinds(tree, trusted)
    for name, recipe in _recipes(tree, where):
        if isinstance(recipe.kind, type):
            require_arguments(recipe.plain(), {})
            _check_types(name, recipe)


def check_kinds(tree: Any, trusted: bool) -> None:
    """Raise ``UserError`` on the first recipe whose class is not there or is not built; imports the classes."""
    for _, recipe in _recipes(tree, ""):
        if not trusted:
            check_classes({"_target_": recipe.name})


def _recipes(tree: Any, where: str) -> Iterator[tuple[str, Recipe[Any]]]:
    if isinstance(tree, Recipe):
        yield where, tree
        tree = tree.settings
    children = tree.items() if isinstance(tree, Mapping) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in children:
        yield from _recipes(value, f"{where}.{key}" if where else str(key))


def _check_types(where: str, recipe: Recipe[Any]) -> None:
    """Values whose hints are numbers, truth values, texts, choices or ranges; the class looks at the others itself."""
    try:
        hints = hints_of(recipe.kind.__init__)
        known = inspect.signature(recipe.kind).parameters
    except (TypeError, ValueError):  # some classes of torch have no signature, or hints that are no names
        return
    for name, value in recipe.settings.items():
        if name in HYDRA or name not in known or name not in hints or not _is_simple(hints[name]):
            continue
        try:
            TypeAdapter(hints[name], config=ConfigDict(strict=True)).validate_python(value)
        except ValidationError as error:
            raise UserError(sentence(error, f"{where}.{name}")) from None


def _is_simple(hint: Any) -> bool:
    return all(part in (int, float, bool, str, type(None)) or get_origin(part) is Literal for part in parts_of(hint))
