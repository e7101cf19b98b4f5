"""How to make an object, as often as it is wanted: a class and its plain settings.

A workflow makes nets and tasks when it knows what they are for: the lattice, the number of phases, the seed. Until then
it holds their recipes, ``Recipe(PhaseCNN, filters=8)``; what only the workflow knows is given when one is called.
"""

from __future__ import annotations

import copy
import importlib
from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

T = TypeVar("T")
Make = Callable[["Recipe[Any]", dict[str, Any]], Any]
"""(recipe, live objects) -> the object."""


def call(recipe: Recipe[Any], objects: dict[str, Any]) -> Any:
    """The class called with its settings, of which nested recipes are made first, and with live objects."""
    return recipe.kind(**{name: _made(value) for name, value in recipe.settings.items()}, **objects)


class Recipe(Generic[T]):
    """kind: the class, or its dotted name, which is imported when the class is first asked for. settings: its keyword
    arguments, plain values or recipes. make: how it is called; the shell's door checks names there and lets Hydra call.
    """

    def __init__(self, kind: type[T] | str, make: Make = call, /, **settings: Any) -> None:
        self._kind, self.make, self.settings = kind, make, settings

    @property
    def name(self) -> str:
        """The dotted name of the class."""
        return self._kind if isinstance(self._kind, str) else f"{self._kind.__module__}.{self._kind.__qualname__}"

    @property
    def kind(self) -> type[T]:
        """The class; importing it may take a while."""
        if isinstance(self._kind, str):
            module, _, name = self._kind.rpartition(".")
            self._kind = getattr(importlib.import_module(module), name)
        return self._kind  # pyright: ignore[reportReturnType]

    def __call__(self, **objects: Any) -> T:
        """A new object; raises what the class raises."""
        return self.make(self, objects)

    def but(self, **changes: Any) -> Recipe[T]:
        """The same with other settings."""
        return Recipe(self._kind, self.make, **{**self.settings, **changes})  # pyright: ignore[reportArgumentType]

    def plain(self) -> dict[str, Any]:
        """``{"_target_": name, **settings}``, as a configuration writes it."""
        return {"_target_": self.name, **{key: _plain(value) for key, value in self.settings.items()}}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Recipe) and self.plain() == other.plain()

    __hash__ = None  # pyright: ignore[reportAssignmentType]

    def __repr__(self) -> str:
        return f"Recipe({self.name}, {', '.join(f'{key}={value!r}' for key, value in self.settings.items())})"


def _made(value: Any) -> Any:
    if isinstance(value, Recipe):
        return value()
    if isinstance(value, Mapping):
        return {key: _made(own) for key, own in value.items()}
    return [_made(own) for own in value] if isinstance(value, list) else copy.deepcopy(value)


def _plain(value: Any) -> Any:
    if isinstance(value, Recipe):
        return value.plain()
    if isinstance(value, Mapping):
        return {key: _plain(own) for key, own in value.items()}
    return [_plain(own) for own in value] if isinstance(value, list) else value
