"""The integrated autocorrelation time of a series, with Sokal's window.

    tau = 1/2 + sum over lags t >= 1 of C(t) / C(0),    C(t) = <x_i x_(i + t)> - <x>^2,

in units of the spacing of the series: 1/2 if its values are independent. The error of a mean of N values is
sqrt(2 tau C(0) / N). The sum is cut at the first lag W >= max(6 tau(W), 3), beyond which it collects noise alone.
emcee's ``integrated_time`` subtracts from each chain its own mean, and so cannot see that chains disagree; here the
mean is that of all.

Source: A. D. Sokal, "Monte Carlo methods in statistical mechanics: foundations and new algorithms" (Cargese 1996),
Sec. 3; the error of tau, N. Madras & A. D. Sokal, J. Stat. Phys. 50, 109 (1988).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

WINDOW = 6.0
"""Lags summed, in units of tau."""


class AutocorrelationTime(NamedTuple):
    """tau and its standard error, in units of the spacing; ``lags``: how many were summed, None if too many."""

    tau: float
    error: float
    lags: int | None


def integrated_time(series: np.ndarray) -> AutocorrelationTime:
    """tau of equally long chains of one law, ``[chain, time]``; 1/2 where nothing ever changes.

    Integers are summed as integers, so that every machine finds the same bits. ``lags`` is None, and tau a lower bound,
    if the window is not reached within half a chain.
    """
    chains, length = series.shape
    mean = series.sum() / series.size
    x = series - (np.rint(mean).astype(np.int64) if series.dtype.kind in "iu" else mean)
    shift = float(x.sum()) / x.size
    variance = float((x * x).sum()) / x.size - shift * shift
    tau, lag = 0.5, 0
    if variance <= 0:
        return AutocorrelationTime(tau, 0.0, lag)
    while lag < WINDOW * max(tau, 0.5):
        lag += 1
        if 2 * lag > length:
            return AutocorrelationTime(tau, math.inf, None)
        early, late, pairs = x[:, :-lag], x[:, lag:], chains * (length - lag)
        means = (float(early.sum()) + float(late.sum())) / pairs
        tau += (float((early * late).sum()) / pairs - shift * (means - shift)) / variance
    tau = max(tau, 0.0)  # a series that swings to and fro
    return AutocorrelationTime(tau, tau * math.sqrt(2 * (2 * lag + 1) / series.size), lag)
