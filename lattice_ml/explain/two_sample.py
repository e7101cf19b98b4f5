"""Do two sets of configurations come from the same law? Energy distance, its p-value by permuting whole trajectories.

    E(A, B) = 2 <|a - b|> - <|a - a'|> - <|b - b'|>    (|.| Euclidean, a and a' drawn apart)

is zero only where the laws are the same. Under that hypothesis any trajectory might as well have been in the other set:
p is the share of permutations of trajectories with at least as large an E, (1 + larger) / (1 + permutations), and so
never 0.

Where both sets were drawn at the same parameter points, trajectories are exchanged within their point alone: two sets
with the same number of each point's trajectories are more alike than a deal of all of them would be, and a test that
deals them all finds nothing.

Source: G. J. Székely & M. L. Rizzo, J. Stat. Plan. Inference 143, 1249 (2013).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int64


class Comparison(NamedTuple):
    """statistic: E in units of the features' spread. ratio: E over its mean under the hypothesis, 1 if it holds."""

    statistic: float
    ratio: float
    p: float


def compare(
    a: Float[np.ndarray, "n feature"],
    b: Float[np.ndarray, "m feature"],
    groups_a: Int64[np.ndarray, " n"],
    groups_b: Int64[np.ndarray, " m"],
    points_a: Int64[np.ndarray, " n"] | None = None,
    points_b: Int64[np.ndarray, " m"] | None = None,
    permutations: int = 999,
    seed: int = 0,
) -> Comparison:
    """E of two sets of features, each divided by its spread over ``a`` (over both if it is constant there).

    groups: trajectories, kept whole. Four a side can be dealt in 35 ways that differ, so p is about 1/35 at least.
    points: within which trajectories are exchanged, numbered alike in both sets; by default there is one.
    """
    both = np.concatenate((a, b)).astype(np.float64)
    varies = np.ptp(both, axis=0) > 0
    if not varies.any():
        return Comparison(0.0, 1.0, 1.0)
    both = (both - both.mean(axis=0))[:, varies]
    spread, overall = both[: len(a)].std(axis=0), both.std(axis=0)
    both /= np.where(spread > 1e-6 * overall, spread, overall)  # a conserved number varies by rounding at most
    _, groups = np.unique(np.concatenate((2 * groups_a, 2 * groups_b + 1)), return_inverse=True)
    size = np.bincount(groups).astype(np.float64)
    first = np.zeros(len(size), dtype=bool)
    first[groups[: len(a)]] = True
    point = np.zeros(len(size), dtype=np.int64)
    if points_a is not None and points_b is not None:
        point[groups] = np.concatenate((points_a, points_b))
    # Sums of distances between trajectories: a permutation then costs (trajectories)², not (configurations)².
    sums = np.zeros((len(size), len(size)))
    for start in range(0, len(both), 256):
        rows = slice(start, start + 256)
        distance = np.sqrt(np.maximum(_squares(both[rows], both), 0.0))
        by_column = np.zeros((distance.shape[0], len(size)))
        np.add.at(by_column.T, groups, distance.T)
        np.add.at(sums, groups[rows], by_column)

    def energy(chosen: np.ndarray) -> float:
        u, v = chosen.astype(np.float64), (~chosen).astype(np.float64)
        n, m = u @ size, v @ size
        return float(2 * u @ sums @ v / (n * m) - u @ sums @ u / n**2 - v @ sums @ v / m**2)

    rng = np.random.default_rng(seed)
    found = energy(first)
    by_point = np.argsort(point, kind="stable")
    drawn, dealt = np.empty(permutations), np.empty_like(first)
    for k in range(permutations):
        dealt[by_point] = first[np.lexsort((rng.random(len(first)), point))]
        drawn[k] = energy(dealt)
    rounding = 1e-9 * sums.sum() / len(both) ** 2  # the same deal with its sides exchanged is as large, and must count
    larger = int(np.sum(drawn >= found - rounding))
    return Comparison(found, found / float(drawn.mean()), (1 + larger) / (1 + permutations))


def _squares(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return (a**2).sum(1)[:, None] - 2 * a @ b.T + (b**2).sum(1)
