"""What committees found, held against the truth: the numbers of ``workflow=phase_committee``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Float

from lattice_ml.ensembles.store import points_of
from lattice_ml.phases.committee import Verdict, committee_boundaries, deviations
from lattice_ml.phases.scan import place_of

if TYPE_CHECKING:
    from lattice_ml.phases.label import Labels
    from lattice_ml.workflows.committee.parts import Judged, Part

CLOSE = 0.03
"""Largest |T_CNN − T_true| that a boundary may have to count as found."""

Rows = list[dict[str, Any]]


@dataclass(frozen=True)
class Compared:
    """A committee beside the truth.

    boundaries: contract 4's rows on the torus of the training. rows: ``deviations`` there, with ``trained``, whether
    the nets were trained at that place. sizes: ``deviations`` on other tori, with their ``L``. Of each member:
    accuracy on the test replicas; physical, by ``Verdict.physical`` over the survey; near, whether every boundary that
    is truly there is found within ``CLOSE``, of no member where no truth is known. T: every member's boundaries
    ``[member, row]`` of ``rows``.
    """

    judged: Judged
    boundaries: Rows
    rows: Rows
    sizes: Rows
    T: Float[np.ndarray, "member row"]
    accuracy: Float[np.ndarray, " member"]
    physical: Bool[np.ndarray, " member"]
    near: Bool[np.ndarray, " member_or_none"]


def compare(one: Judged, parts: Sequence[Part], truth: dict[str, Rows], labels: Labels, seed: int) -> Compared:
    """Boundaries of a committee in every part that its nets can read, the first of which is the test replicas."""
    home, control = parts[0].system.extents, parts[0].system.control
    trained = {place_of(point, control) for point in points_of(parts[0].ensemble)}
    verdicts: dict[str, Verdict] = {}
    boundaries, rows, sizes = [], [], []
    for part in parts:
        if part.name not in one.found:
            continue
        points = points_of(part.ensemble)
        found = committee_boundaries(points, one.found[part.name], part.system.phases, control, "cnn", seed)
        beside = deviations(found.rows, truth[part.name])
        if part.system.extents == home:
            verdicts[part.name] = found
            boundaries += found.rows
            places = {place_of(point, control) for point in points}
            rows += [{**row, "trained": places <= trained} for row in beside]
        else:
            sizes += [{"L": max(part.system.extents), **row} for row in beside]
    T = np.concatenate([found.T for found in verdicts.values()], axis=1)
    true = np.array([np.nan if row["truth"] is None else row["truth"] for row in rows])
    known = np.isfinite(true)
    near = np.asarray((np.abs(T - true) <= CLOSE)[:, known].all(axis=1))  # a boundary that a member misses is not near
    survey = [found for name, found in verdicts.items() if name != parts[0].name]
    return Compared(
        judged=one,
        boundaries=boundaries,
        rows=rows,
        sizes=sizes,
        T=T,
        accuracy=(one.found[parts[0].name].argmax(-1) == labels.labels[:, :1, :1]).mean(axis=(1, 2, 3)),
        physical=np.logical_and.reduce([found.physical() for found in survey]),
        near=near if known.any() else near[:0],
    )


def summary(one: Compared) -> dict[str, Any]:
    """A committee's numbers as plain JSON."""
    return {
        "accuracy": spread(one.accuracy),
        "physical": share(one.physical),
        "within_0.03_everywhere": share(one.near),
        "distance": distance([row for row in one.rows if not row["trained"]]),
        "epochs": len(one.judged.history),
        "validation_loss": min(row["val/best"] for row in one.judged.history),
        "deviations": one.rows,
        "sizes": one.sizes,
        "members": [[None if np.isnan(T) else float(T) for T in own] for own in one.T],
    }


def spread(values: Float[np.ndarray, " member"]) -> dict[str, Any]:
    """Mean over members; its error is the standard deviation between them, which is what one net may be off by."""
    error = float(values.std(ddof=1)) if len(values) > 1 else None
    return {"value": float(values.mean()), "error": error, "n": len(values), "members": values.tolist()}


def share(which: Bool[np.ndarray, " member"]) -> dict[str, Any]:
    """A share of the members with its binomial standard error at p = (k + 1) / (n + 2), which is not 0 at k = 0, n;
    None of nobody."""
    count, n = int(which.sum()), len(which)
    if n == 0:
        return {"value": None, "error": None, "n": 0}
    p = (count + 1) / (n + 2)
    return {"value": count / n, "error": float(np.sqrt(p * (1 - p) / n)), "n": n}


def distance(rows: Rows) -> dict[str, Any]:
    """Mean and largest |T_CNN − T_true|; ``missed``: boundaries that are truly there and are not found. The mean has an
    error where every difference has one."""
    known = [row for row in rows if row["truth"] is not None]
    found = [row for row in known if row["difference"] is not None]
    if not found:
        return {"value": None, "error": None, "largest": None, "n": 0, "missed": len(known)}
    off = np.array([abs(row["difference"]) for row in found])
    errors = [row["error"] for row in found if row["error"] is not None]
    return {
        "value": float(off.mean()),
        "error": float(np.sqrt(np.square(errors).sum()) / len(found)) if len(errors) == len(found) else None,
        "largest": float(off.max()),
        "n": len(found),
        "missed": len(known) - len(found),
    }


def metrics(told: dict[str, Any], l2: float) -> dict[str, Any]:
    """The head of the report."""
    away = told["distance"]
    return {
        "test_accuracy": {key: told["accuracy"][key] for key in ("value", "error", "n")},
        "mean_distance_to_truth": {key: away[key] for key in ("value", "error", "n")},
        "largest_distance_to_truth": {"value": away["largest"], "error": None, "n": away["n"]},
        "boundaries_missed": {"value": away["missed"], "error": None, "n": away["n"] + away["missed"]},
        "physical_nets": told["physical"],
        "nets_within_0.03_everywhere": told["within_0.03_everywhere"],
        "validation_loss": {"value": told["validation_loss"], "error": None},
        "l2": {"value": l2, "error": None},
    }
