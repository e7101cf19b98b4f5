"""What a comparison of nets found: ``results.json`` and the table on the console."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np
from rich.box import SIMPLE
from rich.table import Table

from lattice_ml.runs.evaluation import Evaluation, summary
from lattice_ml.runs.run import Run

LABELS = {"mse": "mean squared error", "accuracy": "accuracy"}
NAMES = {"n": "$n$", "phi2": r"$|\phi|^2$", "worms": "open worms", "violated": "violated"}


class Trained(NamedTuple):
    """Instances of one architecture trained on ``samples`` configurations, and how they did."""

    name: str
    samples: int
    evaluation: Evaluation


class Told(NamedTuple):
    """What is told of a task: labels of its outputs, its main score and the score that is its loss."""

    outputs: tuple[str, ...]
    score: str
    loss: str

    @property
    def label(self) -> str:
        return LABELS[self.score]

    @property
    def logarithmic(self) -> bool:
        return self.score == "mse"


def told_of(evaluation: Evaluation, outputs: Iterable[str]) -> Told:
    """Errors where there are any, else the accuracy."""
    main = "mse" if "mse" in evaluation.scores else "accuracy"
    return Told(tuple(NAMES.get(name, name) for name in outputs), main, loss_of(evaluation.scores))


def loss_of(scores: Iterable[str]) -> str:
    """The score that a loss is: mse, or cross-entropy where there is no mse."""
    return "mse" if "mse" in scores else "cross_entropy"


def largest(trained: list[Trained]) -> list[Trained]:
    """Of every architecture the training with the most samples."""
    best = {one.name: one for one in sorted(trained, key=lambda one: one.samples)}
    return [best[name] for name in dict.fromkeys(one.name for one in trained)]


def pooled(evaluation: Evaluation, name: str, torus: str | None, part: str = "survey") -> np.ndarray:
    """A score averaged over the points of a torus, or of all, float64 ``[member]``; nan for a net that takes none."""
    rows = evaluation.where(part, torus)
    return evaluation.score(name, rows).mean(axis=0) if len(rows) else np.full(len(evaluation.validation), np.nan)


def stacked(trained: list[Trained], values: Mapping[int, np.ndarray] | list[np.ndarray]) -> np.ndarray:
    """Arrays whose last axis is the member, filled up with nan where an architecture has fewer."""
    arrays = [values[n] for n in range(len(trained))]
    most = max(array.shape[-1] for array in arrays)
    return np.stack(
        [np.pad(a, [(0, 0)] * (a.ndim - 1) + [(0, most - a.shape[-1])], constant_values=np.nan) for a in arrays]
    )


def tell(run: Run, trained: list[Trained]) -> None:
    """``results.json``: every score of every training on every lattice, and ``metrics``, those of the largest.

    ``nets``: a list of ``{"net", "samples", "validation", "tests": [{"part", "lattice", <score>: {"mean", "median",
    "central_60_percent", "members"}}]}``, scores averaged over the points of a lattice, and of all lattices
    (``"all"``); ``worst_point`` of an accuracy is the mean over instances at the point where that is lowest. The scores
    of the hand-set net (``oracle.py``) stand beside them in ``metrics``: an error is the distance from that net.
    """
    rows = []
    for one in trained:
        tests: list[dict[str, Any]] = []
        for part in dict.fromkeys(one.evaluation.part):
            alone = one.evaluation.tori(part)
            for torus in [*alone, None] if len(alone) > 1 else alone:
                scores = {name: summary(pooled(one.evaluation, name, torus, part)) for name in one.evaluation.scores}
                if "accuracy" in scores:
                    own = one.evaluation.score("accuracy", one.evaluation.where(part, torus))
                    scores["accuracy"]["worst_point"] = float(own.mean(axis=1).min())
                tests.append({"part": part, "lattice": torus or "all", **scores})
        validation = summary(one.evaluation.validation)
        rows.append({"net": one.name, "samples": one.samples, "validation": validation, "tests": tests})
    run.results["nets"] = rows
    tori = all_tori(trained)
    run.results["metrics"] = {
        f"{one.name} {name} ({statistic.__name__})": {
            "value": float(statistic(values)),
            "error": None,
            "n": len(values),
        }
        for one in largest(trained)
        for name, values in reported(one.evaluation, tori).items()
        for statistic in (np.mean, np.median)
    }
    run.results["metrics"] |= {
        f"oracle {name} on {row['lattice']}": {"value": row[name], "error": None, "n": 1}
        for row in run.results.get("oracle", ())
        if row["part"] == "survey"
        for name in LABELS
        if name in row
    }


def all_tori(trained: list[Trained]) -> list[str]:
    """The lattices of the survey, in its order; nets that flatten are tested on one of them."""
    return list(dict.fromkeys(torus for one in trained for torus in one.evaluation.tori("survey")))


def reported(evaluation: Evaluation, tori: list[str]) -> dict[str, np.ndarray]:
    """What is reported as a metric, ``[member]`` each: ``mse on 60x4``, ``mse up to 200x10`` (mean over all lattices).

    ``accuracy at the worst point`` is that of the point of all lattices where the mean over the members is lowest.
    """
    found = {f"validation {loss_of(evaluation.scores)}": evaluation.validation}
    own = evaluation.tori("survey")
    for name in [name for name in LABELS if name in evaluation.scores]:
        for torus in own:
            found[f"{name} on {torus}"] = pooled(evaluation, name, torus)
        if own == tori and len(tori) > 1:
            found[f"{name} up to {tori[-1]}"] = pooled(evaluation, name, None)
    if "accuracy" in evaluation.scores:
        points = evaluation.score("accuracy", evaluation.where("survey"))
        found["accuracy at the worst point"] = points[points.mean(axis=1).argmin()]
    return found


def show(run: Run) -> None:
    """Print the medians over instances on every lattice of the survey that the first net takes."""
    rows = run.results["nets"]
    score = next(name for name in LABELS if name in rows[0]["tests"][0])
    tori = [test["lattice"] for test in rows[0]["tests"] if test["part"] == "survey" and test["lattice"] != "all"]
    title = f"{run.name}/{run.folder.name}: {LABELS[score]}, median over instances"
    table = Table("net", "samples", "validation", *tori, title=title, box=SIMPLE, padding=(0, 0))  # seven in 80 columns
    for row in rows:
        found = {test["lattice"]: test[score]["median"] for test in row["tests"] if test["part"] == "survey"}
        shown = ["-" if t not in found else f"{found[t]:.3g}" if score == "mse" else f"{found[t]:.5f}" for t in tori]
        table.add_row(row["net"], f"{row['samples']:,}", f"{row['validation']['median']:.3g}", *shown)
    run.console.print(table)
