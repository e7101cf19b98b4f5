"""The plan of the house: what each room may know, and how large it may be."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import lattice_ml

ROOT = Path(lattice_ml.__file__).parent
FLOORS = (
    ("cli",),
    ("workflows",),
    ("search",),
    ("runs",),
    ("report", "explain"),
    ("phases", "tasks"),
    ("nets",),
    ("data",),
    ("ensembles", "figures"),
    ("systems",),
    ("kernels",),
    ("ground",),
)
"""From the top down: a room imports from lower floors and from its own room alone, never from the one beside it."""
DOORS = {"explain/__main__.py", "report/__main__.py"}
"""``python -m`` of a room is the shell's, and calls ``cli``."""
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
FILES = sorted(ROOT.rglob("*.py"))


def imported(path: Path) -> Iterator[str]:
    """Names of modules that a file imports anywhere, but for those that only a type checker sees."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    unseen = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for statement in node.body
        for inner in ast.walk(statement)
    }
    for node in ast.walk(tree):
        if node in unseen:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", FILES, ids=named)
def test_imports_never_point_up(path: Path) -> None:
    room = path.relative_to(ROOT).parts[0]
    if room not in FLOOR or named(path) in DOORS:
        return
    for name in imported(path):
        other = name.split(".")[1] if name.startswith("lattice_ml.") else room
        if other in FLOOR and other != room:
            assert FLOOR[room] < FLOOR[other], f"{named(path)} imports {name}, which is above it or beside it"


@pytest.mark.parametrize("path", FILES, ids=named)
def test_hydra_stays_at_the_door(path: Path) -> None:
    if path.relative_to(ROOT).parts[0] == "cli":
        return
    assert not {name.split(".")[0] for name in imported(path)} & {"hydra", "omegaconf"}
    assert "DictConfig" not in path.read_text(encoding="utf-8")


def test_rooms_are_no_halls() -> None:
    folders = {path.parent for path in FILES}
    sizes = {named(folder): len(list(folder.glob("*.py"))) for folder in folders}
    assert sizes["."] <= 5, "the package's root"
    assert max(sizes.values()) <= 25, max(sizes, key=lambda name: sizes[name])


def test_every_room_has_a_floor_and_says_what_it_is_for() -> None:
    rooms = {path.name for path in ROOT.iterdir() if (path / "__init__.py").exists()}
    assert rooms == set(FLOOR)
    for path in ROOT.rglob("__init__.py"):
        assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))), named(path)
