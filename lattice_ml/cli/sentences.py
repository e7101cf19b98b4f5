"""A complaint of pydantic as one sentence with the name that the user typed."""

from __future__ import annotations

import re

from pydantic import ValidationError


def sentence(error: ValidationError, prefix: str = "") -> str:
    """The first complaint; ``prefix``: the name of the setting that was checked, of which ``error`` tells the rest."""
    first = error.errors()[0]
    where = ".".join([prefix, *_steps(first["loc"])] if prefix else _steps(first["loc"]))
    inner = first.get("ctx", {}).get("error")
    if isinstance(inner, ValidationError):  # of the settings of a recipe
        return sentence(inner, where)
    if first["type"] == "missing":
        return f"{where} is missing: put it back, or leave out what took it away."
    what = first["msg"].removeprefix("Value error, ")
    shown = repr(first["input"])
    shown = shown if len(shown) <= 80 else f"{shown[:77]}..."
    return f"{where} = {shown} will not do: {what[0].lower() + what[1:]}."


def _steps(loc: tuple[int | str, ...]) -> list[str]:
    """Pydantic's path without the names of types in a union, which the user never typed."""
    typed = re.compile(r"[A-Z][a-z]\w*|\w+\[.*|(constrained|function)-.*|int|float|str|bool|none")
    return [str(part) for part in loc if not typed.fullmatch(str(part))]
