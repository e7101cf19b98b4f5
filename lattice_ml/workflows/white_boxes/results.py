"""How well white boxes and a net answer, on held-out replicas and elsewhere: ``results.json`` and what is printed."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from rich.table import Table as Printed

from lattice_ml.ensembles.store import points_of
from lattice_ml.ground.boundary_rows import place_in
from lattice_ml.phases.boundary import boundary_table
from lattice_ml.runs.run import Run
from lattice_ml.workflows.white_boxes.data import Judge, Table, scans


class Score(NamedTuple):
    """Of one judge on some points of a table. place: where they lie, e.g. ``{"rho0": 5.0}``. values: accuracy, or mean
    squared error per target, ``[member, answer]``; errors the same, from the spread between trajectories. n:
    configurations."""

    part: str
    torus: str
    place: dict[str, float]
    values: np.ndarray
    errors: np.ndarray
    n: int


class Verdict(NamedTuple):
    """All scores of one judge, and its class probabilities of every table (None for a regression)."""

    name: str
    scores: list[Score]
    probabilities: list[np.ndarray | None]


def judged(judge: Judge, tables: list[Table]) -> Verdict:
    """Let a judge answer every table that it can read.

    Classes: accuracy of every scan in the control parameter whose labels are known. Values: mean squared error at
    every point.
    """
    scores: list[Score] = []
    probabilities: list[np.ndarray | None] = []
    for table in tables:
        answer = judge.answer(table)
        classify = answer is not None and table.answers.dtype.kind == "i"
        probabilities.append(answer[0] if answer is not None and classify else None)
        if answer is None:
            continue
        if classify:
            right = (answer.argmax(axis=-1) == table.answers[:, 0])[..., None].astype(np.float64)
            for place, members in scans(table).items():
                rows = np.isin(table.trajectory[:, 0], members) & (table.answers[:, 0] >= 0)
                if rows.any():
                    scores.append(_score(table, dict(place), right[:, rows], table.trajectory[rows]))
        else:
            squared = (answer - table.answers) ** 2
            for number, point in enumerate(table.points):
                rows = table.trajectory[:, 0] == number
                scores.append(_score(table, point, squared[:, rows], table.trajectory[rows]))
    return Verdict(judge.name, scores, probabilities)


def _score(table: Table, place: dict[str, float], values: np.ndarray, trajectory: np.ndarray) -> Score:
    """values: ``[member, n, answer]``, averaged over n; trajectories of equal length are independent."""
    number = np.unique(trajectory, axis=0, return_inverse=True)[1].ravel()
    means = np.stack([values[:, number == one].mean(axis=1) for one in range(number.max() + 1)], axis=1)
    spread = means.std(axis=1, ddof=1) if means.shape[1] > 1 else np.full_like(means[:, 0], np.nan)
    errors = spread / np.sqrt(means.shape[1])
    return Score(table.part, table.torus, place, means.mean(axis=1), errors, values.shape[1])


def tell(
    run: Run,
    verdicts: list[Verdict],
    tests: list[Table],
    transitions: list[dict[str, Any]],
    targets: list[str],
    seed: int,
) -> None:
    """``results.json``: every score (``tests``), those on held-out replicas as ``metrics``, and the boundaries.

    ``tests``: a list of ``{"method", "part", "lattice", <control parameters>, "accuracy"}`` or ``"mse": {target:
    ...}``, each ``{"value", "error", "n"}``; of a net with several instances the median over them. ``boundaries`` as
    in contract 4, with the crossings of every method and, as ``umap``, what the clusters of the same scans say.
    """
    run.results["tests"] = [
        {"method": verdict.name, "part": score.part, "lattice": score.torus, **score.place, **_told(score, targets)}
        for verdict in verdicts
        for score in verdict.scores
    ]
    run.results["metrics"] = {
        f"{verdict.name}: {name}": told for verdict in verdicts for name, told in _metrics(verdict, targets).items()
    }
    if targets:
        return
    rows = list(transitions)
    for verdict in verdicts:
        for table, found in zip(tests, verdict.probabilities, strict=True):
            if found is not None:
                rows += boundary_table(
                    points_of(table.dataset), found.reshape(*table.shape, -1), table.system.phases,
                    table.system.control, verdict.name, seed,
                )  # fmt: skip
    run.results["boundaries"] = sorted(rows, key=lambda row: [value for _, value in sorted(place_in(row).items())])


def _told(score: Score, targets: list[str]) -> dict[str, Any]:
    members = [
        {"value": float(np.median(values)), "error": _plain(np.median(errors)), "n": score.n}
        for values, errors in zip(score.values.T, score.errors.T, strict=True)
    ]
    return {"mse": dict(zip(targets, members, strict=True))} if targets else {"accuracy": members[0]}


def _metrics(verdict: Verdict, targets: list[str]) -> dict[str, dict[str, Any]]:
    """Accuracy or error on the held-out replicas, and averaged over the points of every other part and lattice."""
    found: dict[str, dict[str, Any]] = {}
    kinds = list(dict.fromkeys((score.part, score.torus) for score in verdict.scores))
    for part, torus in kinds:
        own = [score for score in verdict.scores if (score.part, score.torus) == (part, torus)]
        where = "held-out replicas" if part == "ensemble" else f"{part} on {torus}"
        values = np.mean([np.median(score.values, axis=0) for score in own], axis=0)
        errors = np.sqrt(np.sum([np.median(score.errors, axis=0) ** 2 for score in own], axis=0)) / len(own)
        for name, value, error in zip(targets or ["accuracy"], values, errors, strict=True):
            what = f"mse of {name}" if targets else name
            told = {"value": float(value), "error": _plain(error), "n": sum(score.n for score in own)}
            found[f"{what}, {where}"] = told
    return found


def show(run: Run) -> None:
    """Print accuracies, a row for each place, or errors averaged over the points of each part and lattice."""
    cells: dict[str, dict[str, str]] = {}
    for row in run.results["tests"]:
        if "accuracy" in row:
            place = ", ".join(f"{name} = {value:.4g}" for name, value in row.items() if isinstance(value, float))
            own = cells.setdefault(f"{row['part']}, {row['lattice']}, {place}".rstrip(", "), {})
            own[row["method"]] = f"{row['accuracy']['value']:.3f}"
    for name, told in run.results["metrics"].items() if not cells else ():
        method, _, what = name.partition(": ")
        cells.setdefault(what, {})[method] = f"{told['value']:.3g}"
    methods = list(dict.fromkeys(row["method"] for row in run.results["tests"]))
    printed = Printed("", *methods, title=f"{run.name}/{run.folder.name}")
    for what, own in cells.items():
        printed.add_row(what, *(own.get(method, "-") for method in methods))
    run.console.print(printed)


def _plain(error: Any) -> float | None:
    return float(error) if np.isfinite(error) else None
