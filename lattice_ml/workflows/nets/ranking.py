"""Which net errs less than which, and how surely: rank tests over the instances."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from lattice_ml.runs.run import Run
from lattice_ml.workflows.nets.results import LABELS, Trained, all_tori, pooled, told_of


class Ranking(NamedTuple):
    """Nets trained on ``samples`` configurations, on one lattice, by their median score, the best first.

    p: for each net but the last, that of a one-sided Mann-Whitney test over the instances that the next one is as good.
    """

    samples: int
    lattice: str
    score: str
    order: tuple[str, ...]
    p: tuple[float, ...]

    def in_words(self) -> str:
        """``60x4, 1,000 samples: EQ, ST (p = 0.0005), FL (p = 0.03)``: p that a net is no worse than the one before."""
        others = [f"{name} (p = {p:.2g})" for name, p in zip(self.order[1:], self.p, strict=True)]
        return f"{self.lattice}, {self.samples:,} samples: {', '.join([self.order[0], *others])}"


def table(ranked: Sequence[Ranking], instances: int) -> dict[str, Any]:
    """The rankings for the report."""
    return {
        "title": "Ranking",
        "columns": ["samples", "lattice", "nets, best first", "p"],
        "rows": [
            [f"{one.samples:,}", one.lattice, ", ".join(one.order), ", ".join(f"{p:.2g}" for p in one.p)]
            for one in ranked
        ],
        "note": f"By the median {LABELS[ranked[0].score]}; p of one-sided rank tests over {instances} instances that a "
        f"net is no better than the next, at least {1 / math.comb(2 * instances, instances):.1g}.",
    }


def show_ranking(run: Run, lattice: str) -> None:
    """Print those of ``results["ranking"]`` that are of this lattice."""
    for row in run.results["ranking"]:
        if row["lattice"] == lattice:
            run.console.print(Ranking(**row).in_words(), highlight=False)


def rank(trained: Sequence[Trained]) -> list[Ranking]:
    """A ranking for every size of the training set and every lattice of the survey that several nets were tested on."""
    found, score = [], told_of(trained[0].evaluation, ()).score
    for samples in sorted({one.samples for one in trained}):
        of_size = [one for one in trained if one.samples == samples]
        for lattice in all_tori(of_size):
            tested = {one.name: pooled(one.evaluation, score, lattice) for one in of_size}
            tested = {name: values for name, values in tested.items() if np.isfinite(values).all()}
            if len(tested) > 1:
                found.append(_rank(samples, lattice, score, tested))
    return found


def _rank(samples: int, lattice: str, score: str, tested: dict[str, np.ndarray]) -> Ranking:
    from scipy import stats

    sign = 1 if score == "mse" else -1  # an error is good if small, an accuracy if large
    order = sorted(tested, key=lambda name: float(np.median(sign * tested[name])))
    p = [
        float(stats.mannwhitneyu(sign * tested[one], sign * tested[other], alternative="less").pvalue)
        for one, other in pairwise(order)
    ]
    return Ranking(samples, lattice, score, tuple(order), tuple(p))
