"""One run as one page: ``report.html``, self-contained, readable on a phone, in print and without a network.

Everything shown is read from the run folder (``config.yaml``, ``results.json``, ``figures/``); nothing is computed but
shares of the total time. A section whose data is absent is left out, so that a half-finished run has a report too.
"""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeGuard

import jinja2

from lattice_ml.errors import UserError
from lattice_ml.figures.style import phase_colours
from lattice_ml.files import write_file

HERO = "phase_diagram"  # the figure that stands beside the table of boundaries


def write(run_folder: Path | str) -> Path:
    """Write ``<run_folder>/report.html`` and return its path.

    ``results.json`` (all keys optional): ``experiment``, ``run``, ``finished`` (ISO 8601), ``system``, ``protocol``,
    ``labels`` (``transitions`` and plain values), ``metrics`` (a number or ``{"value", "error", "n"}`` each),
    ``boundaries`` (``{"rho0", "transition", "T", "error", "method"}``, or ``"T": null`` and ``"reason"``), ``timings``
    (seconds), ``versions``, ``seed``, ``warnings``. ``figures/captions.json`` maps a figure's name to ``{"title",
    "caption", "alt"}`` in the order to be shown; pictures without an entry follow, by name.

    Raises `UserError` if the folder does not exist.
    """
    folder = Path(run_folder)
    if not folder.is_dir():
        raise UserError(f"{folder} is not a run folder: give a folder that train.py wrote, runs/<experiment>/<id>.")
    results, complaints = _read_json(folder / "results.json")
    figures, figure_complaints = _figures(folder / "figures")
    config = folder / "config.yaml"
    page = _template().render(
        experiment=str(results.get("experiment", folder.name)),
        run=results.get("run", folder.name),
        finished=_when(results.get("finished")),
        seed=results.get("seed"),
        summary=_summary(results),
        warnings=[*complaints, *figure_complaints, *_items(results.get("warnings"))],
        boundaries=[_boundary(row) for row in _items(results.get("boundaries")) if isinstance(row, Mapping)],
        hero=next((figure for figure in figures if figure["name"] == HERO), None),
        figures=[figure for figure in figures if figure["name"] != HERO],
        metrics=[_metric(name, value) for name, value in _table(results.get("metrics")).items()],
        transitions=_transitions(results.get("labels")),
        labels=_flat({k: v for k, v in _table(results.get("labels")).items() if k != "transitions"}),
        facts=[
            (title, _flat(_table(results.get(key))))
            for title, key in (("System", "system"), ("Protocol", "protocol"), ("Versions", "versions"))
        ],
        timings=_timings(_table(results.get("timings"))),
        config=config.read_text(encoding="utf-8", errors="replace") if config.is_file() else None,
    )
    report = folder / "report.html"
    write_file(report, page.encode())
    return report


def with_error(value: Any, error: Any = None) -> str:
    """``0.402 ± 0.012``: the error to two significant digits and the value to the same place; "–" if there is no value.

    >>> with_error(0.40213, 0.0123)
    '0.402 ± 0.012'
    """
    if not _is_number(value):
        return "–" if value is None or isinstance(value, float) else str(value)
    if not _is_number(error) or error <= 0:
        return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"
    decimals = max(0, 1 - math.floor(math.log10(error)))
    if decimals > 9:
        return f"{value:.6g} ± {error:.1e}"
    return f"{value:.{decimals}f} ± {error:.{decimals}f}"


def duration(seconds: float) -> str:
    """``12 min 3 s``, ``41.7 s``, ``2 h 5 min``."""
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes = round(seconds) // 60
    if minutes < 60:
        return f"{minutes} min {round(seconds) % 60} s"
    return f"{minutes // 60} h {minutes % 60} min"


def _template() -> jinja2.Template:
    source = (files("lattice_ml") / "report.html").read_text(encoding="utf-8")
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(source)


def _read_json(path: Path) -> tuple[dict[str, Any], list[str]]:
    """The object in a JSON file, and what is wrong with it: a run cut short may leave none, or half of one."""
    if not path.is_file():
        return {}, [f"There is no {path.name} here: the run has not finished."] if path.name == "results.json" else []
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        return {}, [f"{path.name} could not be read ({error}): run the same command line again to write it anew."]
    return (content, []) if isinstance(content, dict) else ({}, [f"{path.name} does not hold a JSON object."])


def _figures(folder: Path) -> tuple[list[dict[str, str]], list[str]]:
    """Every picture of the folder with its words: captioned ones in the order of the captions, then the others."""
    captions, complaints = _read_json(folder / "captions.json")
    found = {picture.stem: picture for picture in sorted(folder.glob("*.png"))}
    figures = []
    for name in [*(name for name in captions if name in found), *(name for name in found if name not in captions)]:
        words = _table(captions.get(name))
        title = str(words.get("title") or name.replace("_", " ").capitalize())
        caption = str(words.get("caption") or "")
        figures.append(
            {
                "name": name,
                "title": title,
                "caption": caption,
                "alt": str(words.get("alt") or "").strip() or f"Figure: {title}. {caption}".strip(),
                "data": base64.b64encode(found[name].read_bytes()).decode("ascii"),
                "arrays": f"figures/{name}.npz" if (folder / f"{name}.npz").is_file() else "",
            }
        )
    return figures, complaints


def _summary(results: Mapping[str, Any]) -> str:
    """One sentence: the boundaries at the density of the labels (or the first), and the accuracy behind them."""
    rows = [row for row in _items(results.get("boundaries")) if isinstance(row, Mapping) and _is_number(row.get("T"))]
    if not rows:
        return "This run found no phase boundary." if results.get("boundaries") else ""
    labelled = [row.get("rho0") for row in _transition_rows(results.get("labels"))]
    densities = [row.get("rho0") for row in rows]
    rho0 = next((density for density in labelled if density in densities), densities[0])
    method = next(row.get("method") for row in rows if row.get("rho0") == rho0)
    found = [
        f"{_named(row.get('transition'))} at T = {with_error(row['T'], row.get('error'))}".replace(
            " = ", "\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}"
        )
        for row in rows
        if row.get("rho0") == rho0 and row.get("method") == method
    ]
    where = f"At density ρ₀ = {with_error(rho0)} the" if rho0 is not None else "The"
    boundary = "boundary is" if len(found) == 1 else "boundaries are"
    accuracy = _table(results.get("metrics")).get("test_accuracy")
    score = with_error(**_number(accuracy)) if accuracy is not None else ""
    behind = f", from a classifier with test accuracy {score}" if score else ""
    return f"{where} {boundary} {' and '.join(found)}{behind}."


def _boundary(row: Mapping[str, Any]) -> dict[str, Any]:
    found = _is_number(row.get("T"))
    phases = str(row.get("transition", "–")).split("|")
    return {
        "rho0": with_error(row.get("rho0")),
        "phases": list(zip(phases, phase_colours(phases), strict=True)),
        "T": with_error(row["T"], row.get("error")).split(" ± ")[0] if found else None,
        "error": with_error(row["T"], row.get("error")).partition(" ± ")[2] or "–" if found else None,
        "reason": str(row.get("reason") or "not found in the scanned range"),
        "method": str(row.get("method", "–")),
    }


def _metric(name: str, value: Any) -> dict[str, Any]:
    number = _number(value)
    count = value.get("n") if isinstance(value, Mapping) else None
    return {"name": name.replace("_", " "), "value": with_error(**number), "n": with_error(count) if count else ""}


def _number(value: Any) -> dict[str, Any]:
    if isinstance(value, Mapping):
        return {"value": value.get("value"), "error": value.get("error")}
    return {"value": value, "error": None}


def _transition_rows(labels: Any) -> list[Mapping[str, Any]]:
    return [row for row in _items(_table(labels).get("transitions")) if isinstance(row, Mapping)]


def _transitions(labels: Any) -> list[dict[str, Any]]:
    return [_boundary(row) for row in _transition_rows(labels)]


def _timings(timings: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Stages in their order with shares of the sum, and the total last (the run's own, where it states one)."""
    stages = {str(name): float(value) for name, value in timings.items() if _is_number(value) and name != "total"}
    stated = timings.get("total")
    total = float(stated) if _is_number(stated) else sum(stages.values())
    rows = [
        {"stage": name.replace("_", " "), "time": duration(value), "share": 100 * value / total if total else 0.0}
        for name, value in stages.items()
    ]
    return [*rows, {"stage": "total", "time": duration(total), "share": None}] if rows else []


def _flat(table: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """(name, text) rows; a table inside a table gives names such as ``counts.gas``."""
    rows: list[tuple[str, str]] = []
    for key, value in table.items():
        if isinstance(value, Mapping):
            rows += _flat(value, f"{prefix}{key}.")
        elif isinstance(value, Sequence) and not isinstance(value, str):
            plain = all(not isinstance(item, Mapping | list) for item in value)
            rows.append((f"{prefix}{key}", ", ".join(map(_text, value)) if plain else json.dumps(value)))
        else:
            rows.append((f"{prefix}{key}", _text(value)))
    return rows


def _text(value: Any) -> str:
    return with_error(value) if isinstance(value, float) or value is None else str(value)


def _when(finished: Any) -> str:
    """``2026-11-22 15:41 UTC`` from an ISO time; anything else as it stands."""
    try:
        when = datetime.fromisoformat(str(finished))
    except ValueError:
        return str(finished or "")
    return f"{when:%Y-%m-%d %H:%M} {when.tzname() or ''}".strip()


def _named(transition: Any) -> str:
    # A line never ends between two phases: the bar allows a break after it, whatever follows but a word joiner.
    return "\N{NO-BREAK SPACE}|\N{WORD JOINER}\N{NO-BREAK SPACE}".join(str(transition).split("|"))


def _is_number(value: Any) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _table(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _items(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else []
