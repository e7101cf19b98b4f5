"""Where are the transitions, if nobody names a phase? A committee is asked for the temperature, and two indicators
read the transitions off its answers: see ``phases/label_free.py``.

sample -> train on the temperatures as classes -> both indicators on replicas that no net was fitted to (those of the
validation, which chose the best epoch, and of the test), beside the truth of all configurations -> report.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from omegaconf import DictConfig

from lattice_ml.cli.runtime import (
    build,
    build_ensemble,
    build_system,
    ensembles,
    plan_of,
    prepare_ensemble,
    seed_everything,
)
from lattice_ml.data.dealing import deal_replicas
from lattice_ml.figures import captions, save
from lattice_ml.ground.errors import UserError
from lattice_ml.phases.label_free import Indicators, indicators, peaks
from lattice_ml.phases.truth import true_boundaries
from lattice_ml.runs.loggers import open_loggers, publish
from lattice_ml.runs.run import ENTRY, Run, open_run
from lattice_ml.workflows.committee.checks import require_strengths
from lattice_ml.workflows.committee.parts import Part
from lattice_ml.workflows.committee.workflow import judge
from lattice_ml.workflows.common.protocol import tell_protocols
from lattice_ml.workflows.phase_diagram.checks import require_disjoint
from lattice_ml.workflows.phase_diagram.training import label

if TYPE_CHECKING:
    from lattice_ml.systems.base import System
    from lattice_ml.tasks.classify_committee import ClassifyCommittee


def find_transitions(config: DictConfig) -> None:
    """Train, read the indicators and report; raises ``UserError`` on what the user can mend."""
    seed_everything(config.seed)
    system = build_system(config.system, config.ensemble)
    require_scan(config, system)
    with open_run(config, steps=4) as run:
        run.results["system"] = system.parameters()
        with run.step("sample", f"sampling {config.ensemble.name}"):
            ensemble = build_ensemble(config.system, config.sampler, config.ensemble)
            ensemble = ensemble.isel(point=np.argsort(ensemble[system.control].values))
            tell_protocols(config, run, {"ensemble": [ensemble]})
        # The number of its temperature is the label of every configuration.
        data = label(config, system, ensemble, np.arange(ensemble.sizes["point"])[:, None, None])
        held = np.sort(np.concatenate([data.replicas["val"], data.replicas["test"]]))
        part = Part("held out", system, ensemble.isel(replica=held))
        with open_loggers(config, run) as loggers:
            with run.step("train", f"asking {config.committee.members} nets for {system.control}"):
                task = build_committee(config, system, len(ensemble[system.control]))
                judged = judge(config, run, loggers, float(config.committee.l2[0]), data, [part], task)
            with run.step("compare", "reading the indicators and holding them against the truth"):
                control = ensemble[system.control].values.astype(np.float64)
                found = judged.found[part.name]
                told = indicators(control, found.reshape(*found.shape[:2], -1, len(control)))
                truth = true_boundaries(ensemble, system, config.seed)
                tell(run, system, told, truth, boundaries_of(config.committee.compare, truth))
                captions.tell(run.figures, ("label_free",))
            with run.step("report", "writing the report"):
                publish(loggers, run)
        page = run.finish()
        run.show_boundaries()
        run.show_end(page)


def require_scan(config: DictConfig, system: System) -> None:
    """Raise ``UserError`` unless one scan and one committee are given."""
    if system.control not in plan_of(config.ensemble).parameters or "survey" in ensembles(config):
        raise UserError("workflow=label_free reads one scan: give one ensemble and leave out the survey.")
    if not config.task._target_.endswith(".ClassifyCommittee") or len(config.committee.l2) != 1:
        raise UserError("workflow=label_free trains one committee: give task=classify_committee and one committee.l2.")
    require_strengths(config)
    boundaries_of(config.committee.compare, [])
    deal_replicas(config.ensemble.replicas, list(config.data.split), config.seed)
    require_disjoint(config, system)
    build_committee(config, system, 2)
    prepare_ensemble(config.system, config.sampler, config.ensemble)


def build_committee(config: DictConfig, system: System, temperatures: int) -> ClassifyCommittee:
    """Untrained nets with one class for each temperature."""
    from lattice_ml.nets.committee import Committee

    shape: dict[str, Any] = {"in_channels": len(system.channels), "extents": system.extents, "classes": temperatures}
    net = Committee.initialise(lambda: build(config.model, **shape), config.committee.members, config.seed)
    classes = [str(k) for k in range(temperatures)]
    return build(config.task, net=net, system=system, l2=float(config.committee.l2[0]), classes=classes)


def boundaries_of(folder: str | None, truth: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The boundaries that the nets of a finished run found at the place of these; [] where no run is given.

    Raises ``UserError`` if the folder holds no results.
    """
    if folder is None:
        return []
    try:
        rows = json.loads((Path(folder) / "results.json").read_text(encoding="utf-8"))["boundaries"]
        place = [value for name, value in (truth[0] if truth else {}).items() if name not in ENTRY]
        return [
            row
            for row in rows
            if row["method"] == "cnn"
            and row["T"] is not None
            and [value for name, value in row.items() if name not in ENTRY] == place
        ]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{folder} holds no boundaries of a finished run: give committee.compare=runs/…/001."
        ) from error


def tell(run: Run, system: System, told: Indicators, truth: list[dict[str, Any]], others: list[dict[str, Any]]) -> None:
    """Fill the results and draw: the highest peaks of each indicator, as many as the system has transitions.

    others: boundaries by nets that learned from labels, drawn beside.
    """
    from lattice_ml.figures.phases import label_free

    transitions = [f"{a}|{b}" for a, b in zip(system.phases[:-1], system.phases[1:], strict=True)]
    place = {name: value for name, value in (truth[0] if truth else {}).items() if name not in ENTRY}
    rows, heights = [], {"divergence": told.divergence, "confusion": told.confusion}
    found = {method: peaks(told.middle, height, len(transitions)) for method, height in heights.items()}
    for method, (T, error) in found.items():
        for transition, own, its in zip(transitions, T, error, strict=True):
            there = np.isfinite(own)
            rows.append(
                {
                    **place,
                    "transition": transition,
                    "T": float(own) if there else None,
                    "error": float(its) if there else None,
                    "method": method,
                    **({} if there else {"reason": "the indicator has fewer peaks"}),
                }
            )
    run.results["boundaries"] = [*rows, *others, *truth]
    run.results["metrics"] = {
        f"{method}_largest_distance_to_truth": {"value": largest(T, truth), "error": float(error.max()), "n": len(T)}
        for method, (T, error) in found.items()
    }
    save(
        run.figures,
        "label_free",
        {
            "T": told.T, "middle": told.middle, "predicted": told.predicted, **heights,
            "peak_T": [T for T, _ in found.values()], "peak_error": [error for _, error in found.values()],
            "other_T": [np.nan if row["T"] is None else row["T"] for row in [*truth, *others]],
            "other_method": [*("truth" for _ in truth), *("nets with labels" for _ in others)],
        },
        label_free.draw,
    )  # fmt: skip
    captions.caption(
        run.figures,
        "label_free",
        "Transitions without labels",
        "Nets were asked for the temperature of a configuration. Top: their mean answer; dotted, the right one. "
        "Middle: its slope, largest where configurations change at once. Bottom: how well colder and hotter "
        "configurations are told apart at each temperature, 1 without error, 0 by guessing. Shaded: peaks with their "
        "errors; dashed: what the configurations themselves show.",
        "Predicted temperature, its slope and the confusion indicator against temperature.",
    )


def largest(T: np.ndarray, truth: list[dict[str, Any]]) -> float | None:
    """Of |T − T_true| over the transitions that both have."""
    off = [abs(own - row["T"]) for own, row in zip(T, truth, strict=False) if row["T"] is not None and np.isfinite(own)]
    return float(max(off)) if off else None
