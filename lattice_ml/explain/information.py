"""Mutual information between two numbers of a configuration, with an error bar.

    I(x; y) = integral dx dy p(x, y) ln [p(x, y) / (p(x) p(y))]    (in nats; 1 nat = 1 / ln 2 bit)

is what knowing one tells of the other: 0 if and only if they are independent, unchanged by any invertible map of x or
of y alone, so that a latent may be any function of the quantity that it stands for. Two estimators that share no
step:

- ``gmm``: a Gaussian mixture is fitted to (x, y), with as many components as the likelihood of held-out data asks
  for, and its own I is integrated by Monte Carlo. Error: bootstrap over trajectories, each refit from the best
  parameters.
- ``ksg``: k-nearest neighbours, I = psi(k) + psi(n) - <psi(n_x + 1) + psi(n_y + 1)> (k = 3). A resampled point has
  itself as neighbour, so a bootstrap would be wrong; error: jackknife over groups of trajectories. Estimates below 0
  are reported as 0.

Both take numbers as they are. A number with few values, like the temperature of a scan, is ``discrete`` and has no
density: ``gmm`` then fits p(x | value) for each of its values, ``ksg`` looks for neighbours among those of one value
(Ross), and for two discrete numbers both count pairs.

Both errors are statistical. A mixture too smooth for the data, or too few neighbours for I of many nats, err by more:
where the two disagree, believe neither.

Sources: GMM-MI, D. Piras et al., Mach. Learn.: Sci. Technol. 4, 025006 (2023), arXiv:2211.00024, Secs. 2-3. Their
package ``gmm-mi`` (0.8.2) is under the GPL, needs a scikit-learn older than 1.6, and resamples single rows; this is
the method on scikit-learn's own mixtures, with trajectories kept whole, and tested against it. KSG, A. Kraskov, H.
Stögbauer & P. Grassberger, Phys. Rev. E 69, 066138 (2004), eq. (8); B. C. Ross, PLoS ONE 9, e87357 (2014).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from jaxtyping import Float, Int64

from lattice_ml.ground.errors import UserError

if TYPE_CHECKING:
    from sklearn.mixture import GaussianMixture

NEIGHBOURS = 3
BLOCKS = 20
"""Groups of trajectories that the jackknife leaves out in turn, at most."""
RESAMPLES = 30
"""Of the bootstrap: its error has a relative error of 1 / sqrt(2 * 30) = 13 %."""
MOST_COMPONENTS = 12
STARTS, FOLDS, PATIENCE = 2, 3, 2
INTEGRATION_POINTS, FEWER_POINTS = 1 << 16, 1 << 13
"""Of the Monte Carlo integral, and for each resample, of which the spread alone counts."""
REPEATS = 5
"""A number whose values occur this often on average is discrete."""


@dataclass(frozen=True)
class Information:
    """Mutual information in nats, one standard error, and the method; error is nan with fewer than two
    trajectories."""

    value: float
    error: float
    method: str

    def row(self) -> dict[str, Any]:
        """As plain JSON."""
        return {
            "value": self.value,
            "error": None if np.isnan(self.error) else self.error,
            "unit": "nat",
            "method": self.method,
        }


def mutual_information(
    x: Float[np.ndarray, " n"],
    y: Float[np.ndarray, " n"],
    method: Literal["gmm", "ksg"] = "gmm",
    groups: Int64[np.ndarray, " n"] | None = None,
    seed: int = 0,
) -> Information:
    """I(x; y) in nats with one standard error.

    x, y: numbers of the same n configurations, in any units. groups: the trajectory of each configuration, drawn and
    left out as one; without it every configuration counts as independent. seed: of folds, starts, resampling and
    integration. Raises ``UserError`` for an unknown method, shapes that differ, values that are not finite or fewer
    than 20 of them. A constant tells nothing: I = 0, exactly.
    """
    x, y = (np.asarray(values, dtype=np.float64) for values in (x, y))
    if method not in ESTIMATORS:
        raise UserError(f"there is no estimator {method!r} of mutual information: give gmm or ksg.")
    if x.ndim != 1 or x.shape != y.shape:
        raise UserError(f"mutual information needs two equally long rows of numbers, not {x.shape} and {y.shape}.")
    if len(x) < 20 or not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise UserError(f"mutual information needs at least 20 finite pairs, not these {len(x)}.")
    groups = np.arange(len(x)) if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1]
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return Information(0.0, 0.0, method)
    return ESTIMATORS[method](x, y, groups, np.random.default_rng(seed))


def is_discrete(x: Float[np.ndarray, " n"]) -> bool:
    """Whether the values of x repeat so often that they have probabilities and no density."""
    return len(np.unique(x)) * REPEATS <= len(x)


def deal(groups: Int64[np.ndarray, " n"], blocks: int, rng: np.random.Generator) -> Int64[np.ndarray, " n"]:
    """A block for every configuration; groups 0, 1, ... are kept whole and dealt at random."""
    count = int(groups.max()) + 1
    return rng.permutation(np.arange(count) % min(blocks, count))[groups]


def resample(groups: Int64[np.ndarray, " n"], rng: np.random.Generator) -> Int64[np.ndarray, " m"]:
    """Configurations of as many groups as there are, drawn with replacement."""
    count = int(groups.max()) + 1
    drawn = np.bincount(rng.integers(count, size=count), minlength=count)
    return np.repeat(np.arange(len(groups)), drawn[groups])


def _counted(x: np.ndarray, y: np.ndarray) -> float:
    """I of two discrete numbers from the counts of their pairs, less its bias (|x| - 1)(|y| - 1) / 2n.

    Source: G. Miller, "Note on the bias of information estimates" (1955), for cells that are all possible.
    """
    from sklearn.metrics import mutual_info_score

    pairs = len(np.unique(np.stack((x, y)), axis=1).T)
    cells = pairs - len(np.unique(x)) - len(np.unique(y)) + 1
    codes = (np.unique(values, return_inverse=True)[1] for values in (x, y))
    return max(float(mutual_info_score(*codes)) - max(cells, 0) / (2 * len(x)), 0.0)


def _jackknife(of: Callable[[np.ndarray], float], groups: np.ndarray, rng: np.random.Generator) -> float:
    """The standard error of ``of(configurations kept)`` with blocks of groups left out in turn.

    sqrt((b - 1) / b * sum over blocks of (I_-b - mean)^2): B. Efron, "The jackknife, the bootstrap and other
    resampling plans" (SIAM 1982), eq. (3.2).
    """
    block = deal(groups, BLOCKS, rng)
    count = int(block.max()) + 1
    if count < 2:
        return float("nan")
    left_out = np.array([of(np.flatnonzero(block != b)) for b in range(count)])
    return float(np.sqrt((count - 1) * left_out.var()))


def _nearest_neighbours(x: np.ndarray, y: np.ndarray, groups: np.ndarray, rng: np.random.Generator) -> Information:
    from sklearn.feature_selection import mutual_info_classif, mutual_info_regression

    if is_discrete(y):
        x, y = y, x
    seed = int(rng.integers(2**31))

    def of(kept: np.ndarray) -> float:
        if is_discrete(x) and is_discrete(y):
            return _counted(x[kept], y[kept])
        if is_discrete(x):
            codes = np.unique(x[kept], return_inverse=True)[1]
            return float(mutual_info_classif(y[kept, None], codes, n_neighbors=NEIGHBOURS, random_state=seed)[0])
        return float(mutual_info_regression(x[kept, None], y[kept], n_neighbors=NEIGHBOURS, random_state=seed)[0])

    return Information(of(np.arange(len(x))), _jackknife(of, groups, rng), "ksg")


def _mixtures(x: np.ndarray, y: np.ndarray, groups: np.ndarray, rng: np.random.Generator) -> Information:
    x, y = ((values - values.mean()) / values.std() for values in (x, y))
    if is_discrete(y):
        x, y = y, x
    if is_discrete(x) and is_discrete(y):
        return Information(_counted(x, y), _jackknife(lambda kept: _counted(x[kept], y[kept]), groups, rng), "gmm")
    if is_discrete(x):
        codes = np.unique(x, return_inverse=True)[1]
        classes = [np.flatnonzero(codes == code) for code in range(int(codes.max()) + 1)]
        best = [_best_mixture(y[one, None], groups[one], rng) for one in classes]

        def of(kept: np.ndarray, points: int) -> float:
            parts = [kept[codes[kept] == code] for code in range(len(classes))]
            present = [code for code, part in enumerate(parts) if len(part) > best[code].n_components]
            fits = [_refit(best[code], y[parts[code], None]) for code in present]
            shares = np.array([len(parts[code]) for code in present], dtype=np.float64)
            return _information_of_classes(fits, shares / shares.sum(), points)
    else:
        pairs = np.stack((x, y), axis=1)
        joint = _best_mixture(pairs, groups, rng)

        def of(kept: np.ndarray, points: int) -> float:
            return _information_of(_refit(joint, pairs[kept]), points)

    value = of(np.arange(len(x)), INTEGRATION_POINTS)
    if groups.max() == 0:
        return Information(value, float("nan"), "gmm")
    spread = np.array([of(resample(groups, rng), FEWER_POINTS) for _ in range(RESAMPLES)])
    count = int(groups.max()) + 1
    return Information(value, float(spread.std(ddof=1) * np.sqrt(count / (count - 1))), "gmm")


def _best_mixture(data: Float[np.ndarray, "n d"], groups: np.ndarray, rng: np.random.Generator) -> GaussianMixture:
    """The mixture whose number of components gives the likeliest held-out folds; ``PATIENCE`` more were tried in
    vain."""
    from sklearn.mixture import GaussianMixture

    fold = deal(np.unique(groups, return_inverse=True)[1], FOLDS, rng)
    if fold.max() + 1 < FOLDS or min(np.bincount(fold)) < 5:
        fold = deal(np.arange(len(data)), FOLDS, rng)
    settings: dict[str, Any] = {"random_state": int(rng.integers(2**31)), "reg_covar": 1e-9, "tol": 1e-4}
    scores: list[float] = []
    for components in range(1, min(MOST_COMPONENTS, len(data) // 10 + 1) + 1):
        mixture = GaussianMixture(components, n_init=STARTS, max_iter=1000, **settings)
        held_out = [mixture.fit(data[fold != k]).score(data[fold == k]) for k in range(FOLDS)]
        scores.append(float(np.mean(held_out)))
        if components - int(np.argmax(scores)) > PATIENCE:
            break
    best = int(np.argmax(scores)) + 1
    return GaussianMixture(best, n_init=3 * STARTS, max_iter=1000, **settings).fit(data)


def _refit(start: GaussianMixture, data: np.ndarray) -> GaussianMixture:
    """The mixture of as many components that the iteration reaches on this data from the parameters of ``start``."""
    from sklearn.mixture import GaussianMixture

    fit = GaussianMixture(
        start.n_components, weights_init=start.weights_, means_init=start.means_, precisions_init=start.precisions_,
        random_state=0, reg_covar=1e-9, tol=1e-4, max_iter=1000,
    )  # fmt: skip
    return fit.fit(data)


def _log_density(weights: np.ndarray, means: np.ndarray, variances: np.ndarray, at: np.ndarray) -> np.ndarray:
    """ln p of a mixture of Gaussians on the line, ``[point]``; weights, means, variances ``[component]``."""
    from scipy.special import logsumexp

    squares = (at[:, None] - means) ** 2 / variances
    return np.asarray(logsumexp(-0.5 * (squares + np.log(2 * np.pi * variances)), b=weights, axis=1))


def _information_of(mixture: Any, count: int) -> float:
    """I of the two coordinates of a mixture in the plane: the mean of ln p(x, y) / (p(x) p(y)) over its own points."""
    points = mixture.sample(count)[0]
    marginals = (
        _log_density(mixture.weights_, mixture.means_[:, k], mixture.covariances_[:, k, k], points[:, k])
        for k in (0, 1)
    )
    return float(np.mean(mixture.score_samples(points) - sum(marginals)))


def _information_of_classes(mixtures: list[Any], shares: np.ndarray, count: int) -> float:
    """I of a class and a number: sum over classes of share * <ln p(y | class) / p(y)>, p(y) the mixture of all."""
    weights = np.concatenate([share * fit.weights_ for share, fit in zip(shares, mixtures, strict=True)])
    means = np.concatenate([fit.means_[:, 0] for fit in mixtures])
    variances = np.concatenate([fit.covariances_[:, 0, 0] for fit in mixtures])
    total = 0.0
    for share, fit in zip(shares, mixtures, strict=True):
        points = fit.sample(max(1000, count // len(mixtures)))[0]
        total += share * float(
            np.mean(fit.score_samples(points) - _log_density(weights, means, variances, points[:, 0]))
        )
    return max(total, 0.0)


ESTIMATORS: dict[str, Callable[..., Information]] = {"gmm": _mixtures, "ksg": _nearest_neighbours}
