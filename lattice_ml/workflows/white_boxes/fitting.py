"""White boxes fitted to a table of features, and what their importances are measured on."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np

from lattice_ml.ensembles import progress
from lattice_ml.explain.features import distinct
from lattice_ml.explain.importance import Sample, importances
from lattice_ml.explain.white_box import Kind, WhiteBox, build, fit_white_box
from lattice_ml.ground.files import write_file
from lattice_ml.runs.run import Run
from lattice_ml.workflows.white_boxes.data import Judge, Table

FOREST = "random_forest"
"""The white box whose importances are measured."""


def fit(
    run: Run, kinds: Sequence[Kind], learned: Table, targets: Sequence[str], seed: int
) -> dict[str, list[WhiteBox]]:
    """Every kind of white box, one for each target; ``results["white_boxes"]`` says with which features and how."""
    known = {name: learned.answers[:, number] for number, name in enumerate(targets)}
    names, left_out = distinct(learned.features, known)
    values, groups = learned.features.select(names).values, learned.trajectory[:, 1]
    classes = () if targets else learned.system.phases
    boxes: dict[str, list[WhiteBox]] = {}
    with progress.show("white boxes", len(kinds)) as report:
        for kind in kinds:
            boxes[kind] = [
                fit_white_box(kind, values, answer, groups, names, classes, seed) for answer in learned.answers.T
            ]
            report(len(boxes))
    run.results["white_boxes"] = {
        "features": names,
        "left_out": left_out,
        "configurations": len(values),
        "fitted": {
            kind: [
                {"of": name, **one.chosen, "cross_validation": one.score}
                for name, one in zip(targets or ["phase"], own, strict=True)
            ]
            for kind, own in boxes.items()
        },
    }
    return boxes


def judge(name: str, boxes: Sequence[WhiteBox]) -> Judge:
    """What white boxes answer together, one for each target or one for the phases."""

    def answer(table: Table) -> np.ndarray:
        values = table.features.select(boxes[0].features).values
        if boxes[0].classes:
            return boxes[0].probabilities(values)[None]
        return np.stack([box.predict(values) for box in boxes], axis=-1)[None]

    return Judge(name, answer)


def measure(run: Run, learned: Table, held_out: Table, targets: Sequence[str], forests: int, seed: int) -> None:
    """Importances per boundary between neighbouring phases, or per target, each kept as soon as it is known."""
    run.results["importances"] = {}
    names = run.results["white_boxes"]["features"]
    for name, train, test in questions(learned, held_out, names, targets):
        file = run.folder / "importances" / f"{name.replace('|', '-')}.json"
        if not file.exists():
            forest, _ = build(FOREST, not targets, seed)
            with progress.show(f"forests for {name}", forests) as report:
                found = importances(forest, names, train, test, forests, seed, report)
            write_file(file, json.dumps(found.summary()).encode())
        run.results["importances"][name] = json.loads(file.read_text(encoding="utf-8"))


def questions(
    learned: Table, held_out: Table, names: Sequence[str], targets: Sequence[str]
) -> list[tuple[str, Sample, Sample]]:
    """(name, rows to learn from, rows held out): one of two neighbouring phases against the other, or a target."""

    def rows(table: Table, number: int) -> Sample:
        return Sample(table.features.select(names).values, table.answers[:, number], table.trajectory)

    if targets:
        return [(name, rows(learned, number), rows(held_out, number)) for number, name in enumerate(targets)]
    phases, asked = learned.system.phases, []
    for low, high in enumerate(range(1, len(phases))):
        pair = []
        for table in (learned, held_out):
            every = rows(table, 0)
            pair.append(every._replace(target=(every.target == high)).where(np.isin(every.target, (low, high))))
        asked.append((f"{phases[low]}|{phases[high]}", *pair))
    return asked
