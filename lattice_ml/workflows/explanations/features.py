"""Which physical quantities say what the net says? White boxes that imitate it, and their importances."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lattice_ml.ensembles import progress
from lattice_ml.explain.features import Features, distinct, features
from lattice_ml.explain.white_box import KINDS, build, fit_white_box
from lattice_ml.ground.errors import UserError
from lattice_ml.workflows.explanations.examples import Examples, channels, examples, open_room, output_number

if TYPE_CHECKING:
    from lattice_ml.workflows.explanations.explained import Explained
    from lattice_ml.workflows.explanations.finished_run import FinishedRun

HELD_BACK = 0.3
"""Share of the trajectories on which the imitation is tested."""


def explain_features(
    finished: FinishedRun,
    found: Explained,
    output: str | None = None,
    kinds: list[str] | None = None,
    forests: int = 10,
    seed: int = 0,
) -> None:
    """Fit white boxes to what the net says of held-out configurations (its class, or the value of ``output``), test
    how often or how closely they say the same on trajectories held back, and measure which features they need for it.

    Writes ``<run>/explain/features``: ``results.json`` holds ``fidelity`` by kind (share of equal classes, or R²),
    ``importances``, and the figures of ``workflow=white_boxes``. A faithful imitation says what the net's answer
    amounts to, not how the net computes it.
    """
    from lattice_ml.explain.importance import Sample, importances
    from lattice_ml.figures import captions
    from lattice_ml.workflows.white_boxes import figures as white_box_figures

    wanted = output_number(found, output)
    chosen: list[Any] = list(kinds or ("linear", "tree", "random_forest"))
    for kind in chosen:
        if kind not in KINDS:
            raise UserError(f"there is no white box {kind!r}: give kinds=[...] of {', '.join(KINDS)}.")
    settings = {"output": output, "kinds": chosen, "forests": forests, "seed": seed}
    with open_room(finished, found.system, "features", settings, steps=4) as run:
        with run.step("read", "reading held-out configurations and their features"):
            sample = examples(found)
            said, classify = answers(found, sample, wanted)
            table = table_of(found, sample)
            names, _ = distinct(table)
            values = table.select(names).values
            number = np.unique(sample.trajectory, axis=0, return_inverse=True)[1].ravel()
            back = np.random.default_rng(seed).random(int(number.max()) + 1) < HELD_BACK
            test = back[number]
            if test.all() or not test.any():
                raise UserError(
                    "an imitation is tested on other trajectories than it learned from: give a run with more of them."
                )
            if len(np.unique(said[~test])) < 2:
                raise UserError(
                    "the net says the same of every configuration, so there is nothing to imitate: give output=<one "
                    f"of {', '.join(found.outputs)}>, whose score is imitated instead."
                )
        with run.step("fit", f"imitating the net with {', '.join(chosen)}"):
            boxes, run.results["fidelity"] = {}, {}
            for kind in chosen:
                box = fit_white_box(
                    kind, values[~test], said[~test], number[~test], names, found.outputs if classify else (), seed
                )
                boxes[kind] = box
                own = box.estimator.score(values[test], said[test])
                run.results["fidelity"][kind] = {"value": float(own), "error": None, "n": int(test.sum())}
            run.results["metrics"] = {f"fidelity of {kind}": row for kind, row in run.results["fidelity"].items()}
        with run.step("importance", f"measuring importances with {forests} resampled forests"):
            run.results["importances"] = {}
            for name, target, rows in questions(found, said, classify, wanted, test):
                every = Sample(values, target, sample.trajectory)
                forest, _ = build("random_forest", classify, seed)
                with progress.show(f"forests for {name}", max(forests, 1)) as report:
                    parts = (every.where(rows & ~test), every.where(rows & test))
                    result = importances(forest, names, *parts, forests, seed, report)
                run.results["importances"][name] = result.summary()
        with run.step("report", "writing the report"):
            if run.results["importances"]:
                white_box_figures.draw_importances(run.figures, run.results["importances"], not classify)
            if "tree" in boxes:
                white_box_figures.draw_rules(run.figures, {"what the net says": boxes["tree"]})
            captions.tell(run.figures, white_box_figures.STORY)
        run.show_end(run.finish())


def answers(found: Explained, sample: Examples, wanted: int | None) -> tuple[np.ndarray, bool]:
    """What the net says of every configuration, and whether that is a class: int64 or float64 ``[n]``."""
    import torch

    if found.classes and wanted is None:
        return found.task.probabilities(sample.states).argmax(axis=1), True
    parts = []
    with torch.inference_mode():
        for first in range(0, len(sample.states), 256):
            parts.append(found.score(channels(found, sample.states[first : first + 256]))[:, wanted or 0].numpy())
    return np.concatenate(parts).astype(np.float64), False


def table_of(found: Explained, sample: Examples) -> Features:
    """The feature table of the examples, each at its own point."""
    parts, order = [], []
    for number in np.unique(sample.trajectory[:, 0]):
        rows = np.flatnonzero(sample.trajectory[:, 0] == number)
        parts.append(features(found.system, sample.states[rows], sample.points[rows[0]]))
        order.append(rows)
    back = np.argsort(np.concatenate(order))
    return Features(parts[0].names, np.concatenate([part.values for part in parts])[back])


def questions(
    found: Explained, said: np.ndarray, classify: bool, wanted: int | None, test: np.ndarray
) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """(name, target, rows): the output; or every two neighbouring classes of which the net names both, on either side
    of what is imitated and what is held back (``test``)."""
    if not classify:
        return [(found.outputs[wanted or 0], said, np.ones(len(said), dtype=bool))]
    asked = []
    for low in range(len(found.outputs) - 1):
        rows = np.isin(said, (low, low + 1))
        if all(len(np.unique(said[rows & side])) == 2 for side in (~test, test)):
            asked.append((f"{found.outputs[low]}|{found.outputs[low + 1]}", said == low + 1, rows))
    return asked
