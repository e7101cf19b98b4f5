"""How good the members of an ensemble of nets are on test ensembles: scores for every torus and parameter point."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

Predict = Callable[[np.ndarray], Float[np.ndarray, "member configuration output"]]
Grade = Callable[
    [Float[np.ndarray, "member configuration output"], Float[np.ndarray, "configuration output"]],
    Mapping[str, Float[np.ndarray, " member"]],
]
"""(predictions, targets) -> mean scores; with ``predict`` what a ``tasks.members.MemberTask`` offers."""


@dataclass(frozen=True)
class Case:
    """Test configurations of one torus and point: their integer states and targets ``[configuration, output]``.

    chain: int64 ``[configuration]``, which configurations come from one trajectory, for the error of their mean.
    """

    part: str
    torus: str
    point: Mapping[str, float]
    states: np.ndarray
    targets: np.ndarray
    chain: np.ndarray


@dataclass
class Evaluation:
    """A row for each case. Arrays of a row: ``scores[name]`` float64 ``[row, member]``, ``predicted`` ``[row, member,
    output]`` means over configurations, ``target`` and ``error`` ``[row, output]`` mean and standard error over chains.
    ``validation``: loss of every member's best weights on the validation configurations, ``[member]``.
    """

    validation: np.ndarray = field(default_factory=lambda: np.empty(0))
    part: list[str] = field(default_factory=list)
    torus: list[str] = field(default_factory=list)
    points: dict[str, list[float]] = field(default_factory=dict)
    scores: dict[str, list[np.ndarray]] = field(default_factory=dict)
    predicted: list[np.ndarray] = field(default_factory=list)
    target: list[np.ndarray] = field(default_factory=list)
    error: list[np.ndarray] = field(default_factory=list)

    def where(self, part: str, torus: str | None = None) -> np.ndarray:
        """Numbers of the rows of a part, and of one torus of it."""
        chosen = [
            row
            for row, (own, extents) in enumerate(zip(self.part, self.torus, strict=True))
            if own == part and torus in (None, extents)
        ]
        return np.array(chosen, dtype=np.int64)

    def tori(self, part: str) -> list[str]:
        """The tori of a part, each once, in their order."""
        return list(dict.fromkeys(torus for own, torus in zip(self.part, self.torus, strict=True) if own == part))

    def score(self, name: str, rows: np.ndarray) -> Float[np.ndarray, "row member"]:
        return np.stack(self.scores[name])[rows]

    def save(self, path: Path) -> None:
        """Write everything to an ``.npz``; ``load`` reads it."""
        from lattice_ml.ground.files import write_file

        write_file(path, _packed(self))


def evaluate(cases: Iterable[Case], predict: Predict, grade: Grade, validation: np.ndarray) -> Evaluation:
    """Score the members on every case; ``predict`` takes integer states ``[configuration, species, x, y]``."""
    found = Evaluation(validation)
    for case in cases:
        predicted = predict(case.states)
        found.part.append(case.part)
        found.torus.append(case.torus)
        for name, value in case.point.items():
            found.points.setdefault(name, []).append(value)
        for name, values in grade(predicted, case.targets).items():
            found.scores.setdefault(name, []).append(np.asarray(values, dtype=np.float64))
        found.predicted.append(predicted.mean(axis=1, dtype=np.float64))
        mean, error = mean_over_chains(case.targets, case.chain)
        found.target.append(mean)
        found.error.append(error)
    return found


def mean_over_chains(values: np.ndarray, chain: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean of ``values`` ``[configuration, output]`` and its standard error from the spread between chains; nan of one.

    Chains hold equally many configurations.
    """
    means = np.stack([values[chain == own].mean(axis=0) for own in np.unique(chain)])
    spread = means.std(axis=0, ddof=1) if len(means) > 1 else np.full(means.shape[1:], np.nan)
    return means.mean(axis=0), spread / np.sqrt(len(means))


def summary(values: Sequence[float] | np.ndarray) -> dict[str, Any]:
    """Mean, median and central 60 % over the members, and every member's own value, as plain numbers."""
    values = np.asarray(values, dtype=np.float64)
    low, median, high = np.quantile(values, (0.2, 0.5, 0.8))
    return {
        "mean": float(values.mean()),
        "median": float(median),
        "central_60_percent": [float(low), float(high)],
        "members": values.tolist(),
    }


def _packed(evaluation: Evaluation) -> bytes:
    import io

    content = io.BytesIO()
    arrays: dict[str, Any] = {
        "validation": evaluation.validation,
        "part": np.array(evaluation.part),
        "torus": np.array(evaluation.torus),
        "predicted": np.stack(evaluation.predicted),
        "target": np.stack(evaluation.target),
        "error": np.stack(evaluation.error),
        **{f"point.{name}": np.array(values) for name, values in evaluation.points.items()},
        **{f"score.{name}": np.stack(values) for name, values in evaluation.scores.items()},
    }
    np.savez_compressed(content, **arrays)
    return content.getvalue()


def load(path: Path) -> Evaluation | None:
    """What ``Evaluation.save`` wrote, or None if there is nothing that can be read."""
    try:
        with np.load(path, allow_pickle=False) as saved:
            arrays = {name: saved[name] for name in saved.files}
    except (OSError, ValueError, EOFError, KeyError):
        return None
    return Evaluation(
        validation=arrays["validation"],
        part=[str(name) for name in arrays["part"]],
        torus=[str(name) for name in arrays["torus"]],
        points={name[6:]: list(values) for name, values in arrays.items() if name.startswith("point.")},
        scores={name[6:]: list(values) for name, values in arrays.items() if name.startswith("score.")},
        predicted=list(arrays["predicted"]),
        target=list(arrays["target"]),
        error=list(arrays["error"]),
    )
