"""Does a saliency map mark the edges of a band? Its overlap with them, against the same map moved elsewhere.

Edges. The density of a configuration, averaged over y (the band stands across the torus) and smoothed along x by a
periodic Gaussian of ``WIDTH`` sites, has the slope

    e(x) = |d rho / dx|,    by central differences,

which is large at the two flanks of the band, the steep front and the diffuse tail, and near zero in its bulk and in the
gas.

Overlap. With a map A(x, y) >= 0 (of both channels together, averaged over y and smoothed alike) the score is Pearson's
correlation of A(x) and e(x): 1 if the map is the edges, 0 if it knows nothing of them. Beside it stands that of A(x)
and rho(x) itself, the **inside**: half of either edge lies in the band, so that a map of the whole band overlaps with
the edges too, and marks them only if their score is the greater of the two.

Null. Moving the map by dx along the torus keeps everything about it but where it lies: its extent, its contrast, its
smoothness. The scores of all Lx shifts are the null, and of several configurations shifted independently, their mean:

    p = (1 + #{null mean >= score}) / (1 + draws),    z = (score - <null>) / std(null).

Noise. A map of noise has nothing to do with itself a site further; its smoothness is the correlation of neighbouring
sites, averaged over x and y, 0 for noise and near 1 for a map of few wide spots.

A map that is featureless along x has no score (0). Averages over y see nothing of a shift along y, so
``site_overlap`` scores the map site by site, with the slope of the density smoothed in both directions, |grad rho|, and
shifts in x and y.

Source of the claim: Casert et al., PRE 99, 023304, Fig. 4.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Float64, Int64

WIDTH = 2.0
"""Sites; the front of a band is about 5 sites wide, and a column of 81 sites of density 5 fluctuates by 5 %."""

DRAWS = 9999


class Overlap(NamedTuple):
    """score: mean over configurations, error: its standard error (nan for one). z, p: against the null of shifts."""

    score: float
    error: float
    z: float
    p: float
    n: int

    def summary(self) -> dict[str, Any]:
        """Plain JSON values for ``results.json``."""
        error = None if np.isnan(self.error) else self.error
        return {"value": self.score, "error": error, "z": self.z, "p": self.p, "n": self.n}


def smoothed(field: Float[np.ndarray, "*n x y"], width: float = WIDTH) -> Float64[np.ndarray, "*n x y"]:
    """The field after a Gaussian on the torus."""
    from scipy.ndimage import gaussian_filter

    axes = (-2, -1)
    return gaussian_filter(np.asarray(field, dtype=np.float64), width, mode="wrap", axes=axes)


def profile_along_x(field: Float[np.ndarray, "*n x y"], width: float = WIDTH) -> Float64[np.ndarray, "*n x"]:
    """The field averaged over y, after a Gaussian along x on the torus."""
    from scipy.ndimage import gaussian_filter1d

    return gaussian_filter1d(np.asarray(field, dtype=np.float64).mean(axis=-1), width, axis=-1, mode="wrap")


def slope_along_x(density: Float[np.ndarray, "*n x y"], width: float = WIDTH) -> Float64[np.ndarray, "*n x"]:
    """e(x) above, particles per site and site."""
    profile = profile_along_x(density, width)
    return np.abs(np.roll(profile, -1, axis=-1) - np.roll(profile, 1, axis=-1)) / 2


def gradient(density: Float[np.ndarray, "*n x y"], width: float = WIDTH) -> Float64[np.ndarray, "*n x y"]:
    """|grad rho| of the smoothed density."""
    rho = smoothed(density, width)
    parts = [(np.roll(rho, -1, axis=axis) - np.roll(rho, 1, axis=axis)) / 2 for axis in (-2, -1)]
    return np.hypot(*parts)


def edge_overlap(
    saliency: Float[np.ndarray, "n channel x y"], density: Float[np.ndarray, "n x y"], seed: int = 0
) -> Overlap:
    """Of the columns: the correlation with e(x), against shifts along x."""
    columns = profile_along_x(np.abs(saliency).sum(axis=1))
    return _judged(_all_shifts(columns[..., None], slope_along_x(density)[..., None]), seed)


def inside_overlap(
    saliency: Float[np.ndarray, "n channel x y"], density: Float[np.ndarray, "n x y"], seed: int = 0
) -> Overlap:
    """Of the columns: the correlation with rho(x), against shifts along x."""
    columns = profile_along_x(np.abs(saliency).sum(axis=1))
    return _judged(_all_shifts(columns[..., None], profile_along_x(density)[..., None]), seed)


def site_overlap(
    saliency: Float[np.ndarray, "n channel x y"], density: Float[np.ndarray, "n x y"], seed: int = 0
) -> Overlap:
    """Site by site: the correlation with |grad rho|, against shifts along x and y."""
    return _judged(_all_shifts(smoothed(np.abs(saliency).sum(axis=1)), gradient(density)), seed)


def smoothness(saliency: Float[np.ndarray, "n channel x y"]) -> Float64[np.ndarray, " n"]:
    """Correlation of neighbouring sites of each map, both channels together; 0 for a map that is constant."""
    one = np.abs(np.asarray(saliency, dtype=np.float64)).sum(axis=1)
    one = one - one.mean(axis=(1, 2), keepdims=True)
    beside = np.mean([(one * np.roll(one, 1, axis=axis)).mean(axis=(1, 2)) for axis in (1, 2)], axis=0)
    variance = np.square(one).mean(axis=(1, 2))
    return np.divide(beside, variance, out=np.zeros(len(one)), where=variance > 0)


def _all_shifts(maps: Float[np.ndarray, "n x y"], edges: Float[np.ndarray, "n x y"]) -> Float64[np.ndarray, "n shift"]:
    """Correlation of every map with its edges, for all shifts of the map; the unshifted one first."""
    found = []
    for one, two in zip(maps, edges, strict=True):
        a, b = one - one.mean(), two - two.mean()
        norm = np.sqrt(np.square(a).sum() * np.square(b).sum())
        if norm <= 1e-12 * max(one.size, 1):
            found.append(np.zeros(one.size))
            continue
        products = np.fft.ifft2(np.fft.fft2(b) * np.conj(np.fft.fft2(a))).real
        found.append((products / norm).ravel())
    return np.array(found)


def _judged(scores: Float64[np.ndarray, "n shift"], seed: int) -> Overlap:
    """The mean of the unshifted scores against means of scores of shifts drawn independently."""
    count, shifts = scores.shape
    drawn: Int64[np.ndarray, "draw n"] = np.random.default_rng(seed).integers(shifts, size=(DRAWS, count))
    null = scores[np.arange(count), drawn].mean(axis=1)
    score, spread = float(scores[:, 0].mean()), float(null.std())
    error = float(scores[:, 0].std(ddof=1) / np.sqrt(count)) if count > 1 else float("nan")
    z = (score - float(null.mean())) / spread if spread > 0 else 0.0
    return Overlap(score, error, z, float((1 + (null >= score - 1e-12).sum()) / (1 + DRAWS)), count)


def judge_saliency(
    classifier: Any,
    states: Int64[np.ndarray, "n species x y"],
    phase: int | str,
    channel: str = "density",
    draws: int = 3,
    seed: int = 0,
) -> dict[str, Any]:
    """All numbers of the saliency |dS_c / dI| of a classifier on configurations of one phase.

    classifier: with ``system``, ``phases`` and what ``attribution.saliency`` asks for. states: particle counts. phase:
    whose score. channel: whose edges. draws: nets with weights drawn anew.
    Returns ``columns``, ``inside`` and ``sites`` (``Overlap.summary``, of the trained net), ``smoothness`` of its maps,
    ``untrained`` (columns, of the maps of nets drawn anew) and ``randomised``: the rank correlation of the trained
    net's maps with those, near zero if a map shows what was learned and not the input (``faithfulness.py``).
    """
    import torch

    from lattice_ml.explain.attribution import saliency
    from lattice_ml.explain.faithfulness import randomised, rank_correlation
    from lattice_ml.systems.channels import channels_of

    system = classifier.system
    fields = channels_of(system, np.asarray(states)).numpy()
    density = fields[:, system.channels.index(channel)]
    maps = np.stack([saliency(classifier, own, phase) for own in states])
    others, alike = [], []
    for draw in range(draws):
        forgetful: Any = list(randomised(classifier, seed + draw))[-1][1]
        new = np.stack([saliency(forgetful, own, phase) for own in states])
        others.append(edge_overlap(new, density, seed).score)
        alike.append(float(rank_correlation(torch.from_numpy(maps), torch.from_numpy(new)).mean()))
    return {
        "columns": edge_overlap(maps, density, seed).summary(),
        "inside": inside_overlap(maps, density, seed).summary(),
        "sites": site_overlap(maps, density, seed).summary(),
        "smoothness": _spread(list(smoothness(maps))),
        "untrained": _spread(others),
        "randomised": _spread(alike),
    }


def _spread(values: list[float]) -> dict[str, Any]:
    error = float(np.std(values, ddof=1) / np.sqrt(len(values))) if len(values) > 1 else None
    return {"value": float(np.mean(values)), "error": error, "n": len(values)}
