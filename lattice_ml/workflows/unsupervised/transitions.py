"""Transitions and groups that were found without labels, beside the truth and in resampled data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from lattice_ml.phases.boundary import boundary_table
from lattice_ml.phases.resample import composition, drawn_replicas
from lattice_ml.report.numbers import named, quantity
from lattice_ml.workflows.committee.results import share

if TYPE_CHECKING:
    from lattice_ml.phases.label import Labels
    from lattice_ml.systems.base import Point, System

Metric = dict[str, Any]

ALLOWED = 0.01
"""Difference of a transition temperature from the truth that the project asks for, drawn as a strip."""


class TransitionNumbers(NamedTuple):
    """rows: contract 4's boundaries of both methods; resampled, truth_resampled [resampling, transition], nan: none."""

    rows: list[dict[str, Any]]
    resampled: np.ndarray
    truth_resampled: np.ndarray
    metrics: dict[str, Metric]
    table: dict[str, Any]


def truth_of_resamplings(
    member: np.ndarray, points: Sequence[Point], system: System, seeds: Sequence[int]
) -> list[list[dict[str, Any]]]:
    """The true boundaries of the replicas that each resampling drew; member [point, replica, sample, phase]."""
    tables = []
    for seed in seeds:
        drawn = drawn_replicas(member.shape, seed)
        own = member[np.arange(len(member))[:, None], drawn]
        tables.append(boundary_table(points, own, system.phases, system.control, "band", seed))
    return tables


def describe_transitions(
    labels: Labels,
    found: Sequence[Labels | None],
    truth: list[dict[str, Any]],
    truth_found: Sequence[list[dict[str, Any]]],
    control: np.ndarray,
    replicas: int,
    name: str,
) -> TransitionNumbers:
    """Both methods on the ensemble, with errors from the same resamplings of its replicas.

    The error of a transition is the standard deviation over resamplings, times sqrt(R / (R - 1)), in quadrature with
    the grid's spacing / sqrt(12); that of a difference is taken over differences on the same resampling, which the grid
    shifts alike.
    """
    transitions = [f"{a}|{b}" for a, b in zip(labels.phases, labels.phases[1:], strict=False)]
    correction = np.sqrt(replicas / (replicas - 1)) if replicas > 1 else np.nan
    resampled = np.array([_values(own.transitions if own else [], transitions) for own in found])
    resampled = resampled.reshape(len(found), len(transitions))
    true = np.array([_values(own, transitions) for own in truth_found]).reshape(resampled.shape)

    rows, metrics, cells = [], {}, []
    values = _values(labels.transitions, transitions)
    truths = _values(truth, transitions)
    for k, transition in enumerate(transitions):
        own = next(row for row in labels.transitions if row["transition"] == transition)
        spread = _deviation(resampled[:, k]) * correction
        if own["value"] is not None and np.isfinite(spread):
            own = own | {"error": float(np.hypot(spread, _spacing(control, own["value"]) / np.sqrt(12)))}
        rows.append(own)
        rows += [row for row in truth if row["transition"] == transition]
        shift = values[k] - truths[k]
        error = _deviation(resampled[:, k] - true[:, k]) * correction
        metrics[f"{transition}: |{name} of clusters - {name} of bands|"] = {
            "value": _plain(abs(shift)),
            "error": _plain(error),
            "n": int(np.isfinite(resampled[:, k]).sum()),
        }
        inside = bool(abs(shift) <= ALLOWED) if np.isfinite(shift) else None
        cells.append(
            [
                named(transition),
                quantity({"value": own["value"], "error": own["error"]}),
                quantity({"value": _plain(truths[k]), "error": _truth_error(truth, transition)}),
                quantity({"value": _plain(shift), "error": _plain(error)}),
                "–" if inside is None else "yes" if inside else "no",
            ]
        )
    table = {
        "title": "Transitions without labels, beside the truth",
        "columns": ["transition", "clusters", "band there or not", "difference", f"within {ALLOWED:g}"],
        "rows": cells,
        "note": "The truth at the same torus: is the k = 1 mode of the density there, and if not, is the lattice "
        "polarised; nothing learned. Errors of the clusters and of the difference: the same steps on resampled data.",
    }
    return TransitionNumbers(rows, resampled, true, metrics, table)


class GroupNumbers(NamedTuple):
    rows: list[dict[str, Any]]
    metrics: dict[str, Metric]
    table: dict[str, Any]


def describe_groups(
    labels: Labels, found: Sequence[Labels | None], wanted: dict[str, int], member: np.ndarray | None
) -> GroupNumbers:
    """In how many resamplings the configurations fall into the ``wanted`` oriented groups of each phase, no more and no
    fewer; and how many configurations of the ensemble lie in a cluster of their true phase."""
    rows = [composition(own) if own else {} for own in found]
    hits = [row == wanted for row in rows]
    metrics: dict[str, Metric] = {}
    if rows:
        metrics[f"resamplings with {sum(wanted.values())} groups"] = share(np.array(hits))
    if member is not None and member.shape[:3] == labels.phase.shape:
        right = labels.phase == member.argmax(axis=-1)
        replicas = right.mean(axis=(0, 2))
        spread = float(replicas.std(ddof=1) / np.sqrt(len(replicas))) if len(replicas) > 1 else None
        metrics["configurations in a cluster of their phase"] = {
            "value": float(right.mean()),
            "error": spread,
            "n": right.size,
        }

    def cells(name: str, row: dict[str, int], clusters: int | None) -> list[str]:
        return [name, *(str(row.get(phase, "–")) for phase in wanted), "–" if clusters is None else str(clusters)]

    table = {
        "title": "Groups found without labels",
        "columns": ["ensemble", *wanted, "clusters"],
        "rows": [
            cells("asked for", wanted, None),
            cells("as sampled", composition(labels), int(labels.cluster.max()) + 1),
            *(
                cells(f"resampling {k + 1}", row, int(own.cluster.max()) + 1 if own else None)
                for k, (row, own) in enumerate(zip(rows, found, strict=True))
            ),
        ],
        "note": "Numbers of groups that the mirror of the rules tells apart, for each phase. A dash: the clusters "
        "showed no phases.",
    }
    told = [{"groups": row, "as_asked": hit} for row, hit in zip(rows, hits, strict=True)]
    return GroupNumbers(told, metrics, table)


def _values(rows: Sequence[dict[str, Any]], transitions: Sequence[str]) -> np.ndarray:
    known = {row["transition"]: row["value"] for row in rows}
    return np.array([np.nan if known.get(one) is None else known[one] for one in transitions], dtype=np.float64)


def _truth_error(truth: Sequence[dict[str, Any]], transition: str) -> float | None:
    return next((row["error"] for row in truth if row["transition"] == transition), None)


def _deviation(values: np.ndarray) -> float:
    there = values[np.isfinite(values)]
    return float(there.std(ddof=1)) if len(there) > 1 else float("nan")


def _spacing(control: np.ndarray, value: float) -> float:
    """Of the grid around a value."""
    ordered = np.sort(control)
    above = int(np.clip(np.searchsorted(ordered, value), 1, len(ordered) - 1))
    return float(ordered[above] - ordered[above - 1])


def _plain(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
