"""Which physical quantities decide, and how far do models that can be read come with them?

sample -> name the phases without labels, or take observables as answers -> features -> fit linear models, trees and
forests -> test them on held-out replicas and on ensembles elsewhere, beside the net of a finished run -> importances
-> report. Any system: see ``explain/features.py``.

Source: L. Lucie-Smith, "Machine learning and its interpretability" (2023), lecture 1.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
from omegaconf import DictConfig

from lattice_ml.cli.runtime import build_family, build_system, ensembles, seed_everything
from lattice_ml.ensembles import progress
from lattice_ml.explain.features import distinct
from lattice_ml.explain.white_box import WhiteBox, build, fit_white_box
from lattice_ml.ground.errors import UserError
from lattice_ml.ground.files import write_file
from lattice_ml.runs.loggers import open_loggers, publish
from lattice_ml.runs.run import Run, open_run
from lattice_ml.workflows.white_boxes.data import (
    Judge,
    Table,
    label_scans,
    net_judge,
    read_table,
    with_labels,
    with_targets,
)
from lattice_ml.workflows.white_boxes.results import Verdict, judged, show, tell

if TYPE_CHECKING:
    import xarray as xr

    from lattice_ml.explain.importance import Sample
    from lattice_ml.systems.base import System
    from lattice_ml.workflows.explanations.finished import Finished

FOREST = "random_forest"
"""The white box whose importances are measured."""


def fit_white_boxes(config: DictConfig) -> None:
    """Fit, test and explain the white boxes of the configuration; raises ``UserError`` on what the user can mend."""
    seed_everything(config.seed)
    system = build_system(config.system, config.ensemble)
    net = require_sound(config, system)
    targets: list[str] = list(config.white_boxes.targets or [])
    with open_run(config, steps=5) as run:
        run.results["system"] = system.parameters()
        with run.step("sample", "sampling " + " and ".join(section.name for section in ensembles(config).values())):
            sampled = sample(config, run)
        with run.step("tables", "computing features and naming the answers"):
            training, tests, transitions = read_tables(config, run, system, sampled, net)
        with open_loggers(config, run) as loggers:
            with run.step("fit", f"fitting {', '.join(config.white_boxes.kinds)} and testing them"):
                learned, tests = split(config, training, tests)
                boxes = fit(config, run, learned, targets)
                judges = [judge(kind, boxes[kind]) for kind in config.white_boxes.kinds]
                verdicts = [judged(one, tests) for one in judges]
                if net is not None:
                    # A net of several instances learned from other replicas than ours: its own ensemble is no test.
                    fair = tests if net.classes else [table for table in tests if table.part != "ensemble"]
                    verdicts.append(judged(net_judge(net, targets), fair))
                tell(config, run, verdicts, tests, transitions, targets)
            with run.step("importance", f"measuring importances with {config.white_boxes.forests} resampled forests"):
                measure(config, run, learned, tests[0], targets)
            with run.step("report", "writing the report"):
                draw(run, boxes, verdicts, tests, transitions, targets)
                publish(loggers, run)
        page = run.finish()
        show(run, verdicts)
        run.show_end(page)


def require_sound(config: DictConfig, system: System) -> Finished | None:
    """Raise ``UserError``, before any work, on what would stop the run later; returns the run to compare with."""
    from lattice_ml.data.dealing import deal_replicas
    from lattice_ml.workflows.explanations.finished import open_finished, require_same_training

    settings = config.white_boxes
    for kind in settings.kinds:
        build(kind, True, 0)
    if config.data.get("split") is None:
        raise UserError("white boxes hold whole replicas back: give data=default, whose split says how many.")
    deal_replicas(config.ensemble.replicas, list(config.data.split), config.seed)
    if not settings.targets and not system.phases:
        raise UserError(
            f"{system.name} has no phases to tell apart: give white_boxes.targets=[<observables>], e.g. "
            f"[{', '.join(system.watched) or 'energy'}]."
        )
    if not settings.compare:
        return None
    net = open_finished(settings.compare, str(config.paths.stores))
    require_same_training(net, config)
    net_judge(net, list(settings.targets or ()))
    return net


def sample(config: DictConfig, run: Run) -> list[tuple[str, xr.Dataset]]:
    """Every ensemble of the configuration, by what it is for; those tested on may have several tori."""
    from lattice_ml.workflows.common.protocol import protocol_of

    found = {part: build_family(config.system, config.sampler, section) for part, section in ensembles(config).items()}
    run.results["protocol"] = {part: protocol_of(*datasets) for part, datasets in found.items()}
    return [(part, dataset) for part, datasets in found.items() for dataset in datasets]


def read_tables(
    config: DictConfig, run: Run, system: System, sampled: list[tuple[str, xr.Dataset]], net: Finished | None
) -> tuple[Table, list[Table], list[dict[str, Any]]]:
    """The table of the training ensemble, those of the others, and the transitions that their labels show."""
    from lattice_ml.phases.label_file import load_labels, save_labels
    from lattice_ml.workflows.phase_diagram.names import LABELS, name_phases

    (part, dataset), *others = sampled
    training = read_table(config, part, dataset, config.white_boxes.configurations)
    tests = [read_table(config, *one) for one in others]
    if config.white_boxes.targets:
        named = list(config.white_boxes.targets)
        return with_targets(training, named), [with_targets(table, named) for table in tests], []
    known = load_labels(net.folder / LABELS) if net is not None else None
    if known is not None:
        save_labels(run.folder / LABELS, known)  # the answers that the net has learned
    labels = name_phases(config, run, system, dataset)
    transitions = list(labels.transitions)

    def say(sentence: str) -> None:
        run.console.print(sentence, highlight=False, soft_wrap=True)

    labelled = []
    for table in tests:
        table, found = label_scans(table, run.folder, config.phases, say)
        labelled.append(table)
        transitions += found
    return with_labels(training, labels.labels[:, 0, 0]), labelled, transitions


def split(config: DictConfig, training: Table, tests: list[Table]) -> tuple[Table, list[Table]]:
    """The table to learn from, with the replicas of training and validation, and all to be tested on, the held-out
    replicas of the same ensemble first."""
    from lattice_ml.data.dealing import deal_replicas

    dealt = deal_replicas(config.ensemble.replicas, list(config.data.split), config.seed)
    own = training.replicas(dealt["test"])
    return training.replicas(np.concatenate([dealt["train"], dealt["val"]])), [own, *tests]


def fit(config: DictConfig, run: Run, learned: Table, targets: list[str]) -> dict[str, list[WhiteBox]]:
    """Every kind of white box, one for each target; ``results["white_boxes"]`` says with which features and how."""
    known = {name: learned.answers[:, number] for number, name in enumerate(targets)}
    names, left_out = distinct(learned.features, known)
    values, groups = learned.features.select(names).values, learned.trajectory[:, 1]
    classes = () if targets else learned.system.phases
    boxes: dict[str, list[WhiteBox]] = {}
    with progress.show("white boxes", len(config.white_boxes.kinds)) as report:
        for kind in config.white_boxes.kinds:
            boxes[kind] = [
                fit_white_box(kind, values, answer, groups, names, classes, config.seed) for answer in learned.answers.T
            ]
            report(len(boxes))
    run.results["white_boxes"] = {
        "features": names,
        "left_out": left_out,
        "configurations": len(values),
        "fitted": {
            kind: [
                {"of": name, **one.chosen, "cross_validation": one.score}
                for name, one in zip(_named(targets), own, strict=True)
            ]
            for kind, own in boxes.items()
        },
    }
    return boxes


def judge(name: str, boxes: list[WhiteBox]) -> Judge:
    def answer(table: Table) -> np.ndarray:
        values = table.features.select(boxes[0].features).values
        if boxes[0].classes:
            return boxes[0].probabilities(values)[None]
        return np.stack([box.predict(values) for box in boxes], axis=-1)[None]

    return Judge(name, answer)


def measure(config: DictConfig, run: Run, learned: Table, held_out: Table, targets: list[str]) -> None:
    """Importances per boundary between neighbouring phases, or per target, each kept as soon as it is known."""
    from lattice_ml.explain.importance import importances

    run.results["importances"] = {}
    names = run.results["white_boxes"]["features"]
    for name, train, test in questions(learned, held_out, names, targets):
        file = run.folder / "importances" / f"{name.replace('|', '-')}.json"
        if not file.exists():
            forest, _ = build(FOREST, not targets, config.seed)
            with progress.show(f"forests for {name}", config.white_boxes.forests) as report:
                found = importances(forest, names, train, test, config.white_boxes.forests, config.seed, report)
            write_file(file, json.dumps(found.summary()).encode())
        run.results["importances"][name] = json.loads(file.read_text(encoding="utf-8"))


def questions(
    learned: Table, held_out: Table, names: list[str], targets: list[str]
) -> list[tuple[str, Sample, Sample]]:
    """(name, rows to learn from, rows held out): one of two neighbouring phases against the other, or a target."""
    from lattice_ml.explain.importance import Sample

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


def draw(
    run: Run,
    boxes: dict[str, list[WhiteBox]],
    verdicts: list[Verdict],
    tests: list[Table],
    transitions: list[dict[str, Any]],
    targets: list[str],
) -> None:
    from lattice_ml.figures import captions
    from lattice_ml.workflows.white_boxes import figures as white_box_figures

    white_box_figures.draw_importances(run.figures, run.results["importances"], bool(targets))
    if "tree" in boxes:
        white_box_figures.draw_rules(run.figures, dict(zip(_named(targets), boxes["tree"], strict=True)))
    if targets:
        white_box_figures.draw_errors(run.figures, verdicts, targets, tests[0].system.control)
    else:
        white_box_figures.draw_accuracies(run.figures, verdicts, tests)
        white_box_figures.draw_diagram(run.figures, tests, run.results["boundaries"], transitions)
    captions.tell(run.figures, white_box_figures.STORY)


def _named(targets: list[str]) -> list[str]:
    return targets or ["phase"]
