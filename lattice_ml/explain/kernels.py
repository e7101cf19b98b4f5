"""Which first-layer kernels are there at all, and are they gradients?

Strong kernels: the weights W[filter, channel, dx, dy] of a layer are divided by the largest |W|; a kernel is strong if
its largest weight is then above ``STRONG``. A penalty on weights sends the others to zero.

First derivatives: a kernel k(dx, dy) measures a gradient if it is one of the patterns

    u_x = dx exp(-(dx² + dy²) / (2 s²)),    u_y = dy exp(-(dx² + dy²) / (2 s²)),

or a sum of both: the derivative of the field along some direction, smoothed over a width s, s -> inf a plain ramp. The
share of its squared weights in the plane that they span,

    share = max over s in WIDTHS of [(k.u_x)² / u_x² + (k.u_y)² / u_y²] / k²,

is 1 for a gradient, 0 for anything even under reflection of both axes (a mean, a Laplacian), and for random weights
about 2 / 25 of a 5 × 5 kernel and a little more for the choice of s; the same maximum over random kernels is the null.

Source of the claim: Casert et al., PRE 99, 023304, Fig. 8.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Float64, Int64

STRONG = 0.01
WIDTHS = (0.7, 1.0, 1.5, np.inf)
DRAWS = 4000


class Kernels(NamedTuple):
    """The strong kernels of a layer, strongest first: weights over the layer's largest, where they stand, and the
    share of each in first derivatives."""

    weights: Float64[np.ndarray, "kernel kx ky"]
    filter: Int64[np.ndarray, " kernel"]
    channel: Int64[np.ndarray, " kernel"]
    share: Float64[np.ndarray, " kernel"]


def strong_kernels(weight: Float[np.ndarray, "filter channel kx ky"], threshold: float = STRONG) -> Kernels:
    """Of the weights of a convolution; none of a layer that is zero throughout."""
    largest = np.abs(weight).max()
    normalised = np.asarray(weight, dtype=np.float64) / (largest if largest > 0 else 1.0)
    height = np.abs(normalised).max(axis=(2, 3))
    filters, channels = np.nonzero(height > threshold)
    order = np.argsort(-height[filters, channels], kind="stable")
    filters, channels = filters[order], channels[order]
    kernels = normalised[filters, channels]
    return Kernels(kernels, filters, channels, derivative_share(kernels))


def derivative_share(kernels: Float[np.ndarray, "kernel kx ky"]) -> Float64[np.ndarray, " kernel"]:
    """The share above, between 0 and 1; 0 for a kernel of zeros."""
    if not len(kernels):
        return np.empty(0)
    squared = np.square(kernels).sum(axis=(1, 2))
    best = np.zeros(len(kernels))
    for width in WIDTHS:
        planes = derivative_patterns(kernels.shape[1:], width)
        projected = np.einsum("kxy,pxy->kp", np.asarray(kernels, dtype=np.float64), planes)
        best = np.maximum(best, np.square(projected).sum(axis=1))
    return np.divide(best, squared, out=np.zeros(len(kernels)), where=squared > 0).clip(max=1.0)


def derivative_patterns(shape: tuple[int, ...], width: float) -> Float64[np.ndarray, "2 kx ky"]:
    """u_x and u_y of a width in sites, as unit vectors; they are orthogonal by their parity."""
    dx, dy = (np.arange(extent) - (extent - 1) / 2 for extent in shape)
    squared = dx[:, None] ** 2 + dy**2
    window = np.exp(-squared / (2 * width**2)) if np.isfinite(width) else np.ones(shape)
    patterns = np.stack((dx[:, None] * window, dy * window))
    norm = np.sqrt(np.square(patterns).sum(axis=(1, 2), keepdims=True))
    return np.divide(patterns, norm, out=np.zeros_like(patterns), where=norm > 0)


def judge_kernels(
    weight: Float[np.ndarray, "filter channel kx ky"], threshold: float = STRONG, seed: int = 0
) -> dict[str, Any]:
    """``{"value", "error", "n", "random", "p"}`` in plain JSON: the mean share of the strong kernels, with its standard
    error over them; that of random kernels, and how often as many of those have as large a mean."""
    found = strong_kernels(weight, threshold)
    count = len(found.share)
    random = derivative_share(np.random.default_rng(seed).normal(size=(DRAWS, *weight.shape[2:])))
    if not count:
        return {"value": None, "error": None, "n": 0, "random": float(random.mean()), "p": None}
    means = np.random.default_rng(seed + 1).choice(random, size=(DRAWS, count)).mean(axis=1)
    value = float(found.share.mean())
    return {
        "value": value,
        "error": float(found.share.std(ddof=1) / np.sqrt(count)) if count > 1 else None,
        "n": count,
        "random": float(random.mean()),
        "p": float((1 + (means >= value).sum()) / (1 + DRAWS)),
    }
