"""Every global name that a function reads exists: ruff and pyright cannot tell, since jaxtyping's shape strings make
them leave undefined names alone."""

import builtins
import dis
import importlib
import pkgutil
from collections.abc import Iterator
from types import CodeType

import pytest

import lattice_ml

MODULES = sorted(
    found.name
    for found in pkgutil.walk_packages(lattice_ml.__path__, "lattice_ml.")
    if not found.name.endswith("__main__")
)


def codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for inner in code.co_consts:
        if isinstance(inner, CodeType):
            yield from codes(inner)


def undefined(source: str, path: str, known: set[str]) -> set[str]:
    """Names that are read as globals anywhere in the source and are neither known nor builtins."""
    read = {
        instruction.argval
        for code in codes(compile(source, path, "exec"))
        for instruction in dis.get_instructions(code)
        if instruction.opname == "LOAD_GLOBAL"
    }
    return read - known - set(dir(builtins))


@pytest.mark.parametrize("name", MODULES)
def test_every_global_name_exists(name: str) -> None:
    module = importlib.import_module(name)
    path = module.__file__
    assert path is not None
    with open(path, encoding="utf-8") as file:
        assert undefined(file.read(), path, set(vars(module))) == set()


def test_a_missing_import_is_found() -> None:
    source = "from __future__ import annotations\ndef f(x: Unseen) -> int:\n    return missing(len(x))\n"
    assert undefined(source, "planted", {"f"}) == {"missing"}
