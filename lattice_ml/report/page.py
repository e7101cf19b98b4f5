"""One run as one page: ``report.html``, self-contained, readable on a phone, in print and without a network.

Everything shown is read from the run folder (``config.yaml``, ``results.json``, ``figures/``), and what the literature
says of the system from its ``published.yaml``; nothing is computed but shares of the total time. A section whose data
is absent is left out, so that a half-finished run has a report too.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lattice_ml.figures.style import phase_colours
from lattice_ml.ground.boundary_rows import control_of, place_in, value_of
from lattice_ml.ground.errors import UserError
from lattice_ml.ground.files import write_file
from lattice_ml.report.folder import published, read_figures, read_json, template
from lattice_ml.report.numbers import (
    duration,
    flat,
    is_number,
    items,
    moment,
    named,
    quantity,
    symbol,
    table,
    with_error,
)

QUANTITIES = {"rho0": "density "}
"""What a parameter is, said before its symbol."""

HERO = "phase_diagram"  # the figure that stands beside the table of boundaries


def write(run_folder: Path | str) -> Path:
    """Write ``<run_folder>/report.html`` and return its path.

    ``results.json`` (all keys optional): ``experiment``, ``run``, ``finished`` (ISO 8601), ``system``, ``protocol``,
    ``labels`` (``transitions`` and plain values), ``metrics`` (a number or ``{"value", "error", "n"}`` each),
    ``boundaries`` (``ground/boundary_rows.py``), ``timings`` (seconds), ``versions``, ``seed``, ``warnings``,
    ``tables`` (``{"title", "columns", "rows", "note"}``, cells of text). ``figures/captions.json`` maps a figure's name
    to ``{"title", "caption", "alt"}`` in the order to be shown; pictures without an entry follow, by name.

    Raises `UserError` if the folder does not exist.
    """
    folder = Path(run_folder)
    if not folder.is_dir():
        raise UserError(f"{folder} is not a run folder: give a folder that train.py wrote, runs/<experiment>/<id>.")
    results, complaints = read_json(folder / "results.json")
    figures, figure_complaints = read_figures(folder / "figures")
    config = folder / "config.yaml"
    source = published(results)
    boundaries = [_boundary(row, source) for row in items(results.get("boundaries")) if isinstance(row, Mapping)]
    methods = {row["method"] for row in boundaries}
    metrics = [_metric(name, value, source) for name, value in table(results.get("metrics")).items()]
    quoted = any(row["published"] for row in (*boundaries, *metrics))  # else there is nothing to give credit for
    page = template("page.html").render(
        experiment=str(results.get("experiment", folder.name)),
        run=results.get("run", folder.name),
        symbol=symbol,
        finished=moment(results.get("finished")),
        seed=results.get("seed"),
        summary=_summary(results),
        warnings=[*complaints, *figure_complaints, *items(results.get("warnings"))],
        boundaries=boundaries,
        method=methods.pop() if len(methods) == 1 else None,
        published=_credit(source, results) if quoted else None,
        hero=next((figure for figure in figures if figure["name"] == HERO), None),
        figures=[figure for figure in figures if figure["name"] != HERO],
        metrics=metrics,
        tables=[entry for entry in items(results.get("tables")) if isinstance(entry, Mapping)],
        transitions=_transitions(results.get("labels")),
        labels=flat({k: v for k, v in table(results.get("labels")).items() if k != "transitions"}),
        facts=[
            (title, flat(table(results.get(key))))
            for title, key in (("System", "system"), ("Protocol", "protocol"), ("Versions", "versions"))
        ],
        timings=_timings(table(results.get("timings"))),
        config=config.read_text(encoding="utf-8", errors="replace") if config.is_file() else None,
    )
    report = folder / "report.html"
    write_file(report, page.encode("utf-8", "replace"))
    return report


def _summary(results: Mapping[str, Any]) -> str:
    """One sentence: the boundaries at the place of the labels (or the first), and the accuracy behind them."""
    rows = [row for row in items(results.get("boundaries")) if isinstance(row, Mapping) and is_number(value_of(row))]
    if not rows:
        return "This run found no phase boundary." if results.get("boundaries") else ""
    labelled = [place_in(row) for row in _transition_rows(results.get("labels"))]
    places = [place_in(row) for row in rows]
    place = next((own for own in labelled if own in places), places[0])
    method = next(row.get("method") for row in rows if place_in(row) == place)
    found = [
        f"{named(row.get('transition'))} at {control_of(row)} = {with_error(value_of(row), row.get('error'))}".replace(
            " = ", "\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}"
        )
        for row in rows
        if place_in(row) == place and row.get("method") == method
    ]
    where = f"At {_where(place)} the" if place else "The"
    boundary = "boundary is" if len(found) == 1 else "boundaries are"
    accuracy = table(results.get("metrics")).get("test_accuracy")
    score = quantity(accuracy) if accuracy is not None else ""
    behind = f", from a classifier with test accuracy {score}" if score else ""
    return f"{where} {boundary} {' and '.join(found)}{behind}."


def _where(place: Mapping[str, Any]) -> str:
    """``density ρ₀ = 3``."""
    return ", ".join(f"{QUANTITIES.get(name, '')}{symbol(name)} = {with_error(value)}" for name, value in place.items())


def _boundary(row: Mapping[str, Any], source: Mapping[str, Any]) -> dict[str, Any]:
    value, error = value_of(row), row.get("error")
    found = is_number(value)
    phases = str(row.get("transition", "–")).split("|")
    return {
        "place": {name: with_error(value) for name, value in place_in(row).items()},
        "phases": list(zip(phases, phase_colours(phases), strict=True)),
        "control": control_of(row),
        "value": with_error(value, error).split(" ± ")[0] if found else None,
        "error": with_error(value, error).partition(" ± ")[2] or "–" if found else None,
        "reason": str(row.get("reason") or "not found in the scanned range"),
        "method": str(row.get("method", "–")),
        "published": next(
            (
                " … ".join(f"{bound:.2f}" for bound in known["between"])
                for known in items(source.get("boundaries"))
                if (_published_place(known), known["transition"]) == (place_in(row), row.get("transition"))
            ),
            "",
        ),
    }


def _published_place(known: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in known.items() if name not in ("transition", "between", "says")}


def _metric(name: str, value: Any, source: Mapping[str, Any]) -> dict[str, Any]:
    count = value.get("n") if isinstance(value, Mapping) else None
    return {
        "name": name.replace("_", " "),
        "value": quantity(value),
        "n": with_error(count) if count else "",
        "published": quantity(source["metrics"][name]) if name in table(source.get("metrics")) else "",
    }


def _credit(source: Mapping[str, Any], results: Mapping[str, Any]) -> dict[str, Any] | None:
    """Who is quoted and what exactly is said there; and that the sizes differ, if they do: a boundary depends on it."""
    if not source:
        return None
    here, there = (" × ".join(map(str, items(table(of).get("extents")))) for of in (results.get("system"), source))
    said = [
        *([source["says"]] if "says" in source else []),
        *(f"{named(row['transition'])}{_at(row)}: {row['says']}" for row in items(source.get("boundaries"))),
        *(f"{name.replace('_', ' ')}: {row['says']}" for name, row in source["metrics"].items() if "says" in row),
    ]
    size = (
        ""
        if here == there or not there
        else f"The torus there is {there}, here {here}, and a boundary depends on the size."
    )
    return {"short": source["short"], "source": source["source"], "said": "; ".join(said), "size": size}


def _at(row: Mapping[str, Any]) -> str:
    place = _published_place(row)
    return f" at {', '.join(f'{symbol(name)} = {value:g}' for name, value in place.items())}" if place else ""


def _transition_rows(labels: Any) -> list[Mapping[str, Any]]:
    return [row for row in items(table(labels).get("transitions")) if isinstance(row, Mapping)]


def _transitions(labels: Any) -> list[dict[str, Any]]:
    return [_boundary(row, {}) for row in _transition_rows(labels)]


def _timings(timings: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Stages in their order with shares of the sum, and the total last (the run's own, where it states one)."""
    stages = {str(name): float(value) for name, value in timings.items() if is_number(value) and name != "total"}
    stated = timings.get("total")
    total = float(stated) if is_number(stated) else sum(stages.values())
    rows = [
        {"stage": name.replace("_", " "), "time": duration(value), "share": 100 * value / total if total else 0.0}
        for name, value in stages.items()
    ]
    return [*rows, {"stage": "total", "time": duration(total), "share": None}] if rows else []
