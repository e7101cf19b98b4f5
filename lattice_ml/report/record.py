"""A finished run as a page to keep: ``python -m lattice_ml.report.record runs/flux_counting/001 docs/results``.

Copies ``results.json`` and the pictures to ``<folder>/<experiment>/`` and writes ``<folder>/<experiment>.md`` with the
command, date, cost, versions, the table of metrics beside the literature's, and the pictures with their captions.
Nothing on the page is typed by hand but the note.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lattice_ml.ground.errors import UserError
from lattice_ml.ground.files import write_file
from lattice_ml.report.folder import published, read_json
from lattice_ml.report.numbers import duration, flat, is_number, moment, quantity, table


def record(run: Path, folder: Path, command: str, note: str = "") -> Path:
    """Write the page of a run and return its path. Raises ``UserError`` if the run is not finished."""
    results, complaints = read_json(run / "results.json")
    if not results or not (run / "report.html").is_file():
        raise UserError(
            f"{run} is not a finished run{': ' + complaints[0] if complaints else ''}: give one that has a report.html."
        )
    name = str(results["experiment"])
    room = folder / name
    room.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(run / "results.json", room / "results.json")
    captions, _ = read_json(run / "figures" / "captions.json")
    pictures = [picture for picture in captions if (run / "figures" / f"{picture}.png").is_file()]
    for picture in pictures:
        shutil.copyfile(run / "figures" / f"{picture}.png", room / f"{picture}.png")
    page = folder / f"{name}.md"
    write_file(page, "\n".join(_lines(results, command, note, name, pictures, captions)).encode())
    return page


def _lines(
    results: Mapping[str, Any], command: str, note: str, name: str, pictures: list[str], captions: Mapping[str, Any]
) -> list[str]:
    timings, versions = table(results.get("timings")), table(results.get("versions"))
    spent = ", ".join(f"{step.replace('_', ' ')} {duration(float(t))}" for step, t in timings.items() if is_number(t))
    source = published(results)
    quoted = table(source.get("metrics"))
    head = ["quantity", "value", *([source["short"]] if quoted else [])]
    rows = [
        [metric, quantity(value), *([quantity(quoted[metric]) if metric in quoted else ""] if quoted else [])]
        for metric, value in table(results.get("metrics")).items()
    ]
    return [
        f"# {name}",
        "",
        f"Finished {moment(results.get('finished'))}; seed {results.get('seed')}. Made by",
        "",
        "```bash",
        command,
        "```",
        "",
        *([note, ""] if note else []),
        f"Time: {spent}. Versions: {', '.join(f'{package} {version}' for package, version in versions.items())}.",
        "",
        "Protocol: " + "; ".join(f"{key} = {value}" for key, value in flat(table(results.get("protocol")))) + ".",
        "",
        "| " + " | ".join(head) + " |",
        "|---|" + "---:|" * (len(head) - 1),
        *("| " + " | ".join(row) + " |" for row in rows),
        "",
        *([f"{source['short']}: {source['source']}.", ""] if quoted else []),
        *(line for picture in pictures for line in _picture(name, picture, table(captions.get(picture)))),
        f"Every number, instance by instance: [results.json]({name}/results.json).",
        "",
    ]


def _picture(name: str, picture: str, words: Mapping[str, Any]) -> list[str]:
    return [
        f"## {words.get('title', picture)}",
        "",
        f"![{words.get('alt', '')}]({name}/{picture}.png)",
        "",
        str(words.get("caption", "")),
        "",
    ]


def main(arguments: list[str] | None = None) -> int:
    """Write the page and print its path; a user's mistake is one sentence on stderr and exit code 2."""
    parser = argparse.ArgumentParser(prog="python -m lattice_ml.report.record", description=__doc__)
    parser.add_argument("run", type=Path, help="a finished run, e.g. runs/flux_counting/001")
    parser.add_argument("folder", type=Path, help="where the page goes, e.g. docs/results")
    parser.add_argument("--command", help="the command that made the run, if it has more than experiment=<name>")
    parser.add_argument("--note", default="", help="what a reader must know, e.g. that the run was interrupted")
    given = parser.parse_args(arguments)
    try:
        command = given.command or f"python train.py experiment={given.run.parent.name}"
        print(record(given.run, given.folder, command, given.note))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
