"""What must be kept of a configuration to answer questions about it: the variational encoder on a lattice.

sample -> train encoder and decoder on a question -> show answers -> ask what the latents tell -> train with other
numbers of latents -> report.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from omegaconf import DictConfig

from lattice_ml.cli.runtime import build, build_system, seed_everything
from lattice_ml.figures.captions import tell
from lattice_ml.ground.errors import UserError
from lattice_ml.runs.fit_best import fit_best
from lattice_ml.runs.loggers import open_loggers, publish
from lattice_ml.runs.run import Run, open_run
from lattice_ml.workflows.latents.figures import draw_answers, draw_training
from lattice_ml.workflows.latents.steps import (
    HeldOut,
    build_configurations,
    hold_out,
    sample,
    scan_dimensions,
    tell_latents,
)

if TYPE_CHECKING:
    from lattice_ml.data.configurations import Configurations
    from lattice_ml.data.questions import Question
    from lattice_ml.systems.base import System
    from lattice_ml.tasks.answer_queries import AnswerQueries

STORY = ("answers", "information", "dimensions", "latent_plane", "entanglement", "training")


def answer_queries(config: DictConfig) -> None:
    """Run the steps; raises ``UserError`` on what the user can mend."""
    seed_everything(config.seed)
    system = build_system(config.system, config.ensemble)
    if config.get("question") is None:
        raise UserError("no question is asked: give question=profile or question=correlation.")
    question: Question = build(config.question, system=system)
    with open_run(config, steps=5 if config.latents.dimensions else 4) as run:
        run.results["system"] = system.parameters()
        with run.step("sample", f"sampling {config.ensemble.name}"):
            ensemble = sample(config, run)
            data = build_configurations(config, system, ensemble)
            held = hold_out(config, system, ensemble, data)
        with open_loggers(config, run) as loggers:
            with run.step("train", "training the encoder on questions"):
                task, history = fit_best(config, run, run.folder, make(config, question, data), data, loggers)
                draw_training(run.figures, history, logarithmic=True)
                run.results["metrics"] = measured(task, history, held)
            with run.step("explain", "asking what the latents tell"):
                run.results["metrics"] |= tell_latents(config, run, task, held)
                show(run, system, task, question, held)
            if config.latents.dimensions:
                with run.step("dimensions", "training with other numbers of latents"):
                    scan_dimensions(
                        config, run, lambda k: make(config, question, data, k), data, held, "val/mse",
                        "squared error (mean square of the answers = 1)",
                    )  # fmt: skip
            with run.step("report", "writing the report"):
                tell(run.figures, STORY)
                publish(loggers, run)
        page = run.finish()
        run.show_end(page)


def make(config: DictConfig, question: Question, data: Configurations, latents: int | None = None) -> AnswerQueries:
    """The task on a fresh net."""
    section = config.model.copy()
    if latents is not None:
        section.latents = latents
    seed_everything(config.seed)
    net = build(section, shape=data.shape, queries=question.queries, outputs=len(question.outputs))
    return build(config.task, net=net, question=question)


def measured(task: AnswerQueries, history: list[dict[str, float]], held: HeldOut) -> dict[str, Any]:
    """Root mean squared errors of held-out answers, in their units, with the spread over trajectories."""
    import torch

    squares = task.errors(held.channels, torch.from_numpy(held.states.astype(np.int32))) ** 2
    count = int(held.groups.max()) + 1
    best = min(history, key=lambda row: row["val/loss"])
    found: dict[str, Any] = {}
    for number, output in enumerate(task.question.outputs):
        means = np.bincount(held.groups, squares[:, number]) / np.bincount(held.groups)
        rmse = float(np.sqrt(squares[:, number].mean()))
        error = float(means.std(ddof=1) / np.sqrt(count) / (2 * rmse)) if count > 1 and rmse > 0 else None
        found[f"rmse_of_{output}"] = {"value": rmse, "error": error, "n": len(squares)}
    return {
        **found,
        "validation_mse": {"value": best["val/mse"], "error": None},
        "validation_KL_in_nats": {"value": best["val/kl"], "error": None},
        "best_epoch": {"value": int(best["epoch"]), "error": None},
    }


def show(run: Run, system: System, task: AnswerQueries, question: Question, held: HeldOut) -> None:
    """All answers to three held-out configurations: of the lowest, a middle and the highest control parameter."""
    import torch

    from lattice_ml.ensembles.store import points_of

    control = held.known.get(system.control, np.arange(len(held.states)))
    order = np.argsort(control, kind="stable")
    chosen = [int(order[0]), int(order[len(order) // 2]), int(order[-1])]
    x = held.channels[chosen]
    asked = question.every(x, torch.zeros(len(x)))
    with torch.inference_mode():
        answer = task(task.posteriors(x).mean, asked.query)
    varied = [name for name in points_of(held.ensemble)[0] if name in held.known]
    count = asked.query.shape[1]
    first = 0 if count == x.shape[2] else 1  # profiles begin at position 0, correlations at distance 1
    draw_answers(
        run.figures,
        np.arange(first, first + count),
        asked.answer.numpy(),
        answer.numpy(),
        [", ".join(f"{name} = {held.known[name][k]:.3g}" for name in varied) for k in chosen],
        question.outputs,
        getattr(question, "axis", "query"),
        "Three held-out configurations: what was asked, and what the decoder answers from the latents alone.",
    )
