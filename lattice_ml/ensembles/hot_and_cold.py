"""Chains from hot and from cold starts at one point: do they follow one law, and are their configurations independent?

Even replicas start cold, odd ones hot.

1. **Start.** The means of the hot and of the cold replicas differ by z standard errors. Errors are those of some 32
   blocks, stretches of one chain or whole chains; p is the two-sided tail of Welch's t.
2. **P(Q).** The histograms of the winding number, where it is one: chi-square of two samples over bins of at least 5
   expected counts, divided by 2 tau, since correlated counts vary by so much more. p is its upper tail.
3. **Correlation.** The integrated autocorrelation time in units of the spacing, with the mean taken over all chains, so
   that chains which disagree are seen too. 1/2 is independent, 3/4 is allowed. Of fewer than 1,000 configurations the
   sum over W = 3 lags is judged, since a window that noise chooses has a long tail. Standard errors are those at 3/4,
   (3/4) sqrt(2 (2 W + 1) / configurations) (Madras & Sokal). Where fewer than 20 configurations differ from the
   commonest value nothing is judged: one visit to a rare sector would decide it.

Open worms change n and Q at random, so that with them comparison 1 alone is made.

Source: blocks, H. Flyvbjerg & H. G. Petersen, J. Chem. Phys. 91, 461 (1989); tau, ``autocorrelation``; two-sample
chi-square, e.g. Numerical Recipes, 3rd ed., Eq. (14.3.3).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy import stats

from lattice_ml.ground.autocorrelation import WINDOW, integrated_time
from lattice_ml.ground.errors import UserError

BLOCKS, SHORTEST_BLOCK = 32, 5
LARGEST_TAU, LAGS, LONG = 0.75, 3, 1000
EVENTS, LEAST_EXPECTED = 20, 5.0
BOTH = "hot_and_cold"
"""The start of which even replicas are cold and odd ones hot."""
WINDING = "Q"
"""The observable whose histogram is compared where it takes whole values alone."""

Series = Mapping[str, np.ndarray]


def require_blocks(replicas: int, samples: int) -> None:
    """Raise ``UserError`` unless there are two blocks of either kind of start, to tell the errors of their means."""
    if (replicas // 2) * samples < 2:
        raise UserError(
            "an ensemble of so few configurations cannot show that it is equilibrated: give at least two from hot and "
            "two from cold starts at every point, e.g. ensemble.replicas=4."
        )


def compare(chains: Series, watched: tuple[str, ...], closed: bool = True) -> dict[str, Any]:
    """The comparisons at one point, as plain JSON: those of ``observables`` and, of closed configurations, ``winding``.

    chains: name -> ``[replica, sample]``, even replicas cold, odd ones hot.
    """
    winding = closed and WINDING in chains and bool(np.all(chains[WINDING] == np.rint(chains[WINDING])))
    result: dict[str, Any] = {"observables": {}}
    for name in (*watched, WINDING) if winding else watched:
        result["observables"][name] = _starts(chains[name]) | (_correlation(chains[name]) if closed else {})
    if winding:
        result["winding"] = _histograms(chains[WINDING], result["observables"][WINDING]["tau"])
    return result


def _starts(chains: np.ndarray) -> dict[str, Any]:
    """Means of cold and hot replicas with blocked errors, their difference in standard errors, and its p."""
    require_blocks(*chains.shape)
    blocks = [_blocks(chains[start::2]) for start in (0, 1)]
    cold, hot = (float(chains[start::2].mean()) for start in (0, 1))
    squares = [float(b.var(ddof=1)) / b.size for b in blocks]
    total = sum(squares)
    result = {"cold": cold, "cold_error": math.sqrt(squares[0]), "hot": hot, "hot_error": math.sqrt(squares[1])}
    if total == 0:
        return {**result, "z": 0.0 if hot == cold else 1e9, "p": float(hot == cold)}
    z = (hot - cold) / math.sqrt(total)
    freedom = total**2 / sum(s**2 / (b.size - 1) for s, b in zip(squares, blocks, strict=True))
    return {**result, "z": z, "p": float(2 * stats.t.sf(abs(z), freedom))}


def _blocks(chains: np.ndarray) -> np.ndarray:
    """Means of blocks of equal length, some ``BLOCKS`` in all, within chains ``[replica, sample]``; at least two."""
    replicas, samples = chains.shape
    pieces = max(1, min(BLOCKS // replicas, samples // SHORTEST_BLOCK))
    if replicas * pieces < 2:
        pieces = min(2, samples)
    length = samples // pieces
    return chains[:, samples - pieces * length :].reshape(replicas * pieces, length).mean(axis=1)


def _correlation(chains: np.ndarray) -> dict[str, Any]:
    """tau by Sokal's window with its error; and, if it is judged, what is judged and its error were it the largest."""
    time = integrated_time(chains)
    result = {"tau": time.tau, "tau_error": time.error if time.lags is not None else time.tau, "lags": time.lags}
    _, counts = np.unique(chains, return_counts=True)
    if chains.size - counts.max() < EVENTS or chains.shape[1] <= LAGS:
        return result
    judged, lags = time.tau, math.ceil(WINDOW * LARGEST_TAU)
    if chains.size < LONG:
        x, lags = chains - chains.mean(), LAGS
        judged = 0.5 + sum(float((x[:, :-n] * x[:, n:]).mean()) for n in range(1, LAGS + 1)) / float((x * x).mean())
    return {**result, "judged": judged, "judged_error": LARGEST_TAU * math.sqrt(2 * (2 * lags + 1) / chains.size)}


def _histograms(chains: np.ndarray, tau: float) -> dict[str, Any]:
    """Counts of every winding number from cold and hot starts, and the chi-square of their difference."""
    whole = np.rint(chains).astype(np.int64)
    values = np.arange(whole.min(), whole.max() + 1)
    cold, hot = (np.bincount((whole[start::2] - values[0]).ravel(), minlength=len(values)) for start in (0, 1))
    a, b = _merged(cold, hot)
    ratio = math.sqrt(b.sum() / a.sum())
    chi2 = float(((a * ratio - b / ratio) ** 2 / (a + b)).sum()) / max(1.0, 2 * tau)
    freedom = len(a) - 1
    p = float(stats.chi2.sf(chi2, freedom)) if freedom else 1.0
    return {
        "values": values.tolist(), "cold": cold.tolist(), "hot": hot.tolist(), "chi2": chi2, "dof": freedom, "p": p,
    }  # fmt: skip


def _merged(cold: np.ndarray, hot: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Neighbouring bins joined until each has ``LEAST_EXPECTED`` counts to be expected of the smaller sample."""
    least = LEAST_EXPECTED * (cold.sum() + hot.sum()) / min(cold.sum(), hot.sum())
    bins, open_bin = [], np.zeros(2)
    for pair in zip(cold, hot, strict=True):
        open_bin = open_bin + pair
        if open_bin.sum() >= least:
            bins.append(open_bin)
            open_bin = np.zeros(2)
    if bins:
        bins[-1] = bins[-1] + open_bin
    else:
        bins = [open_bin]
    a, b = np.array(bins).T
    return a, b
