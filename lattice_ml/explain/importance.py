"""Which features a forest decides by: impurity decrease and permutation importance, with error bars.

- impurity decrease: sum over the splits on a feature of (share of rows) * (impurity before - after), averaged over the
  trees, in units of the sum over features. It is measured on the training rows, and splits on anything, noise included,
  seem to help there;
- permutation: how much R² on held-out replicas falls when a column is shuffled. For two classes R² is that of the
  probability, 1 - < (p - y)² > / variance of y (Brier's skill score): it still falls where the accuracy is saturated.

Of several features that say nearly the same none seems needed by itself, as the forest takes another. So features whose
rank correlation exceeds ``ALIKE`` are joined into a family, named after its first member, and families are shuffled
too. A column of ``noise`` that means nothing stands beside them: what does not exceed it is not shown to matter.

Error: standard deviation over forests, each fitted to as many trajectories as there are, drawn with replacement point
by point, and tested on held-out trajectories drawn in the same way (as in ``phases/boundary.py``).

Sources: G. Louppe, L. Wehenkel, A. Sutera & P. Geurts, NIPS 26, 431 (2013) (mean decrease of impurity); L. Breiman,
Mach. Learn. 45, 5 (2001), Sec. 10 (permutation); L. Lucie-Smith, "Machine learning and its interpretability" (2023),
Fig. 6.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Float64, Int64, Shaped

from lattice_ml.data.dealing import stream_seed

NOISE = "noise"
IMPORTANCE = 5
"""The first word of the key of a stream; others: ``data/dealing.py``, ``nets/members.py``."""
ALIKE = 0.9
SHUFFLES = 3
ROWS = 20_000
"""That a forest is shown at once."""


class Sample(NamedTuple):
    """Rows of a feature table: values ``[n, feature]``, target ``[n]`` (0 and 1 for two classes), and ``[n, 2]`` the
    (point, replica) that a row belongs to."""

    values: Float[np.ndarray, "n feature"]
    target: Shaped[np.ndarray, " n"]
    trajectory: Int64[np.ndarray, "n 2"]

    def where(self, chosen: np.ndarray) -> Sample:
        """Some of the rows, by number or truth value."""
        return Sample(*(array[chosen] for array in self))


@dataclass(frozen=True)
class Importances:
    """Each array ``[what]`` over features, ``noise`` the last; ``error`` is one standard error of the same.

    members: of every family the numbers of its features. score: R² of the forest on the held-out rows.
    """

    names: tuple[str, ...]
    impurity: Float64[np.ndarray, " feature"]
    impurity_error: Float64[np.ndarray, " feature"]
    permutation: Float64[np.ndarray, " feature"]
    permutation_error: Float64[np.ndarray, " feature"]
    members: list[list[int]]
    family: Float64[np.ndarray, " family"]
    family_error: Float64[np.ndarray, " family"]
    score: float

    def summary(self) -> dict[str, Any]:
        """As plain JSON, the most important first."""
        return {
            "score": self.score,
            "features": [
                {
                    "feature": self.names[k],
                    "impurity": {"value": float(self.impurity[k]), "error": _plain(self.impurity_error[k])},
                    "permutation": {"value": float(self.permutation[k]), "error": _plain(self.permutation_error[k])},
                }
                for k in np.argsort(-self.impurity)
            ],
            "families": [
                {
                    "members": [self.names[k] for k in self.members[f]],
                    "permutation": {"value": float(self.family[f]), "error": _plain(self.family_error[f])},
                }
                for f in np.argsort(-self.family)
            ],
        }


def importances(
    forest: Any,
    names: Sequence[str],
    train: Sample,
    test: Sample,
    forests: int = 20,
    seed: int = 0,
    report: Callable[[float], None] = lambda done: None,
) -> Importances:
    """Importances of the features to a forest.

    forest: an estimator of scikit-learn with ``feature_importances_`` once fitted; it is cloned, never changed.
    forests: resampled ones for the errors, which are nan with fewer than two. report: is told how many are done.
    """
    from sklearn.base import clone

    rng, *streams = (np.random.default_rng(stream_seed(seed, IMPORTANCE, k)) for k in range(3))
    train, test = (_with_noise(sample, own) for sample, own in zip((train, test), streams, strict=True))
    members = families(train.values)
    columns = [[k] for k in range(train.values.shape[1])] + members

    def measured(fit: Sample, held_out: Sample, number: int) -> tuple[np.ndarray, np.ndarray, float]:
        own: Any = clone(forest)
        own.set_params(random_state=seed + number).fit(fit.values, fit.target)
        falls, score = falls_when_shuffled(own, held_out, columns, rng)
        return own.feature_importances_, falls, score

    impurity, falls, score = measured(train, test, 0)
    spread: list[tuple[np.ndarray, np.ndarray]] = []
    for number in range(1, forests + 1):
        fit, held_out = (sample.where(draw_trajectories(sample.trajectory, rng)) for sample in (train, test))
        spread.append(measured(fit, held_out, number)[:2])
        report(number)
    error, falls_error = (
        np.std([one[k] for one in spread], axis=0, ddof=1) if forests > 1 else np.full(len(value), np.nan)
        for k, value in enumerate((impurity, falls))
    )
    n = len(impurity)
    return Importances(
        (*names, NOISE), impurity, error, falls[:n], falls_error[:n], members, falls[n:], falls_error[n:], score
    )  # fmt: skip


def falls_when_shuffled(
    model: Any, test: Sample, columns: Sequence[Sequence[int]], rng: np.random.Generator
) -> tuple[Float64[np.ndarray, " columns"], float]:
    """How much R² falls when each set of columns is shuffled, its rows staying whole; and R² as it is."""
    values, target = test.values, np.asarray(test.target, dtype=np.float64)
    variance = max(float(target.var()), 1e-300)

    def lost(x: np.ndarray) -> np.ndarray:
        return ((mean(model, x.reshape(-1, values.shape[1])).reshape(len(x), -1) - target) ** 2).mean(axis=1) / variance

    before, falls = float(lost(values[None])[0]), np.zeros(len(columns))
    # A call of a forest costs as much as some thousand rows, so many tables are shown to it at once.
    together = max(1, ROWS // len(values))
    shuffles = [number for number in range(len(columns)) for _ in range(SHUFFLES)]
    for first in range(0, len(shuffles), together):
        numbers = shuffles[first : first + together]
        tables = np.repeat(values[None], len(numbers), axis=0)
        for shuffled, number in zip(tables, numbers, strict=True):
            shuffled[:, columns[number]] = values[rng.permutation(len(values))][:, columns[number]]
        np.add.at(falls, numbers, (lost(tables) - before) / SHUFFLES)
    return falls, 1 - before


def mean(model: Any, values: Float[np.ndarray, "n feature"]) -> Float64[np.ndarray, " n"]:
    """The target that the model expects, of classes 0 and 1 the probability of 1. (A forest of resampled trajectories
    may have seen one class alone.)"""
    if not hasattr(model, "predict_proba"):
        return model.predict(values)
    return model.predict_proba(values) @ np.asarray(model.classes_, dtype=np.float64)


def families(values: Float[np.ndarray, "n feature"]) -> list[list[int]]:
    """Features that order the configurations nearly alike: any two have |rank correlation| >= ``ALIKE``."""
    from scipy.cluster.hierarchy import fcluster, linkage
    from scipy.spatial.distance import squareform
    from scipy.stats import rankdata

    with np.errstate(invalid="ignore"):
        alike = np.nan_to_num(np.abs(np.corrcoef(rankdata(values, axis=0), rowvar=False)))
    distance = np.clip(1 - (alike + alike.T) / 2, 0, None)
    np.fill_diagonal(distance, 0)
    family = fcluster(linkage(squareform(distance, checks=False), "complete"), 1 - ALIKE, "distance")
    found = [np.flatnonzero(family == number).tolist() for number in np.unique(family)]
    return sorted(found)


def draw_trajectories(trajectory: Int64[np.ndarray, "n 2"], rng: np.random.Generator) -> Int64[np.ndarray, " m"]:
    """Numbers of the rows of as many replicas at every point as it has, drawn with replacement, all samples of each."""
    rows = []
    for point in np.unique(trajectory[:, 0]):
        own = np.flatnonzero(trajectory[:, 0] == point)
        replicas = np.unique(trajectory[own, 1])
        rows += [own[trajectory[own, 1] == replica] for replica in rng.choice(replicas, len(replicas))]
    return np.concatenate(rows)


def _with_noise(sample: Sample, rng: np.random.Generator) -> Sample:
    noise = rng.standard_normal((len(sample.values), 1))
    return sample._replace(values=np.concatenate((sample.values, noise), axis=1))


def _plain(error: Any) -> float | None:
    return float(error) if np.isfinite(error) else None
