"""The run folder (DESIGN contract 4): ``runs/<name>/<id>/`` with its configuration, results, timings and steps."""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console
from rich.table import Table

from lattice_ml.ground.boundary_rows import place_in, with_former_key
from lattice_ml.ground.errors import UserError
from lattice_ml.ground.files import PARTIAL, disk_errors, lock, write_file
from lattice_ml.ground.redaction import redacted

LOCK = ".lock"
"""Held by the process that is at work in a run's folder."""

PACKAGES = ("lattice-ml", "torch", "lightning", "numpy", "numba", "scikit-learn", "umap-learn", "captum", "zarr")


@dataclass(frozen=True)
class Place:
    """Where a run goes and what its folder says of itself: ``<home>/<name>/<id>/``.

    id: a name, or "auto" (see ``open_run``). record: what built the run, plain values; its ``config.yaml``. seed: of
    the run, for ``results.json``.
    """

    home: Path
    name: str
    id: str = "auto"
    seed: int = 0
    record: Mapping[str, Any] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """Of a run whose id was given."""
        return self.home / self.name / self.id


class Run:
    """One run: its folder, and the results that grow step by step.

    ``results`` is what ``results.json`` will hold; the file is written once, when everything in it is true. The report
    comes last: a folder without it is unfinished, and the same command goes on there.
    """

    def __init__(self, folder: Path, place: Place, steps: int) -> None:
        self.folder = folder
        self.name, self.seed = place.name, place.seed
        self.record: dict[str, Any] = redacted(place.record)
        self.console = Console()
        self.results: dict[str, Any] = {"experiment": place.name, "run": folder.name, "seed": place.seed}
        self.announce: Callable[[], None] = lambda: None  # to processes that train along, that there is something to
        self.timings: dict[str, float] = {}
        self._steps = steps
        self._started = time.monotonic()
        for room in ("checkpoints", "figures"):
            (folder / room).mkdir(parents=True, exist_ok=True)
        for left_behind in folder.rglob(f".*{PARTIAL}"):  # by a kill in the middle of a write
            left_behind.unlink(missing_ok=True)
        write_file(folder / "config.yaml", _yaml(self.record).encode())

    @property
    def figures(self) -> Path:
        """Where the pictures, their arrays and their captions go."""
        return self.folder / "figures"

    @property
    def checkpoints(self) -> Path:
        """Where the training leaves ``best.ckpt`` and ``last.ckpt``."""
        return self.folder / "checkpoints"

    @contextmanager
    def step(self, name: str, doing: str) -> Iterator[None]:
        """Announce a step and take its wall time into ``timings`` (seconds)."""
        self.console.print(f"[bold]\\[{len(self.timings) + 1}/{self._steps}] {doing}[/bold]", highlight=False)
        started = time.monotonic()
        yield
        self.timings[name] = round(time.monotonic() - started, 2)

    def finish(self) -> Path:
        """Write ``results.json`` and, last of all, ``report.html``; return the page's path."""
        from lattice_ml import report

        self.save()
        return report.write(self.folder)

    def save(self) -> None:
        """Write ``results.json``: what was found, and how long it took with which versions."""
        self.results["timings"] = {**self.timings, "total": round(time.monotonic() - self._started, 2)}
        self.results["versions"] = {
            "python": platform.python_version(),
            **{package: version(package) for package in PACKAGES},
        }
        self.results["finished"] = datetime.now(UTC).isoformat(timespec="seconds")
        results = json.dumps(_with_former_keys(redacted(self.results)), indent=2, allow_nan=False)
        write_file(self.folder / "results.json", f"{results}\n".encode())

    def show_boundaries(self) -> None:
        """Print the boundaries, in a column for each control parameter that they were found along."""
        rows = self.results.get("boundaries", [])
        places = list(place_in(rows[0])) if rows else []
        controls = list(dict.fromkeys(row["control"] for row in rows)) or [""]
        table = Table(*places, "transition", *controls, "error", "method", title=f"{self.name}/{self.folder.name}")
        for row in rows:
            value, error = ("-" if row[key] is None else f"{row[key]:.3f}" for key in ("value", "error"))
            shown = [value if row["control"] == control else "" for control in controls]
            table.add_row(*(f"{row[name]:.4g}" for name in places), row["transition"], *shown, error, row["method"])
        self.console.print(table)

    def show_end(self, page: Path) -> None:
        """Print where the time went, and where the report lies."""
        spent = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in self.results["timings"].items())
        self.console.print(f"time: {spent}", highlight=False)
        self.console.print(f"report: {page}", highlight=False, soft_wrap=True)


def _with_former_keys(results: dict[str, Any]) -> dict[str, Any]:
    """The results with the boundaries as version 0.1 wrote them too."""
    told = dict(results)
    if "boundaries" in told:
        told["boundaries"] = [with_former_key(row) for row in told["boundaries"]]
    if "transitions" in told.get("labels", {}):
        transitions = [with_former_key(row) for row in told["labels"]["transitions"]]
        told["labels"] = {**told["labels"], "transitions": transitions}
    return told


@contextmanager
def open_run(place: Place, steps: int) -> Iterator[Run]:
    """Find or make the folder ``<home>/<name>/<id>/`` and hold it for this process alone.

    id = auto: the newest unfinished run with this very configuration that no other process holds, else the next
    free number. A given id is taken as it is: its unfinished run goes on, a finished one, one of another
    configuration and one that another process holds are a ``UserError``. So is a disk that is full or forbidden.
    """
    home = place.home / place.name
    with disk_errors(home, "paths.runs"), ExitStack() as held:
        folder = _given(place, held) if place.id != "auto" else _automatic(home, place.record, held)
        yield Run(folder, place, steps)


def _given(place: Place, held: ExitStack) -> Path:
    folder = place.folder
    if finished(folder):
        raise UserError(f"the run {folder} is finished: give another run.id, or run.id=auto for a new number.")
    if (folder / "config.yaml").exists() and not _same(folder, place.record):
        raise UserError(f"the run {folder} was begun with another configuration: give another run.id, or run.id=auto.")
    folder.mkdir(parents=True, exist_ok=True)
    held.enter_context(lock(folder / LOCK, f"another process is at work in {folder}: wait for it, or give a run.id."))
    return folder


def _automatic(home: Path, record: Mapping[str, Any], held: ExitStack) -> Path:
    home.mkdir(parents=True, exist_ok=True)
    with ExitStack() as choosing:  # two commands that start together choose one after the other
        while True:
            try:
                choosing.enter_context(lock(home / LOCK, "choosing"))
                break
            except UserError:
                time.sleep(0.05)
        numbered = sorted((p for p in home.iterdir() if p.name.isdigit()), key=lambda path: int(path.name))
        for folder in reversed(numbered):
            if not finished(folder) and _same(folder, record):
                try:
                    held.enter_context(lock(folder / LOCK, "held"))
                except UserError:
                    continue  # the same command is running there
                return folder
        folder = home / f"{int(numbered[-1].name) + 1 if numbered else 1:03d}"
        folder.mkdir()
        held.enter_context(lock(folder / LOCK, "held"))
        return folder


def finished(folder: Path) -> bool:
    """Has the run in this folder come to its end?"""
    return (folder / "report.html").exists()


def _same(folder: Path, record: Mapping[str, Any]) -> bool:
    """Does the folder's configuration equal this one, but for the run's id?

    ``ckpt_path=last`` says what is done anyway, and is no difference. A folder that a kill left without a configuration
    and without a file of ours is anyone's.
    """
    try:
        before = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return all(path.name.startswith(".") for path in folder.rglob("*") if not path.is_dir())
    except (OSError, ValueError, yaml.YAMLError):
        return False
    now = yaml.safe_load(_yaml(redacted(record)))
    return isinstance(before, dict) and _compared(before) == _compared(now)


def _yaml(record: Mapping[str, Any]) -> str:
    return yaml.safe_dump(dict(record), default_flow_style=False, allow_unicode=True, sort_keys=False)


def _compared(config: dict[str, Any]) -> dict[str, Any]:
    start = config.get("ckpt_path")
    return {**config, "run": None, "ckpt_path": None if start == "last" else start}
