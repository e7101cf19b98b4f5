"""Where did the net look? Five attributions of the same scores, and how far each may be believed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from lattice_ml.explain.gallery import AT_ONCE, METHODS
from lattice_ml.ground.errors import UserError
from lattice_ml.workflows.explanations.examples import Examples, channels, examples, open_room, output_number

if TYPE_CHECKING:
    from torch import Tensor

    from lattice_ml.explain.gallery import Background
    from lattice_ml.workflows.explanations.explained import Explained
    from lattice_ml.workflows.explanations.finished_run import FinishedRun

DRAWS = 3
"""Nets with weights drawn anew, for the error of the rank correlation."""


def explain_attribution(
    finished: FinishedRun,
    found: Explained,
    configurations: int = 3,
    output: str | None = None,
    methods: list[str] | None = None,
    seed: int = 0,
) -> None:
    """Attribute the score of ``output`` (default: the predicted class, or the first output) of some held-out
    configurations.

    Writes ``<run>/explain/attribution``: a figure of every configuration, and ``attribution`` in ``results.json``:
    for every method ``completeness_error`` (integrated gradients alone), ``infidelity``, ``sensitivity`` and
    ``randomised`` as ``{"value", "error", "n"}`` over configurations, and ``cascade``, the rank correlation layer by
    layer.
    """
    from lattice_ml.explain.gallery import attribute, background, completeness_error
    from lattice_ml.figures import captions
    from lattice_ml.workflows.explanations import figures as explain_figures

    chosen = list(methods or METHODS)
    for method in chosen:
        if method not in METHODS:
            raise UserError(f"there is no attribution {method!r}: give methods=[...] of {', '.join(METHODS)}.")
    if not 1 <= configurations <= AT_ONCE:
        raise UserError(
            f"configurations = {configurations} will not do, each is a picture: give 1 to {AT_ONCE}, e.g. "
            "configurations=3."
        )
    wanted = output_number(found, output)
    settings = {"configurations": configurations, "output": output, "methods": chosen, "seed": seed}
    with open_room(finished, found.system, "attribution", settings, steps=len(chosen) + 2) as run:
        with run.step("read", "reading held-out configurations"):
            sample = examples(found, 1000)
            ground = background(channels(found, sample.states))
            shown = typical(found, sample, configurations)
            x = channels(found, sample.states[shown])
            target = targets(found, x, wanted)
        told: dict[str, Any] = {}
        maps = {}
        for method in chosen:
            with run.step(method, f"{method}, and how far it may be believed"):
                maps[method] = attribute(method, found.score, x, target, ground, seed)
                told[method] = judge(found, method, x, target, maps[method], ground, seed)
        if "integrated_gradients" in chosen:
            errors = completeness_error(found.score, x, target, ground).numpy()
            told["integrated_gradients"]["completeness_error"] = _mean(errors)
        run.results["attribution"] = told
        run.results["metrics"] = {
            f"{method}: {what}": value
            for method, row in told.items()
            for what, value in row.items()
            if isinstance(value, dict)
        }
        with run.step("report", "drawing and writing the report"):
            for number, row in enumerate(shown):
                explain_figures.draw_gallery(
                    run.figures, found, number, x[number].numpy(),
                    {method: own[number].numpy() for method, own in maps.items()},
                    found.outputs[int(target[number])], sample.points[row],
                )  # fmt: skip
            explain_figures.draw_trust(run.figures, told)
            captions.tell(run.figures, ("trust",))
        run.show_end(run.finish())


def typical(found: Explained, sample: Examples, count: int) -> list[int]:
    """Numbers of configurations at points spread over the control parameter, the last of each in the middle of its
    phase.

    Of a classifier one of every phase that it sees, at the median control parameter of those; else ``count``
    quantiles.
    """
    control = sample.parameter(found.system.control)
    if found.classes:
        predicted = found.task.probabilities(sample.states).argmax(axis=1)
        groups = [np.flatnonzero(predicted == phase) for phase in range(len(found.outputs))]
        groups = [own for own in groups if len(own)]
        middles = [own[np.argmin(np.abs(control[own] - np.median(control[own])))] for own in groups]
        return [int(k) for k in middles][: max(count, 1)]
    order = np.argsort(control, kind="stable")
    return [int(order[k]) for k in np.linspace(0, len(order) - 1, max(count, 2)).round().astype(int)][:count]


def targets(found: Explained, x: Tensor, wanted: int | None) -> Tensor:
    """The output to explain of every configuration, int64 ``[batch]``."""
    import torch

    if wanted is not None or not found.classes:
        return torch.full((len(x),), wanted or 0)
    with torch.no_grad():  # not inference mode: gradients are taken with it
        return found.score(x).argmax(dim=1)


def judge(
    found: Explained, method: str, x: Tensor, target: Tensor, attribution: Tensor, ground: Background, seed: int
) -> dict[str, Any]:
    """The row of a method in the table of trust."""
    from lattice_ml.explain.faithfulness import infidelity, randomised, rank_correlation, sensitivity
    from lattice_ml.explain.gallery import attribute

    def explain(score: Any, inputs: Tensor) -> Tensor:
        return attribute(method, score, inputs, target, ground, seed)

    nets = list(enumerate(name for name, _ in randomised(found.score)))
    cascade, final = {}, []
    for draw in range(DRAWS):
        for (number, name), (_, net) in zip(nets, randomised(found.score, seed + draw), strict=True):
            if draw and number + 1 < len(nets):
                continue  # on the way to a net that is new altogether
            alike = rank_correlation(attribution, explain(net, x))
            cascade.setdefault(name, float(alike.mean()))
        final.append(alike)
    return {
        "infidelity": _mean(infidelity(found.score, x, target, attribution, ground, seed).numpy()),
        "sensitivity": _mean(sensitivity(explain, found.score, x, ground, seed).numpy()),
        "randomised": _mean(np.concatenate(final)),
        "cascade": cascade,
    }


def _mean(values: np.ndarray) -> dict[str, Any]:
    error = float(values.std(ddof=1) / np.sqrt(len(values))) if len(values) > 1 else None
    return {"value": float(values.mean()), "error": error, "n": len(values)}
