"""The pictures of white boxes: which arrays go into each, and its caption."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lattice_ml.figures import save
from lattice_ml.figures.captions import caption, tell
from lattice_ml.ground.boundary_rows import place_in

if TYPE_CHECKING:
    from lattice_ml.explain.white_box import WhiteBox
    from lattice_ml.runs.run import Run
    from lattice_ml.workflows.white_boxes.data import Table
    from lattice_ml.workflows.white_boxes.results import Verdict

STORY = (
    "phase_diagram",
    "importance",
    "rules",
    "accuracy",
    "errors",
    "embedding",
    "order_parameter",
    "configurations",
    "pca",
)
"""Figures in the order of the report: the answer first, then how it came about."""

DRAWN = {"impurity": 10, "permutation": 10, "family": 8}
"""Bars at most."""
NOISE = "noise"
DEEPEST = 4


def draw(
    run: Run,
    boxes: dict[str, list[WhiteBox]],
    verdicts: list[Verdict],
    tests: list[Table],
    transitions: list[dict[str, Any]],
    targets: list[str],
) -> None:
    """Every picture of a run, and its story; boxes: by kind, one for each target or one for the phases."""
    draw_importances(run.figures, run.results["importances"], bool(targets))
    if "tree" in boxes:
        draw_rules(run.figures, dict(zip(targets or ["phase"], boxes["tree"], strict=True)))
    if targets:
        draw_errors(run.figures, verdicts, targets, tests[0].system.control)
    else:
        draw_accuracies(run.figures, verdicts, tests)
        draw_diagram(run.figures, tests, run.results["boundaries"], transitions)
    tell(run.figures, STORY)


def draw_importances(folder: Path, found: Mapping[str, Any], regress: bool) -> None:
    """Importances of every question: see ``Importances.summary`` for what is in ``found``."""
    from lattice_ml.figures.explain import importance

    arrays: dict[str, Any] = {"questions": list(found)}
    for name, most in DRAWN.items():
        bars = [_ranked(one, name) for one in found.values()]
        width = min(most, max(len(own) for own in bars))
        for key, column, empty in ((name, 1, np.nan), (f"{name}_error", 2, np.nan), (f"{name}_names", 0, "")):
            rows = [[bar[column] for bar in own[:width]] for own in bars]
            arrays[key] = [row + [empty] * (width - len(row)) for row in rows]
        arrays[f"{name}_noise"] = [next(bar[1] for bar in own if bar[0] == NOISE) for own in bars]
    save(folder, "importance", arrays, importance.draw)
    what = (
        "for each observable"
        if regress
        else "for each boundary between neighbouring phases, as a problem of two classes"
    )
    caption(
        folder,
        "importance",
        "Which quantities decide",
        f"Importances of physical features to a random forest, {what}. Above: decrease of impurity in training. "
        "Middle: how much R² on held-out replicas falls when a feature is shuffled. Below: the same for families "
        "of features with rank correlation above 0.9, which stand in for one another. Bars: one standard deviation "
        "over forests fitted to resampled trajectories. Dotted: a feature of pure noise.",
        "Bar charts of feature importances: "
        + "; ".join(f"{name}: {_ranked(one, 'family')[0][0]}" for name, one in found.items()),
    )


def _ranked(found: Mapping[str, Any], name: str) -> list[tuple[str, float, float]]:
    """(name, value, error) of every bar, the largest first."""
    rows = found["families"] if name == "family" else found["features"]
    bars = []
    for row in rows:
        own = row["permutation"] if name == "family" else row[name]
        members = row["members"] if name == "family" else [row["feature"]]
        label = members[0] + (f" (+{len(members) - 1})" if len(members) > 1 else "")
        bars.append((label, own["value"], np.nan if own["error"] is None else own["error"]))
    return sorted(bars, key=lambda bar: -bar[1])


def draw_rules(folder: Path, trees: Mapping[str, WhiteBox]) -> None:
    """The questions that the decision trees ask, down to ``DEEPEST``."""
    from lattice_ml.explain.tree_in_words import tree_in_words
    from lattice_ml.figures.explain import rules

    written = [tree_in_words(box, DEEPEST) for box in trees.values()]
    save(folder, "rules", {"of": list(trees), "rules": written}, rules.draw)
    caption(
        folder,
        "rules",
        "What the tree asks",
        "The decision tree that cross-validation chose, to its fourth question. Thresholds are in the units of the "
        "features.",
        "A decision tree as text: " + " ".join(written[0].split())[:300],
    )


def draw_accuracies(folder: Path, verdicts: list[Verdict], tests: list[Table]) -> None:
    """Accuracy of every judge at every place whose labels are known."""
    from lattice_ml.figures.nets import judged_accuracy

    scores = [(v, score) for v, verdict in enumerate(verdicts) for score in verdict.scores]
    names = {name for _, score in scores for name in score.place}
    name = sorted(names)[0] if names else ""
    place = sorted({score.place.get(name, 0.0) for _, score in scores})
    accuracy, error = np.full((2, len(verdicts), len(place)), np.nan)
    for v, score in scores:
        at = place.index(score.place.get(name, 0.0))
        accuracy[v, at], error[v, at] = np.median(score.values), np.median(score.errors)
    trained = sorted({point.get(name, 0.0) for table in tests if table.part == "ensemble" for point in table.points})
    save(
        folder,
        "accuracy",
        {
            "judges": [verdict.name for verdict in verdicts],
            "place": place,
            "place_name": name,
            "accuracy": accuracy,
            "error": error,
            "trained": trained,
        },
        judged_accuracy.draw,
    )
    caption(
        folder,
        "accuracy",
        "Where they hold",
        "Accuracy on held-out replicas of the training ensemble and on ensembles elsewhere, where the labels come "
        "from clusters of each scan alone. Bars: one standard error from the spread between trajectories.",
        "Accuracy of each model at each place.",
    )


def draw_diagram(
    folder: Path, tests: list[Table], rows: list[dict[str, Any]], transitions: list[dict[str, Any]]
) -> None:
    """Boundaries of the clusters, of a forest and of the net, as far as there are places to draw them along."""
    from lattice_ml.figures.phases import phase_diagram

    names = sorted({name for row in rows for name in place_in(row)})
    chosen = [name for name in ("umap", "random_forest", "cnn") if any(row["method"] == name for row in rows)]
    if not names:
        return
    system = tests[0].system
    ordered = [row for name in chosen for row in rows if row["method"] == name]
    control = np.concatenate([[point[system.control] for point in table.points] for table in tests])
    save(
        folder,
        "phase_diagram",
        {
            "place": [row[names[0]] for row in ordered],
            "place_name": names[0],
            "value": [np.nan if row["value"] is None else row["value"] for row in ordered],
            "control_name": system.control,
            "error": [np.nan if row["error"] is None else row["error"] for row in ordered],
            "transition": [row["transition"] for row in ordered],
            "method": [row["method"] for row in ordered],
            "phases": system.phases,
            "trained": sorted({point[names[0]] for point in tests[0].points}),
            "control_range": [control.min(), control.max()],
        },
        phase_diagram.draw,
    )
    caption(
        folder,
        "phase_diagram",
        "Phase diagram",
        "Boundaries as the clusters of each scan show them (shaded), and as models that were trained at one place "
        "alone say elsewhere. Errors are those of the configurations and of the grid.",
        f"Phase diagram of {len(transitions)} transitions with the predictions of {', '.join(chosen[1:])}.",
    )


def draw_errors(folder: Path, verdicts: list[Verdict], targets: list[str], control: str) -> None:
    """Mean squared errors along the control parameter, for every part and lattice."""
    from lattice_ml.figures.nets import judged_error

    where = list(dict.fromkeys((score.part, score.torus) for verdict in verdicts for score in verdict.scores))
    values = {
        key: sorted({s.place[control] for v in verdicts for s in v.scores if (s.part, s.torus) == key}) for key in where
    }
    most = max(map(len, values.values()))
    mse = np.full((len(verdicts), len(targets), len(where), most), np.nan)
    for v, verdict in enumerate(verdicts):
        for score in verdict.scores:
            w = where.index((score.part, score.torus))
            mse[v, :, w, values[where[w]].index(score.place[control])] = np.median(score.values, axis=0)
    padded = [own + [np.nan] * (most - len(own)) for own in values.values()]
    save(
        folder,
        "errors",
        {
            "judges": [verdict.name for verdict in verdicts],
            "targets": targets,
            "where": [f"{'held out' if part == 'ensemble' else part}, {torus}" for part, torus in where],
            "control": padded,
            "control_name": control,
            "mse": mse,
        },
        judged_error.draw,
    )
    caption(
        folder,
        "errors",
        "Where they hold",
        "Mean squared error on held-out replicas of the training ensemble, on other lattices and at other "
        "couplings; of a net with several instances the median over them. A white box is fitted to features, of "
        "which none is the answer itself.",
        "Mean squared error of each model along the control parameter.",
    )
