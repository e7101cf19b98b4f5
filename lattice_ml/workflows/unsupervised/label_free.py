"""Where are the transitions, if nobody names a phase? A committee is asked for the temperature, and two indicators
read the transitions off its answers: see ``phases/label_free.py``.

sample -> train on the temperatures as classes -> both indicators on replicas that no net was fitted to (those of the
validation, which chose the best epoch, and of the test), beside the truth of all configurations -> report.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lattice_ml.figures import captions, save
from lattice_ml.ground.boundary_rows import entry, place_in, today
from lattice_ml.ground.errors import UserError
from lattice_ml.phases.label_free import Indicators, indicators, peaks
from lattice_ml.runs.loggers import open_loggers, publish
from lattice_ml.runs.run import Run
from lattice_ml.workflows.committee.committees import Committees
from lattice_ml.workflows.committee.parts import Part
from lattice_ml.workflows.common.protocol import tell_protocols
from lattice_ml.workflows.phase_diagram.checks import require_disjoint
from lattice_ml.workflows.phase_diagram.training import label

if TYPE_CHECKING:
    from lattice_ml.systems.base import System


@dataclass(frozen=True, kw_only=True)
class LabelFree(Committees):
    """ensemble: one scan along the control parameter, whose values are the classes. There is no survey, and one
    committee."""

    @property
    def steps(self) -> int:
        return 4

    def classes(self, system: System) -> Sequence[str]:
        """The numbers of the temperatures."""
        return [str(k) for k in range(len(self.ensemble.plan.points))]

    def check_kinds(self) -> None:
        from lattice_ml.tasks.classify_committee import ClassifyCommittee

        if not issubclass(self.task.kind, ClassifyCommittee) or len(self.committee.l2) != 1:
            raise UserError(
                "workflow=label_free trains one committee: give task=classify_committee and one committee.l2."
            )
        super().check_kinds()

    def check(self) -> None:
        """Raise ``UserError`` unless one scan and one committee are given."""
        system = self.ensemble.system
        if system.control not in self.ensemble.plan.parameters or self.survey is not None:
            raise UserError("workflow=label_free reads one scan: give one ensemble and leave out the survey.")
        require_disjoint(self.ensemble, None, system)
        boundaries_of(self.committee.compare, [])
        super().check()

    def run(self, run: Run) -> None:
        """The four steps."""
        from lattice_ml.phases.truth import true_boundaries

        system = self.ensemble.system
        run.results["system"] = system.parameters()
        with run.step("sample", f"sampling {self.ensemble.name}"):
            ensemble = self.ensemble.sample_one()
            ensemble = ensemble.isel(point=np.argsort(ensemble[system.control].values))
            tell_protocols(run, {"ensemble": [(self.ensemble, ensemble)]})
        # The number of its temperature is the label of every configuration.
        numbers = np.arange(ensemble.sizes["point"])[:, None, None]
        data = label(self.data, system, ensemble, numbers, self.seed)
        held = np.sort(np.concatenate([data.replicas["val"], data.replicas["test"]]))
        part = Part("held out", system, ensemble.isel(replica=held))
        with open_loggers(self.logger, run, self.ensembles) as loggers:
            with run.step("train", f"asking {self.committee.members} nets for {system.control}"):
                (judged,) = self.judge(run, loggers, data, [part])
            with run.step("compare", "reading the indicators and holding them against the truth"):
                control = ensemble[system.control].values.astype(np.float64)
                found = judged.found[part.name]
                told = indicators(control, found.reshape(*found.shape[:2], -1, len(control)))
                truth = true_boundaries(ensemble, system, self.seed)
                tell(run, system, told, truth, boundaries_of(self.committee.compare, truth))
                captions.tell(run.figures, ("label_free",))
            with run.step("report", "writing the report"):
                publish(loggers, run)


def boundaries_of(folder: str | None, truth: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The boundaries that the nets of a finished run found at the place of these; [] where no run is given.

    Raises ``UserError`` if the folder holds no results.
    """
    if folder is None:
        return []
    try:
        rows = json.loads((Path(folder) / "results.json").read_text(encoding="utf-8"))["boundaries"]
        found = [today(row) for row in rows if row["method"] == "cnn"]
        place = place_in(truth[0]) if truth else {}
        return [row for row in found if row["value"] is not None and place_in(row) == place]
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
    place = place_in(truth[0]) if truth else {}
    rows, heights = [], {"divergence": told.divergence, "confusion": told.confusion}
    found = {method: peaks(told.middle, height, len(transitions)) for method, height in heights.items()}
    for method, (values, errors) in found.items():
        for transition, own, its in zip(transitions, values, errors, strict=True):
            known = {"value": float(own), "error": float(its)}
            outcome = known if np.isfinite(own) else {"reason": "the indicator has fewer peaks"}
            rows.append({**place, **entry(transition, system.control, method), **outcome})
    run.results["boundaries"] = [*rows, *others, *truth]
    run.results["metrics"] = {
        f"{method}_largest_distance_to_truth": {
            "value": largest(values, truth),
            "error": float(errors.max()),
            "n": len(values),
        }
        for method, (values, errors) in found.items()
    }
    save(
        run.figures,
        "label_free",
        {
            "control": told.T, "control_name": system.control, "middle": told.middle, "predicted": told.predicted,
            **heights,
            "peak_value": [values for values, _ in found.values()],
            "peak_error": [errors for _, errors in found.values()],
            "other_value": [np.nan if row["value"] is None else row["value"] for row in [*truth, *others]],
            "other_method": [*("truth" for _ in truth), *("nets with labels" for _ in others)],
        },
        label_free.draw,
    )  # fmt: skip
    captions.caption(
        run.figures,
        "label_free",
        "Transitions without labels",
        f"Nets were asked for the {system.control} of a configuration. Top: their mean answer; dotted, the right one. "
        "Middle: its slope, largest where configurations change at once. Bottom: how well those of smaller and larger "
        f"{system.control} are told apart at each value, 1 without error, 0 by guessing. Shaded: peaks with their "
        "errors; dashed: what the configurations themselves show.",
        f"Predicted {system.control}, its slope and the confusion indicator against {system.control}.",
    )


def largest(values: np.ndarray, truth: list[dict[str, Any]]) -> float | None:
    """Of |value − truth| over the transitions that both have."""
    off = [
        abs(own - row["value"])
        for own, row in zip(values, truth, strict=False)
        if row["value"] is not None and np.isfinite(own)
    ]
    return float(max(off)) if off else None
