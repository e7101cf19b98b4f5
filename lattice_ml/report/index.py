"""Many runs on one page: ``runs/index.html``, side by side, newest first; self-contained like the reports it links to.

Nothing is computed: every number is read from the runs' ``config.yaml`` and ``results.json``. Folders that are no runs,
and runs whose files cannot be read, are listed as such.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import yaml

from lattice_ml.ground.boundary_rows import control_of, place_in, value_of
from lattice_ml.ground.errors import UserError
from lattice_ml.ground.files import disk_errors, write_file
from lattice_ml.report.folder import embedded, read_json, template
from lattice_ml.report.numbers import flat, is_number, items, moment, named, quantity, symbol, table, with_error

MARKS = ("config.yaml", "results.json", "report.html")
"""A folder with one of these is a run."""

THUMBNAIL = 360
"""Pixels across: twice the width of a column, for sharp screens."""

Key = tuple[tuple[tuple[str, float], ...], str, str, str]
"""A boundary: its place, the parameters of the scan by name; transition, control parameter, method."""


@dataclass(frozen=True)
class Row:
    """What the page says of one run. ``status``: finished, unfinished or damaged, with ``note`` the reason."""

    name: str
    status: str
    note: str
    when: str
    order: str
    experiment: str
    seed: str
    accuracy: str
    report: str | None
    picture: str | None
    settings: dict[str, str] = field(default_factory=dict)
    boundaries: dict[Key, tuple[str, str]] = field(default_factory=dict)


def write_index(runs: Path | str) -> Path:
    """Write ``<runs>/index.html`` and return its path.

    ``runs`` holds ``<experiment>/<id>/`` folders (or ``<id>/`` folders, if it is that of one experiment). Raises
    ``UserError`` if it is no folder, a run itself, or cannot be written.
    """
    root = Path(runs)
    if not root.is_dir():
        raise UserError(f"{root} is not a folder: give the one that holds the runs, e.g. runs/.")
    if _is_run(root):
        raise UserError(
            f"{root} is one run, whose page is its report.html: give the folder above, which holds the runs."
        )
    rows, others = [], []
    for folder in _folders(root):
        found = read_run(folder, root) if _is_run(folder) else "no config.yaml, results.json or report.html"
        (rows if isinstance(found, Row) else others).append(
            found if isinstance(found, Row) else (_name(folder, root), found)
        )
    rows.sort(key=lambda row: row.order, reverse=True)
    boundaries = sorted(
        dict.fromkeys(key for row in rows for key in row.boundaries),
        key=lambda key: ([value for _, value in key[0]], key[3]),
    )
    page = template("index.html").render(
        root=_shown(root.resolve().name), rows=rows, others=others, settings=differing(rows), boundaries=boundaries,
        number=with_error, named=named, symbol=symbol, several=len({key[3] for key in boundaries}) > 1,
        controls=sorted({key[2] for key in boundaries}),
    )  # fmt: skip
    with disk_errors(root / "index.html", "paths.runs"):
        write_file(root / "index.html", page.encode("utf-8", "replace"))
    return root / "index.html"


def read_run(folder: Path, root: Path) -> Row | str:
    """One run's row, or in words why there is nothing to show of it."""
    results, complaints = read_json(folder / "results.json")
    written = (folder / "results.json").is_file()
    config, complaint = _read_config(folder / "config.yaml")
    if not results and not config:
        return "; ".join(filter(None, [*complaints, complaint]))
    damage = "; ".join(filter(None, [*(complaints if written else []), complaint]))
    finished = written and ((folder / "report.html").is_file() or "trial" in results)  # a trial has no page
    status = "damaged" if damage else "finished" if finished else "unfinished"
    when, order = _when(results, folder)
    metrics = table(results.get("metrics"))
    pictures = [folder / "figures" / "phase_diagram.png", *sorted((folder / "figures").glob("*.png"))]
    return Row(
        name=_name(folder, root),
        status=status,
        note=damage or ("" if finished else "killed, stopped, or at work now"),
        when=when,
        order=order,
        experiment=str(results.get("experiment") or config.get("name") or folder.parent.name),
        seed=str(results.get("seed", config.get("seed", "–"))),
        accuracy=quantity(metrics["test_accuracy"]) if "test_accuracy" in metrics else "–",
        report=_link(folder / "report.html", root) if (folder / "report.html").is_file() else None,
        picture=next(filter(None, (embedded(picture, THUMBNAIL) for picture in pictures if picture.is_file())), None),
        settings={name: value for name, value in flat(config) if not _is_place(name)},
        boundaries=_boundaries(results),
    )


def differing(rows: list[Row]) -> dict[str, list[str]]:
    """The settings that are not the same in all runs: name -> the value in each run, "–" where it has none."""
    known = [row for row in rows if row.settings]
    names = dict.fromkeys(name for row in known for name in row.settings)
    columns = {name: [row.settings.get(name, "–") for row in rows] for name in names}
    return {name: column for name, column in columns.items() if len({row.settings.get(name, "–") for row in known}) > 1}


def _folders(root: Path) -> Iterator[Path]:
    """The runs below ``root``, and the folders where a run could be but is none."""
    for folder in _subfolders(root):
        inner = [] if _is_run(folder) else list(_subfolders(folder))
        yield from inner or [folder]


def _subfolders(folder: Path) -> Iterator[Path]:
    try:
        inside = sorted(folder.iterdir())
    except OSError:  # not ours to read
        return
    yield from (path for path in inside if path.is_dir() and not path.name.startswith("."))


def _is_run(folder: Path) -> bool:
    return any((folder / mark).is_file() for mark in MARKS)


def _read_config(path: Path) -> tuple[dict[str, Any], str]:
    """The composed configuration, and what is wrong with it."""
    try:
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        content = yaml.load(path.read_text(encoding="utf-8"), loader)  # noqa: S506 - both are safe loaders
    except FileNotFoundError:
        return {}, "There is no config.yaml here."
    except (OSError, ValueError, yaml.YAMLError, RecursionError) as error:
        return {}, f"config.yaml could not be read ({' '.join(str(error).split())})."
    return (content, "") if isinstance(content, dict) else ({}, "config.yaml does not hold a table of settings.")


def _boundaries(results: Mapping[str, Any]) -> dict[Key, tuple[str, str]]:
    """Boundary -> (text, reason); rows whose place holds what is no number are left out."""
    found = {}
    for row in items(results.get("boundaries")):
        if not isinstance(row, Mapping) or not all(is_number(value) for value in place_in(row).values()):
            continue
        value, place = value_of(row), tuple(sorted((str(name), value) for name, value in place_in(row).items()))
        key = place, str(row.get("transition", "–")), control_of(row), str(row.get("method", "–"))
        text = with_error(value, row.get("error")) if is_number(value) else "–"
        found[key] = text, str(row.get("reason") or "")
    return found


def _when(results: Mapping[str, Any], folder: Path) -> tuple[str, str]:
    """The date to show, and one to sort by: when the run ended, else when it was last begun."""
    if results.get("finished"):
        return moment(results["finished"]), moment(results["finished"])
    marks = [folder / mark for mark in MARKS if (folder / mark).is_file()]
    begun = moment(datetime.fromtimestamp(marks[0].stat().st_mtime, UTC).isoformat())
    return f"begun {begun}", begun


def _is_place(name: str) -> bool:
    """Settings that say where and under which number a run lies, and those that have a row of their own."""
    return name in ("name", "run.id", "seed") or name.startswith("paths.") or name.endswith(".path")


def _name(folder: Path, root: Path) -> str:
    return _shown(folder.relative_to(root).as_posix())


def _shown(name: str) -> str:
    """A file name as text: bytes that are no UTF-8 become question marks."""
    return name.encode("utf-8", "replace").decode("utf-8")


def _link(path: Path, root: Path) -> str:
    return quote(os.fsencode(path.relative_to(root).as_posix()))
