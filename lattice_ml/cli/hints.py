"""What a constructor's type hints say, also where some names are imported for type checkers alone."""

from __future__ import annotations

import types
import typing
from typing import Annotated, Any, get_args, get_origin


def hints_of(kind: Any) -> dict[str, Any]:
    """The hints of a dataclass or of a function; names that only a type checker imports are Any."""
    unknown: dict[str, Any] = {"nn": types.SimpleNamespace(Module=Any)}
    while True:
        try:
            return typing.get_type_hints(kind, localns=unknown, include_extras=True)
        except NameError as error:
            unknown[str(error.name)] = Any


def parts_of(hint: Any) -> list[Any]:
    """The members of a union, without their annotations."""
    origin = get_origin(hint)
    if origin is Annotated:
        return parts_of(get_args(hint)[0])
    if origin in (typing.Union, types.UnionType):
        return [part for member in get_args(hint) for part in parts_of(member)]
    return [hint]
