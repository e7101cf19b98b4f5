"""Numbers as people read them: with their error, as a duration, as a date; and what of a foreign file is a number."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, TypeGuard

MOST = 2000
LONGEST = 4000


def with_error(value: Any, error: Any = None) -> str:
    """``0.402 ± 0.012``: the error to two significant digits and the value to the same place; "–" if there is no value.

    >>> with_error(0.40213, 0.0123)
    '0.402 ± 0.012'
    """
    if not is_number(value):
        return "–" if value is None or isinstance(value, float) else str(value)
    if not is_number(error) or error <= 0:
        return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"
    decimals = max(0, 1 - math.floor(math.log10(error)))
    if decimals > 9:
        return f"{value:.6g} ± {error:.1e}"
    return f"{value:.{decimals}f} ± {error:.{decimals}f}"


def quantity(metric: Any) -> str:
    """The text of a metric of ``results.json``: a plain number or ``{"value", "error"}``."""
    if isinstance(metric, Mapping):
        return with_error(metric.get("value"), metric.get("error"))
    return with_error(metric)


def duration(seconds: float) -> str:
    """``12 min 3 s``, ``41.7 s``, ``2 h 5 min``."""
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes = round(seconds) // 60
    if minutes < 60:
        return f"{minutes} min {round(seconds) % 60} s"
    return f"{minutes // 60} h {minutes % 60} min"


def moment(finished: Any) -> str:
    """``2026-11-22 15:41 UTC`` from an ISO time; anything else as it stands."""
    try:
        when = datetime.fromisoformat(str(finished))
    except ValueError:
        return str(finished or "")
    return f"{when:%Y-%m-%d %H:%M} {when.tzname() or ''}".strip()


def text(value: Any) -> str:
    """A plain value of a configuration or a result: floats to four digits, "–" where there is none."""
    return with_error(value) if isinstance(value, float) or value is None else str(value)


def flat(table: Mapping[Any, Any]) -> list[tuple[str, str]]:
    """(name, text) rows; a table inside a table gives names such as ``counts.gas``.

    At most ``MOST`` rows: a few lines of YAML whose aliases refer to one another stand for billions.
    """
    rows: list[tuple[str, str]] = []

    def descend(inner: Mapping[Any, Any], prefix: str) -> None:
        for key, value in inner.items():
            if len(rows) >= MOST:
                return
            if isinstance(value, Mapping):
                descend(value, f"{prefix}{key}.")
            elif isinstance(value, Sequence) and not isinstance(value, str):
                plain = all(not isinstance(item, Mapping | list) for item in value)
                rows.append((f"{prefix}{key}", ", ".join(map(text, value)) if plain else _nested(value)))
            else:
                rows.append((f"{prefix}{key}", text(value)))

    descend(table, "")
    return rows


def _nested(value: Sequence[Any]) -> str:
    """A list of lists as text, cut where it grows beyond a page."""
    shown, length = [], 0
    for piece in json.JSONEncoder(default=str).iterencode(value):
        shown.append(piece)
        length += len(piece)
        if length > LONGEST:
            return "".join(shown)[:LONGEST] + " …"
    return "".join(shown)


def named(transition: Any) -> str:
    """``L | L+G``, in one line: a bar allows a break after it, whatever follows but a word joiner."""
    return "\N{NO-BREAK SPACE}|\N{WORD JOINER}\N{NO-BREAK SPACE}".join(str(transition).split("|"))


def is_number(value: Any) -> TypeGuard[int | float]:
    """A finite int or float that a float can hold; True and False are none."""
    return isinstance(value, int | float) and not isinstance(value, bool) and _fits(value)


def _fits(value: int | float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def table(value: Any) -> Mapping[str, Any]:
    """The value if it is a table, else an empty one: results may be those of a half-written or foreign file."""
    return value if isinstance(value, Mapping) else {}


def items(value: Any) -> list[Any]:
    """The value if it is a list, else an empty one."""
    return list(value) if isinstance(value, list | tuple) else []


SYMBOLS = {"rho0": "ρ₀", "mu": "μ", "eta": "η"}


def symbol(name: str) -> str:
    """A parameter as text shows it: ``ρ₀`` for rho0, its name where it has no symbol."""
    return SYMBOLS.get(name, name)
