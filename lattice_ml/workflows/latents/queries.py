"""What must be kept of a configuration to answer questions about it: the variational encoder on a lattice.

sample -> train encoder and decoder on a question -> show answers -> ask what the latents tell -> train with other
numbers of latents -> report.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from lattice_ml.figures.captions import tell
from lattice_ml.ground.errors import UserError
from lattice_ml.ground.recipe import Recipe
from lattice_ml.runs.fit_best import fit_best
from lattice_ml.runs.loggers import open_loggers, publish
from lattice_ml.runs.run import Run
from lattice_ml.runs.training import seed_everything
from lattice_ml.systems.channels import state_tensor
from lattice_ml.workflows.latents.encoding import Encoding
from lattice_ml.workflows.latents.figures import draw_answers, draw_training
from lattice_ml.workflows.latents.steps import HeldOut, tell_latents

if TYPE_CHECKING:
    from torch import nn

    from lattice_ml.data.configurations import Configurations
    from lattice_ml.data.questions import Question
    from lattice_ml.systems.base import System
    from lattice_ml.tasks.answer_queries import AnswerQueries

STORY = ("answers", "information", "dimensions", "latent_plane", "entanglement", "training")


@dataclass(frozen=True, kw_only=True)
class Queries(Encoding):
    """question: what is asked, given ``system``. model: the net, given ``shape``, ``queries`` and ``outputs``. task:
    ``AnswerQueries``, given ``net`` and ``question``.
    """

    question: Recipe[Question] | None = None
    task: Recipe[AnswerQueries]

    @property
    def steps(self) -> int:
        return 5 if self.latents.dimensions else 4

    def check(self) -> None:
        if self.question is None:
            raise UserError("no question is asked: give question=profile or question=correlation.")
        require_answers(self.task)
        super().check()

    def prepare(self) -> None:
        system = self.ensemble.system
        self.fresh_net(system, self.asked_of(system))
        super().prepare()

    def asked_of(self, system: System) -> Question:
        """The question to configurations of this system."""
        assert self.question is not None  # checked before any work
        return self.question(system=system)

    def fresh_net(self, system: System, question: Question, latents: int | None = None) -> nn.Module:
        """The net before its training."""
        shape = (len(system.channels), *system.extents)
        return self.model_with(latents)(shape=shape, queries=question.queries, outputs=len(question.outputs))

    def make(self, system: System, data: Configurations, latents: int | None = None) -> AnswerQueries:
        question = self.asked_of(system)
        seed_everything(self.seed)
        return self.task(net=self.fresh_net(system, question, latents), question=question)

    def run(self, run: Run) -> None:
        system = self.ensemble.system
        run.results["system"] = system.parameters()
        with run.step("sample", f"sampling {self.ensemble.name}"):
            data, held = self.gather(run, system)
        with open_loggers(self.logger, run, self.ensembles) as loggers:
            with run.step("train", "training the encoder on questions"):
                fresh = self.make(system, data)
                task, history = fit_best(self.training, run, run.folder, fresh, data, loggers)
                draw_training(run.figures, history, logarithmic=True)
                run.results["metrics"] = measured(task, history, held)
            with run.step("explain", "asking what the latents tell"):
                run.results["metrics"] |= tell_latents(run, task, held, self.latents.information, self.seed)
                show_answers(run, system, task, held)
            if self.latents.dimensions:
                with run.step("dimensions", "training with other numbers of latents"):
                    label = "squared error (mean square of the answers = 1)"
                    self.scan(run, system, data, held, "val/mse", label)
            with run.step("report", "writing the report"):
                tell(run.figures, STORY)
                publish(loggers, run)


def require_answers(task: Recipe[AnswerQueries]) -> None:
    """Raise ``UserError`` on a task that is asked nothing."""
    from lattice_ml.tasks.answer_queries import AnswerQueries

    if not issubclass(task.kind, AnswerQueries):
        raise UserError(f"{task.name} answers no questions: give task=answer_queries.")


def measured(task: AnswerQueries, history: list[dict[str, float]], held: HeldOut) -> dict[str, Any]:
    """Root mean squared errors of held-out answers, in their units, with the spread over trajectories."""

    squares = task.errors(held.channels, state_tensor(held.states)) ** 2
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


def show_answers(run: Run, system: System, task: AnswerQueries, held: HeldOut) -> None:
    """All answers to three held-out configurations: of the lowest, a middle and the highest control parameter."""
    import torch

    from lattice_ml.ensembles.store import points_of

    question = task.question
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
