"""One phase boundary as a row of plain values: contract 4's entry of ``boundaries`` in ``results.json``.

    {"rho0": 3.0, "transition": "L|L+G", "control": "T", "value": 0.41, "error": 0.01, "method": "cnn"}

``control`` names the control parameter along which the boundary was found and ``value`` is where, None with a
``reason`` if it is nowhere; every other key is a parameter of the scan, its place. Rows of the first edition had the
value under the name of the control parameter, ``"T": 0.41``; such rows are read, and written beside the new keys for
one version.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

OUTCOME = frozenset({"transition", "control", "value", "error", "method", "reason"})
"""Keys of a row that are no parameters of its place."""


def entry(transition: str, control: str, method: str) -> dict[str, Any]:
    """The row of a boundary that is not found (yet)."""
    return {"transition": transition, "control": control, "value": None, "error": None, "method": method}


def control_of(row: Mapping[str, Any]) -> str:
    """The name of the control parameter; of a row of the first edition T, the only one that there was."""
    return str(row.get("control") or "T")


def value_of(row: Mapping[str, Any]) -> Any:
    """Where the boundary is, None if nowhere."""
    return row.get("value") if "value" in row else row.get(control_of(row))


def place_in(row: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of the scan, by their names."""
    return {name: value for name, value in row.items() if name not in OUTCOME and name != control_of(row)}


def with_former_key(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row as version 0.1 wrote it too, ``"T": 0.41`` beside ``"control": "T", "value": 0.41``."""
    return {**row, row["control"]: row["value"]} if "control" in row and "value" in row else dict(row)


def today(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of either edition with today's keys alone."""
    control = control_of(row)
    return {
        **place_in(row),
        **entry(row["transition"], control, row["method"]),
        "value": value_of(row),
        "error": row["error"],
        **({"reason": row["reason"]} if "reason" in row else {}),
    }
