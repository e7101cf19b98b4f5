"""The whole spectrum of a data matrix, and which share of it the leading components carry.

For n configurations as rows M_a of a matrix [n, site], the covariance C = sum_a (M_a - <M>)(M_a - <M>)^T / (n - 1) has
eigenvalues lambda_i >= 0, of which at most min(n - 1, sites) are not zero. Two shares are called "explained":

    linear(K)  = sum_{i <= K} lambda_i  / sum_i lambda_i      of the variance,
    squared(K) = sum_{i <= K} lambda_i² / sum_i lambda_i²     of the squared Frobenius norm of C,

and a third one comes out where only the K' leading components were ever computed: ``of_kept``, the linear share of a
sum that ends with them. Noise of single sites is spread over all components, thousands of small lambda_i: it counts in
the linear share, hardly in the other two (``shot_noise.py``).

The eigenvalues are those of the smaller of C and the Gram matrix G_ab = (M_a - <M>).(M_b - <M>) / (n - 1).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Float64, Int64


class Shares(NamedTuple):
    """What the first ``components`` eigenvalues carry: see above; each between 0 and 1."""

    linear: float
    squared: float
    of_kept: float


def spectrum(matrix: Float[np.ndarray, "n site"]) -> Float64[np.ndarray, " eigenvalue"]:
    """All min(n - 1, sites) eigenvalues of the covariance, in descending order and the square of the matrix's unit.

    Half a minute on one core for 4,050 × 6,561. Raises ``ValueError`` for fewer than two rows.
    """
    count, sites = matrix.shape
    if count < 2:
        raise ValueError("a covariance needs two configurations")
    if count <= sites:
        return np.linalg.eigvalsh(gram(matrix))[::-1][: count - 1].clip(min=0)
    centred = matrix - matrix.mean(axis=0, dtype=np.float64)
    return np.linalg.eigvalsh(centred.T @ centred / (count - 1))[::-1].clip(min=0)


def gram(matrix: Float[np.ndarray, "n site"]) -> Float64[np.ndarray, "n n"]:
    """Scalar products of the centred rows over n - 1: the eigenvalues of the covariance, and zeros.

    Products of raw rows first, centred afterwards: sums of small whole numbers are exact in float32 and twice as fast.
    """
    products = (matrix @ matrix.T).astype(np.float64)
    rows = products.mean(axis=0)
    return (products - rows - rows[:, None] + rows.mean()) / (len(matrix) - 1)


def shares(eigenvalues: Float[np.ndarray, " eigenvalue"], components: int, kept: int = 25) -> Shares:
    """What the first ``components`` of all eigenvalues carry; ``kept``: where the sum of ``of_kept`` ends."""
    first = eigenvalues[:components]
    return Shares(
        float(first.sum() / eigenvalues.sum()),
        float(np.square(first).sum() / np.square(eigenvalues).sum()),
        float(first.sum() / eigenvalues[: max(kept, components)].sum()),
    )


def coarse_grained(field: Float[np.ndarray, "n x y"], block: tuple[int, int]) -> Float64[np.ndarray, "n block"]:
    """Means over blocks of ``block`` = (bx, by) sites, as rows. Raises ``ValueError`` unless blocks tile the torus."""
    count, width, height = field.shape
    bx, by = block
    if width % bx or height % by:
        raise ValueError(f"blocks of {bx} × {by} do not tile {width} × {height} sites")
    tiled = field.reshape(count, width // bx, bx, height // by, by)
    return tiled.mean(axis=(2, 4), dtype=np.float64).reshape(count, -1)


def jackknife(
    statistic: Callable[[Int64[np.ndarray, " kept"]], Float[np.ndarray, " value"]],
    groups: Int64[np.ndarray, " n"],
) -> Float64[np.ndarray, " value"]:
    """Standard errors of a statistic of rows when one group of rows after the other is left out.

        error² = (R - 1) / R sum_r (theta_r - <theta>)²,    theta_r without group r, R groups.

    statistic: of the numbers of the rows kept. groups: of each row; here the replica, an independent trajectory at
    every temperature. Nan for a single group. Source: Efron & Tibshirani (1993), "An Introduction to the Bootstrap",
    Sec. 11.2.
    """
    numbers = np.unique(groups)
    found = np.array([statistic(np.flatnonzero(groups != number)) for number in numbers if len(numbers) > 1])
    if not len(found):
        return np.full_like(np.asarray(statistic(np.arange(len(groups)))), np.nan, dtype=np.float64)
    return np.sqrt((len(found) - 1) / len(found) * np.square(found - found.mean(axis=0)).sum(axis=0))


def leading_shares(
    products: Float64[np.ndarray, "n n"], rows: Int64[np.ndarray, " kept"], components: int, kept: int = 25
) -> Float64[np.ndarray, "3"]:
    """``shares`` of some rows alone, from the ``gram`` of all, without the whole spectrum: for the jackknife.

    The traces of G and G² are the sums of lambda_i and lambda_i², and Lanczos' method finds the leading lambda_i. G of
    the rows kept is centred anew; its factor 1 / (n - 1) falls out.
    """
    from scipy.sparse.linalg import eigsh

    part = products[np.ix_(rows, rows)]
    means = part.mean(axis=0)
    part += means.mean() - means - means[:, None]
    most = min(max(kept, components), len(part) - 1)
    # The tail of the leading ones is close together and hardly counts: errors of eigenvalues are of the order of tol².
    start = 1.0 + np.arange(len(part))
    found = eigsh(part, k=most, v0=start, tol=1e-3, return_eigenvectors=False)  # pyright: ignore[reportArgumentType]
    first = np.sort(found)[::-1]
    carried = first[:components]
    return np.array(
        [
            carried.sum() / np.trace(part),
            np.square(carried).sum() / np.square(part).sum(),
            carried.sum() / first.sum(),
        ]
    )
