"""Boundaries by a committee of nets: their mean, an error that holds the spread between nets, and who is physical.

Each member has boundaries of its own, by ``boundary.boundary_table``, with the error of the configurations and of the
grid. The committee's boundary is the mean over the members that have one, and its error

    sqrt( <error_m²> + Var_m(T_m) ):

what one net, begun with other weights and shown other configurations, would be off by; the members share the split, the
order of the batches and the labels. (The error of the mean itself is smaller by up to sqrt(M); it would tell how well
the committee is known, not how well a net does.)
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from lattice_ml.ground.boundary_rows import place_in
from lattice_ml.phases.boundary import boundary_table
from lattice_ml.systems.base import Point

QUORUM = 0.5
"""Share of the members that must find a boundary for the committee to have it."""


@dataclass(frozen=True)
class Verdict:
    """What a committee says of one ensemble.

    rows: contract 4's boundaries. T: those of every member ``[member, row]``, nan where it finds none.
    """

    rows: list[dict[str, Any]]
    T: Float[np.ndarray, "member row"]

    def physical(self) -> Bool[np.ndarray, " member"]:
        """Which members extrapolate physically, by no truth but order: every boundary is found at every place, those
        of one place rise in the order of the phases, and along the places each one moves in one direction."""
        found = np.isfinite(self.T).all(axis=1)
        places = [tuple(sorted(place_in(row).items())) for row in self.rows]
        sound = found.copy()
        for place in dict.fromkeys(places):
            own = [k for k, other in enumerate(places) if other == place]
            sound &= (np.diff(self.T[:, own], axis=1) > 0).all(axis=1)
        for transition in dict.fromkeys(row["transition"] for row in self.rows):
            own = [k for k, row in enumerate(self.rows) if row["transition"] == transition]
            steps = np.diff(self.T[:, own], axis=1)
            sound &= (steps > 0).all(axis=1) | (steps < 0).all(axis=1)
        return np.asarray(sound)


def committee_boundaries(
    points: Sequence[Point],
    probabilities: Float[np.ndarray, "member point replica sample class"],
    phases: Sequence[str],
    control: str,
    method: str = "cnn",
    seed: int = 0,
) -> Verdict:
    """The neighbouring phases' boundaries of every scan of an ensemble, by all members together.

    probabilities: of every configuration by every member. Rows as those of ``boundary_table``; where fewer than the
    share ``QUORUM`` of the members have a crossing, value and error are None and the reason says how many do; where no
    member's boundary has an error, the committee's has none, for the same reason.
    """
    neighbours = [f"{a}|{b}" for a, b in itertools.pairwise(phases)]
    tables = [
        [row for row in boundary_table(points, own, phases, control, method, seed) if row["transition"] in neighbours]
        for own in probabilities
    ]
    T = np.array([[np.nan if row["value"] is None else row["value"] for row in table] for table in tables])
    errors = np.array([[np.nan if row["error"] is None else row["error"] for row in table] for table in tables])
    rows = []
    for k, first in enumerate(tables[0]):
        there = np.isfinite(T[:, k])
        row = {key: value for key, value in first.items() if key != "reason"} | {"value": None, "error": None}
        if there.mean() < QUORUM:
            row["reason"] = f"{there.sum()} of {len(there)} nets have this crossing"
        else:
            row["value"] = float(T[there, k].mean())
            spread = T[there, k].var(ddof=1) if there.sum() > 1 else 0.0
            own = errors[there, k]
            if np.isfinite(own).any():
                row["error"] = float(np.sqrt(np.nanmean(own**2) + spread))
            else:
                row["reason"] = next(table[k]["reason"] for m, table in enumerate(tables) if there[m])
        rows.append(row)
    return Verdict(rows, T)


def deviations(found: Sequence[dict[str, Any]], truth: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Every boundary of ``found`` beside that of ``truth`` of the same transition and parameters, in its order.

    Entries: the parameters, ``transition``, ``found``, ``found_error``, ``truth``, ``truth_error``, ``difference`` =
    found − truth and its ``error``; None for what is not there, and for an error of which a part is not known. Both are
    read off the same configurations, so what these have in common cancels: the error of the difference is at most this.
    """

    def key(row: dict[str, Any]) -> dict[str, Any]:
        return {**place_in(row), "transition": row["transition"]}

    table = []
    for row in found:
        other = next((known for known in truth if key(known) == key(row)), {})
        entry = key(row) | {
            "found": row["value"],
            "found_error": row["error"],
            "truth": other.get("value"),
            "truth_error": other.get("error"),
            "difference": None,
            "error": None,
        }
        if entry["found"] is not None and entry["truth"] is not None:
            entry["difference"] = entry["found"] - entry["truth"]
            if entry["found_error"] is not None and entry["truth_error"] is not None:
                entry["error"] = float(np.hypot(entry["found_error"], entry["truth_error"]))
        table.append(entry)
    return table
