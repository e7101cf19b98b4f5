"""The run folder (DESIGN contract 4): ``runs/<name>/<id>/`` with its configuration, results, timings and steps."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml
from omegaconf import DictConfig, OmegaConf
from rich.console import Console
from rich.table import Table

from lattice_ml.errors import UserError

PACKAGES = ("lattice-ml", "torch", "lightning", "numpy", "numba", "scikit-learn", "umap-learn", "captum", "zarr")


class Run:
    """One run: its folder, and the results that grow step by step.

    ``results`` is what ``results.json`` will hold; the file is written once, when everything in it is true. The report
    comes last: a folder without it is unfinished, and the same command goes on there.
    """

    def __init__(self, folder: Path, config: DictConfig, steps: int) -> None:
        self.folder = folder
        self.config = config
        self.console = Console()
        self.results: dict[str, Any] = {"experiment": config.name, "run": folder.name, "seed": config.seed}
        self.timings: dict[str, float] = {}
        self._steps = steps
        self._started = time.monotonic()
        for room in ("checkpoints", "figures"):
            (folder / room).mkdir(parents=True, exist_ok=True)
        write_text(folder / "config.yaml", OmegaConf.to_yaml(config, resolve=True))

    @property
    def figures(self) -> Path:
        """Where the pictures, their arrays and their captions go."""
        return self.folder / "figures"

    @property
    def last_checkpoint(self) -> Path | None:
        """Where an interrupted training goes on, if it was interrupted."""
        path = self.folder / "checkpoints" / "last.ckpt"
        return path if path.exists() else None

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

        self.results["timings"] = {**self.timings, "total": round(time.monotonic() - self._started, 2)}
        self.results["versions"] = {
            "python": platform.python_version(),
            **{package: version(package) for package in PACKAGES},
        }
        self.results["finished"] = datetime.now(UTC).isoformat(timespec="seconds")
        write_text(self.folder / "results.json", json.dumps(self.results, indent=2, allow_nan=False) + "\n")
        return report.write(self.folder)

    def show_boundaries(self, page: Path) -> None:
        """Print the boundaries, where the time went, and where the report lies."""
        table = Table("rho0", "transition", "T", "error", "method", title=f"{self.config.name}/{self.folder.name}")
        for row in self.results.get("boundaries", []):
            found = row["T"] is not None
            shown = [f"{row['T']:.3f}" if found else "-", f"{row['error']:.3f}" if row["error"] is not None else "-"]
            table.add_row(f"{row['rho0']:.4g}", row["transition"], *shown, row["method"])
        self.console.print(table)
        spent = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in self.results["timings"].items())
        self.console.print(f"time: {spent}", highlight=False)
        self.console.print(f"report: {page}", highlight=False, soft_wrap=True)


def open_run(config: DictConfig, steps: int) -> Run:
    """Find or make the folder ``<paths.runs>/<name>/<run.id>/``.

    run.id = auto: the newest unfinished run with this very configuration, else the next free number. A given id is
    taken as it is: its unfinished run goes on, a finished one or one of another configuration is a ``UserError``.
    """
    home = Path(config.paths.runs) / config.name
    if config.run.id != "auto":
        folder = home / str(config.run.id)
        if finished(folder):
            raise UserError(f"the run {folder} is finished: give another run.id, or run.id=auto for a new number.")
        if (folder / "config.yaml").exists() and not _same(folder, config):
            raise UserError(
                f"the run {folder} was begun with another configuration: give another run.id, or run.id=auto."
            )
        return Run(folder, config, steps)
    numbered = sorted((path for path in home.glob("[0-9]*") if path.name.isdigit()), key=lambda path: int(path.name))
    for folder in reversed(numbered):
        if not finished(folder) and _same(folder, config):
            return Run(folder, config, steps)
    following = int(numbered[-1].name) + 1 if numbered else 1
    return Run(home / f"{following:03d}", config, steps)


def finished(folder: Path) -> bool:
    """Has the run in this folder come to its end?"""
    return (folder / "report.html").exists()


def write_text(path: Path, text: str) -> None:
    """Write a file so that it is either the old one or the new one, never half of it."""
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text, encoding="utf-8")
    os.replace(partial, path)


def _same(folder: Path, config: DictConfig) -> bool:
    """Does the folder's configuration equal this one, but for the run's id?"""
    try:
        before = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return False
    now = yaml.safe_load(OmegaConf.to_yaml(config, resolve=True))
    return isinstance(before, dict) and {**before, "run": None} == {**now, "run": None}
