"""Is a finished ensemble equilibrated? Judged from the store alone, written into it, asked for by training.

At every point hot and cold replicas are compared (``hot_and_cold``): watched observables, P(Q), correlation. A right
ensemble is refused with a probability of at most 1/1000, however many points it has: of M comparisons each fails where
p < 0.001 / M (Bonferroni). The autocorrelation times are also compared as their mean over the points, which short
series leave sharp where each alone is not.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

from lattice_ml.ensembles.hot_and_cold import BOTH, LARGEST_TAU, compare
from lattice_ml.ensembles.layout import VERDICT
from lattice_ml.ensembles.store import open_ensemble, points_of
from lattice_ml.ground.atomic import disk_errors
from lattice_ml.ground.errors import UserError
from lattice_ml.ground.files import write_file
from lattice_ml.systems.base import Point, System
from lattice_ml.systems.sampler import Sampler

SCHEMA = "lattice_ml.equilibration/1"
SIGNIFICANCE = 1e-3


def assess(system: System, sampler: Sampler, path: str | Path) -> dict[str, Any] | None:
    """The verdict on the complete ensemble at ``path``, read from its ``equilibration.json`` or made and written there.

    None, and nothing is written, for systems that have nothing watched. See docs/store.md for its content.
    """
    path = Path(path)
    if not system.watched:
        return None
    known = _read(path)
    if known is not None:
        return known
    ensemble = open_ensemble(path)
    started_both = ensemble.attrs["plan"]["protocol"]["start"] == BOTH
    points = []
    for number, point in enumerate(points_of(ensemble)):
        found = {"point": point, "record": sampler.record(system, point)}
        if started_both:
            chains = _series(system, point, ensemble["configurations"][number])
            found |= compare(chains, system.watched, point.get("worms", 0) == 0)
        points.append(found)
    verdict = {"schema": SCHEMA, **(judge(points) if started_both else _unproven(points))}
    with disk_errors(path):
        write_file(path / VERDICT, json.dumps(verdict, indent=1, allow_nan=False).encode())
    return verdict


def require_equilibrated(path: str | Path, force: bool = False) -> None:
    """Raise ``UserError`` that names the worst point of an ensemble that was not found equilibrated, unless forced."""
    path = Path(path)
    verdict = _read(path)
    if force or (verdict is not None and verdict["passed"]):
        return
    if verdict is not None:
        raise UserError(
            f"{path} is not equilibrated: {verdict['reason']}; sample it with another algorithm or a longer "
            "ensemble.protocol.waiting or spacing, or give ++data.force=true."
        )
    if open_ensemble(path).attrs["plan"]["protocol"]["start"] == BOTH:
        raise UserError(
            f"{path} was not checked for equilibrium: give the command that sampled it once more, or ++data.force=true."
        )


def verdict_in_words(path: str | Path) -> str:
    """The verdict on a complete ensemble and, where the sampler chose, what it took; "" for one that has no verdict."""
    verdict = _read(Path(path))
    if verdict is None:
        return ""
    if verdict["passed"]:
        words = f"equilibrated: {_resolution(verdict)}"
    else:
        words = f"not equilibrated, and refused by training: {verdict['reason']}"
    each = [f"{name} at {count} point{'s' * (count > 1)}" for name, count in taken(verdict).items()]
    return "; ".join([words, *([f"sampled by {' and '.join(each)}"] if each else [])])


def _resolution(verdict: Mapping[str, Any]) -> str:
    """How far apart starts were found, and from where on they are refused: what a verdict that passed can say."""
    apart = [abs(found["z"]) for point in verdict["points"] for found in point["observables"].values()]
    refused = stats.norm.isf(verdict["threshold"] / 2)
    return f"hot and cold starts are at most {max(apart):.1f} standard errors apart, {refused:.1f} would be refused"


def taken(verdict: Mapping[str, Any]) -> dict[str, int]:
    """The algorithms that the sampler took, each with the number of its points; empty if it does not say."""
    return dict(
        sorted(Counter(p["record"]["algorithm"] for p in verdict["points"] if "algorithm" in p["record"]).items())
    )


def judge(points: list[dict[str, Any]]) -> dict[str, Any]:
    """The verdict on compared points, and on each: ``passed`` and, if it is not, the ``reason``."""
    told = [_told(point) for point in points]
    mean, error = _mean_tau(points)
    overall = _Comparison(
        _too_slow(mean, error),
        f"its configurations are correlated: tau = {mean:.2f} ± {error:.2f} spacings in the mean over all points, and "
        f"{LARGEST_TAU} is allowed",
    )
    comparisons = sum(map(len, told)) + 1
    threshold = SIGNIFICANCE / comparisons
    judged = []
    for point, tests in zip(points, told, strict=True):
        reason = _worst(tests, threshold)
        judged.append({**point, "passed": not reason, "reason": reason})
    reason = _worst([test for tests in told for test in tests], threshold) or _worst([overall], threshold)
    return {
        "passed": not reason,
        "reason": reason,
        "comparisons": comparisons,
        "threshold": threshold,
        "tau": {"mean": mean, "error": error},
        "points": judged,
    }


class _Comparison(NamedTuple):
    """Its p, the half-sentence that an ensemble is refused with, and its place among others that are as bad."""

    p: float
    reason: str
    place: int = 0


def _worst(tests: list[_Comparison], threshold: float) -> str:
    """The reason to refuse: different starts before different histograms before correlation; "" if there is none."""
    failed = [test for test in tests if test.p < threshold]
    return min(failed, key=lambda test: (test.place, test.p)).reason if failed else ""


def _told(point: Mapping[str, Any]) -> list[_Comparison]:
    """Every comparison at a point."""
    where = "at " + ", ".join(f"{name} = {value:g}" for name, value in point["point"].items())
    tests = []
    for name, found in point["observables"].items():
        starts = f"{name} = {found['hot']:.5g} from hot and {found['cold']:.5g} from cold starts"
        tests.append(_Comparison(found["p"], f"{where} {starts} are {abs(found['z']):.1f} standard errors apart"))
        if "judged" in found:
            what = f"{where} tau = {found['judged']:.2f} spacings in {name}, and {LARGEST_TAU} is allowed"
            tests.append(_Comparison(_too_slow(found["judged"], found["judged_error"]), what, 2))
    if "winding" in point:
        found = point["winding"]
        what = f"P(Q) of hot and cold starts differ: chi-square {found['chi2']:.1f}, {found['dof']} degrees of freedom"
        tests.append(_Comparison(found["p"], f"{where} {what}", 1))
    return tests


def _too_slow(tau: float, error: float) -> float:
    """p of an autocorrelation time that is found above ``LARGEST_TAU``."""
    return float(stats.norm.sf((tau - LARGEST_TAU) / error)) if error > 0 else 1.0


def _mean_tau(points: list[dict[str, Any]]) -> tuple[float, float]:
    """The mean over points and observables of the times that are judged; its error, were those of a point equal."""
    times = [
        (found["judged"], found["judged_error"])
        for point in points
        for found in point["observables"].values()
        if "judged" in found
    ]
    if not times:
        return 0.5, 0.0
    taus, errors = zip(*times, strict=True)
    judged_points = sum(any("judged" in found for found in point["observables"].values()) for point in points)
    return float(np.mean(taus)), float(np.sqrt(np.mean(np.square(errors)) / judged_points))


def _unproven(points: list[dict[str, Any]]) -> dict[str, Any]:
    reason = f"it was sampled from one kind of start, which proves nothing: give ensemble.protocol.start={BOTH}"
    return {"passed": False, "reason": reason, "comparisons": 0, "points": points}


def _series(system: System, point: Point, configurations: Any) -> dict[str, np.ndarray]:
    """Observables of one point, each ``[replica, sample]``; one replica at a time is in memory."""
    found = [system.observables(configurations[replica].values, point) for replica in range(len(configurations))]
    return {name: np.stack([replica[name] for replica in found]) for name in found[0]}


def _read(path: Path) -> dict[str, Any] | None:
    """The verdict in the store, or None if there is none."""
    try:
        verdict = json.loads((path / VERDICT).read_text())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise UserError(f"{path / VERDICT} cannot be read ({error}): remove it, and it is made anew.") from error
    if not isinstance(verdict, dict) or verdict.get("schema") != SCHEMA or not isinstance(verdict.get("passed"), bool):
        raise UserError(f"{path / VERDICT} is no verdict of this version: remove it, and it is made anew.")
    return verdict
