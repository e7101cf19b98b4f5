"""What the finalists' runs say: a loss for every instance, as the paper's table has it, and the paper's own figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from lattice_ml.ensembles.family import torus_name
from lattice_ml.ground.errors import UserError
from lattice_ml.report.folder import published, read_json
from lattice_ml.report.numbers import items, table

VALIDATION, TEST, BEYOND = "validation", "test, training size", "test, up to the largest size"
COLUMNS = (VALIDATION, TEST, BEYOND)


@dataclass
class Scores:
    """A finalist's losses ``[instance]`` by column, and what is known beside them: its runs, parameters and source.

    published: ``{column: {"mean": …, "median": …}}``, what the literature says of the net of this name.
    """

    label: str
    parameters: int | None
    losses: dict[str, np.ndarray] = field(default_factory=dict)
    published: dict[str, dict[str, float]] = field(default_factory=dict)


def read_scores(label: str, folders: list[Path]) -> Scores | None:
    """The losses of a finalist's finished runs; None if there is none of them.

    One run holds all instances of a net for an observable. Of a classifier every run is an instance, for test its share
    of wrong configurations is told, and there is no larger size.
    """
    results = [read_json(folder / "results.json")[0] for folder in folders if (folder / "report.html").is_file()]
    if not results:
        return None
    rows = [row for result in results for row in items(result.get("nets"))]
    losses = _of_nets(results[0], rows) if rows else _of_classifiers(results)
    return Scores(label, count_parameters(folders[0]), losses, said_of(label, results[0]))


def _of_nets(result: Mapping[str, Any], rows: list[dict[str, Any]]) -> dict[str, np.ndarray]:
    row = rows[0]
    own = torus_name(table(result.get("system"))["extents"])
    found = {VALIDATION: np.array(row["validation"]["members"], dtype=np.float64)}
    for test in row["tests"]:
        column = {own: TEST, "all": BEYOND}.get(test["lattice"]) if test["part"] == "survey" else None
        loss = table(test.get("mse") or test.get("cross_entropy"))
        if column is not None and loss:
            found[column] = np.array(loss["members"], dtype=np.float64)
    return found


def _of_classifiers(results: list[dict[str, Any]]) -> dict[str, np.ndarray]:
    values = [table(table(result.get("metrics")).get("validation_loss")).get("value") for result in results]
    wrong = [1 - table(table(result.get("metrics")).get("test_accuracy"))["value"] for result in results]
    return {VALIDATION: np.array(values, dtype=np.float64), TEST: np.array(wrong, dtype=np.float64)}


def said_of(label: str, result: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """The literature's mean and median in every column, where it names a net so (``EQ_1 validation mse (mean)``)."""
    found: dict[str, dict[str, float]] = {}
    own = torus_name(table(result.get("system"))["extents"])
    for name, entry in table(published(result).get("metrics")).items():
        net, _, said = name.partition(" ")
        what, _, statistic = said.rpartition(" ")
        column = {"validation mse": VALIDATION, f"mse on {own}": TEST}.get(what)
        column = BEYOND if what.startswith("mse up to ") else column
        if net == label and column is not None:
            found.setdefault(column, {})[statistic.strip("()")] = float(entry["value"])
    return found


def count_parameters(folder: Path) -> int | None:
    """Trainable numbers of one net of a run, counted in its checkpoint; None if there is none to read."""
    from lattice_ml.ground.checkpoints import read_checkpoint

    try:
        checkpoint = read_checkpoint(folder / "checkpoints" / "last.ckpt")
        weights = [value for name, value in checkpoint["state_dict"].items() if name.startswith("net.")]
        return sum(value.numel() for value in weights) // int(checkpoint["hyper_parameters"].get("members", 1))
    except (UserError, KeyError, AttributeError):
        return None
