"""What the latents of a trained encoder mean: how many are in use, and what each tells of known quantities."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import numpy as np
from jaxtyping import Float, Int64

from lattice_ml.ensembles.progress import show
from lattice_ml.explain.information import mutual_information

ACTIVE = 0.1
"""Nats of KL divergence from the prior, averaged over configurations, above which a latent is in use."""


class Information(NamedTuple):
    """Mutual information between rows and columns in nats; an error is nan where there is a single trajectory.

    value, error: float64 ``[row, column]``.
    """

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    value: Float[np.ndarray, "row column"]
    error: Float[np.ndarray, "row column"]
    method: str

    def above(self, other: Information) -> Information:
        """Both tables in one; their columns must be the same."""
        assert self.columns == other.columns
        value, error = (np.concatenate((getattr(self, key), getattr(other, key))) for key in ("value", "error"))
        return self._replace(rows=(*self.rows, *other.rows), value=value, error=error)

    def summary(self) -> dict[str, Any]:
        """As plain JSON: ``{row: {column: {"value", "error"}}}``."""

        def plain(number: float) -> float | None:
            return float(number) if np.isfinite(number) else None

        return {
            row: {
                name: {"value": plain(self.value[k, j]), "error": plain(self.error[k, j])}
                for j, name in enumerate(self.columns)
            }
            for k, row in enumerate(self.rows)
        }


def informed(
    latents: Float[np.ndarray, "n latent"],
    quantities: Mapping[str, Float[np.ndarray, " n"]],
    groups: Int64[np.ndarray, " n"] | None = None,
    method: Literal["gmm", "ksg"] = "gmm",
    seed: int = 0,
) -> Information:
    """I(z_i; quantity) of every latent, *drawn* from its posterior, and every quantity; see ``information``.

    Posterior means of a net without noise would be functions of the observation, and I infinite where a latent is a
    function of one quantity; drawn latents carry the noise that the decoder had to live with. A quantity that does not
    vary tells nothing: 0.
    """
    return tabulated({f"z{k + 1}": z for k, z in enumerate(latents.T)}, quantities, groups, method, seed)


def tabulated(
    rows: Mapping[str, Float[np.ndarray, " n"]],
    columns: Mapping[str, Float[np.ndarray, " n"]],
    groups: Int64[np.ndarray, " n"] | None = None,
    method: Literal["gmm", "ksg"] = "gmm",
    seed: int = 0,
) -> Information:
    """I of every row's numbers and every column's; nan where both have one name, a quantity with itself."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in rows}
    with show(f"mutual information ({method})", len(rows) * len(columns)) as report:
        for row, z in rows.items():
            for column, quantity in columns.items():
                if row == column:
                    found[row].append((np.nan, np.nan))
                else:
                    told = mutual_information(np.asarray(z), np.asarray(quantity, np.float64), method, groups, seed)
                    found[row].append((told.value, told.error))
                report(sum(map(len, found.values())))
    value, error = np.moveaxis(np.array(list(found.values())), -1, 0)
    return Information(tuple(rows), tuple(columns), value, error, method)


def entangled(
    latents: Float[np.ndarray, "n latent"],
    groups: Int64[np.ndarray, " n"] | None = None,
    method: Literal["gmm", "ksg"] = "gmm",
    seed: int = 0,
) -> Information:
    """I(z_i; z_j) between latents: 0 between all pairs is what disentangled means. The diagonal is nan."""
    count = latents.shape[1]
    value, error = np.full((count, count), np.nan), np.full((count, count), np.nan)
    for i in range(count):
        for j in range(i):
            found = mutual_information(latents[:, i], latents[:, j], method, groups, seed)
            value[i, j] = value[j, i] = found.value
            error[i, j] = error[j, i] = found.error
    names = tuple(f"z{k + 1}" for k in range(count))
    return Information(names, names, value, error, method)


def smoothness(
    coordinates: Float[np.ndarray, "n coordinate"],
    values: Float[np.ndarray, "n value"],
    training: Int64[np.ndarray, " m"] | slice,
    test: Int64[np.ndarray, " k"] | slice,
    degree: int = 3,
) -> Float[np.ndarray, " value"]:
    """R² on the test rows of a polynomial of this degree in the coordinates, fitted to the training rows.

    1 where every value is a smooth function of the coordinates; a latent that folds or jumps stays below.
    """
    from sklearn.linear_model import LinearRegression
    from sklearn.metrics import r2_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import PolynomialFeatures, StandardScaler

    model = make_pipeline(StandardScaler(), PolynomialFeatures(degree), LinearRegression())
    model.fit(coordinates[training], values[training])
    return np.atleast_1d(r2_score(values[test], model.predict(coordinates[test]), multioutput="raw_values"))
