"""A scan of the control parameter: class probabilities averaged over configurations, with their errors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from lattice_ml.systems.base import Point


@dataclass(frozen=True)
class Scan:
    """Class probabilities along the control parameter at one place, averaged over the configurations.

    place: the other parameters, e.g. ``{"rho0": 3.0}``, {} where there are none. control [point]: values of
    the control parameter; mean and error [point, class], the error from the spread over replicas (nan for one alone).
    """

    place: Point
    control: Float[np.ndarray, " point"]
    mean: Float[np.ndarray, "point class"]
    error: Float[np.ndarray, "point class"]


def scans_of(
    points: Sequence[Point], probabilities: Float[np.ndarray, "point replica sample class"], control: str
) -> list[Scan]:
    """The scans of an ensemble, one for each value of the other parameters, each sorted by the control parameter."""
    scans = []
    for place in sorted({place_of(point, control) for point in points}):
        members = [k for k, point in enumerate(points) if place_of(point, control) == place]
        members.sort(key=lambda k: points[k][control])
        replicas = probabilities[members].mean(axis=2)
        values = np.array([points[k][control] for k in members])
        scans.append(Scan(dict(place), values, replicas.mean(axis=1), standard_error(replicas)))
    return scans


def place_of(point: Point, control: str) -> tuple[tuple[str, float], ...]:
    """The parameters of a point beside the control parameter, by name: points that share them form a scan."""
    return tuple(sorted((name, float(value)) for name, value in point.items() if name != control))


def standard_error(replicas: Float[np.ndarray, "point replica *rest"]) -> Float[np.ndarray, "point *rest"]:
    """Standard error of the mean over replicas, nan for a single one."""
    count = replicas.shape[1]
    if count == 1:
        return np.full_like(replicas[:, 0], np.nan)
    return replicas.std(axis=1, ddof=1) / np.sqrt(count)
