"""A scan of the temperature at one density: class probabilities averaged over configurations, with their errors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from lattice_ml.systems.base import Point


@dataclass(frozen=True)
class Scan:
    """Class probabilities along the control parameter at one density, averaged over the configurations.

    T [point]; mean and error [point, class], the error from the spread over replicas (nan for a single one).
    """

    rho0: float
    T: Float[np.ndarray, " point"]
    mean: Float[np.ndarray, "point class"]
    error: Float[np.ndarray, "point class"]


def scans_of(points: Sequence[Point], probabilities: Float[np.ndarray, "point replica sample class"]) -> list[Scan]:
    """The scans of an ensemble, one per density, each sorted by temperature."""
    scans = []
    for rho0 in sorted({point["rho0"] for point in points}):
        members = sorted((k for k, point in enumerate(points) if point["rho0"] == rho0), key=lambda k: points[k]["T"])
        replicas = probabilities[members].mean(axis=2)
        control = np.array([points[k]["T"] for k in members])
        scans.append(Scan(rho0, control, replicas.mean(axis=1), standard_error(replicas)))
    return scans


def standard_error(replicas: Float[np.ndarray, "point replica *rest"]) -> Float[np.ndarray, "point *rest"]:
    """Standard error of the mean over replicas, nan for a single one."""
    count = replicas.shape[1]
    if count == 1:
        return np.full_like(replicas[:, 0], np.nan)
    return replicas.std(axis=1, ddof=1) / np.sqrt(count)
