"""The known answer of the variational encoder: does it find the frequency and the damping of a pendulum?

draw pendula -> train -> count the latents in use, and ask what each tells of omega and b / 2m -> report.
Source: R. Iten et al., Phys. Rev. Lett. 124, 010508 (2020), arXiv:1807.10300, "Damped pendulum".
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from lattice_ml.data.settings import DataSettings
from lattice_ml.figures.captions import tell
from lattice_ml.ground.recipe import Recipe
from lattice_ml.runs.fit_best import fit_best
from lattice_ml.runs.loggers import open_loggers, publish
from lattice_ml.runs.run import Run
from lattice_ml.runs.training import Training
from lattice_ml.workflows.latents.figures import draw_answers, draw_information, draw_plane, draw_training
from lattice_ml.workflows.latents.queries import require_answers
from lattice_ml.workflows.latents.settings import LatentSettings
from lattice_ml.workflows.workflow import Workflow

if TYPE_CHECKING:
    from torch import nn

    from lattice_ml.data.pendulum import PendulumData, WhereWillItBe
    from lattice_ml.tasks.answer_queries import AnswerQueries

STORY = ("answers", "latent_plane", "information", "training")


@dataclass(frozen=True, kw_only=True)
class Pendulum(Workflow):
    """It draws its data itself: there is no lattice and no ensemble. question: where the pendulum will be. model: the
    net, given ``shape``, ``queries`` and ``outputs``. task: ``AnswerQueries``, given ``net`` and ``question``. latents:
    how their information is estimated.
    """

    question: Recipe[WhereWillItBe]
    data: DataSettings
    model: Recipe[nn.Module]
    task: Recipe[AnswerQueries]
    training: Training
    latents: LatentSettings = field(default_factory=LatentSettings)

    @property
    def steps(self) -> int:
        return 4

    def check(self) -> None:
        require_answers(self.task)

    def prepare(self) -> None:
        self.make(self.drawn())

    def drawn(self) -> PendulumData:
        """The pendula, a function of the seed."""
        from lattice_ml.data.pendulum import PendulumData

        settings: dict[str, Any] = {"pendula": self.data.pendula, "batch_size": self.data.batch_size}
        return PendulumData(**{name: value for name, value in settings.items() if value is not None}, seed=self.seed)

    def make(self, data: PendulumData) -> AnswerQueries:
        """The task on a fresh net."""
        question = self.question()
        net = self.model(shape=data.shape, queries=question.queries, outputs=len(question.outputs))
        return self.task(net=net, question=question)

    def run(self, run: Run) -> None:
        with run.step("sample", "drawing pendula"):
            data = self.drawn()
            fresh = self.make(data)
            run.results["system"] = {"name": "damped pendulum", "A_0": 1.0, "m": 1.0, "b": "0.5 … 1", "kappa": "5 … 10"}
        with open_loggers(self.logger, run, self.ensembles) as loggers:
            with run.step("train", "training the encoder"):
                task, history = fit_best(self.training, run, run.folder, fresh, data, loggers)
                draw_training(run.figures, history, logarithmic=True)
            with run.step("explain", "asking what the latents mean"):
                explain(run, task, data, self.latents.information, self.seed)
            with run.step("report", "writing the report"):
                tell(run.figures, STORY)
                publish(loggers, run)

    def show(self, run: Run) -> None:
        """There are no boundaries to print."""


def explain(run: Run, task: AnswerQueries, data: PendulumData, method: Literal["gmm", "ksg"], seed: int) -> None:
    """Errors on the test pendula, the latents in use, their information, and whether they are smooth functions.

    method: estimator of mutual information. seed: of it, and of the draws from the posteriors.
    """
    import torch

    from lattice_ml.data.pendulum import ASKED, SEEN, rates
    from lattice_ml.explain.latents import ACTIVE, entangled, informed, smoothness

    series, parameters = data.side("test")
    errors = task.errors(series, parameters)[:, 0]
    found = task.posteriors(series)
    torch.manual_seed(seed)
    drawn, means, divergence = found.sample().numpy(), found.mean.numpy(), found.divergence().mean(0).numpy()
    omega, decay = (rate.numpy() for rate in rates(parameters))
    known = {"omega": omega, "b / 2m": decay}
    table = informed(drawn, known, method=method, seed=seed)
    check = table if method == "ksg" else informed(drawn, known, method="ksg", seed=seed)
    active = np.flatnonzero(divergence > ACTIVE)
    plane, half = np.stack((omega, decay), axis=1), len(omega) // 2
    forth = smoothness(plane, means, slice(None, half), slice(half, None))
    back = smoothness(means[:, active], plane, slice(None, half), slice(half, None)) if len(active) else np.zeros(2)
    rmse = float(np.sqrt(np.mean(errors**2)))
    run.results["metrics"] = {
        "rmse_in_percent_of_the_amplitude": {"value": 100 * rmse, "error": None, "n": len(errors)},
        "worst_pendulum_in_percent": {"value": 100 * float(errors.max()), "error": None},
        "latents_in_use": {"value": len(active), "error": None},
        **{f"KL_of_z{k + 1}_in_nats": {"value": float(own), "error": None} for k, own in enumerate(divergence)},
        **{
            f"R2_of_z{k + 1}_as_a_cubic_of_omega_and_damping": {"value": float(forth[k]), "error": None} for k in active
        },
        "R2_of_omega_as_a_cubic_of_the_latents": {"value": float(back[0]), "error": None},
        "R2_of_damping_as_a_cubic_of_the_latents": {"value": float(back[1]), "error": None},
    }
    between = entangled(drawn, method="ksg", seed=seed)
    run.results["information"] = {
        method: table.summary(),
        "ksg": check.summary(),
        "between_latents": between.summary(),
    }
    draw_information(
        run.figures,
        "information",
        table,
        "What each latent tells",
        f"Mutual information of every latent, drawn from its posterior, with the pendulum's frequency and damping, on "
        f"{len(errors):,} test pendula. The latents in use may mix the two: any smooth map of the plane will do.",
    )
    draw_plane(
        run.figures,
        plane,
        ["angular frequency omega (1/s)", "damping rate b / 2m (1/s)"],
        means,
        [f"z{k + 1} (KL {own:.2f})" for k, own in enumerate(divergence)],
        "Mean of every latent for the test pendula, by their frequency and damping. Latents in use are smooth "
        f"functions of the two; {means.shape[1] - len(active)} of {means.shape[1]} are not in use (KL below {ACTIVE} "
        "nats).",
    )
    asked = task.question.every(series[:3], parameters[:3])
    with torch.inference_mode():
        answer = task(found.mean[:3], asked.query)
    draw_answers(
        run.figures,
        np.linspace(0, ASKED, asked.query.shape[1]),
        asked.answer.numpy(),
        answer.numpy(),
        [f"b = {b:.2f}, kappa = {kappa:.1f}" for b, kappa in parameters[:3].tolist()],
        ["x (m)"],
        "time (s)",
        "Three test pendula. The net saw the shaded times and answers for all of them.",
        SEEN,
    )
    run.console.print(
        f"RMSE {100 * rmse:.2f} % of the amplitude on {len(errors):,} unseen pendula; {len(active)} of "
        f"{means.shape[1]} latents in use",
        highlight=False,
    )
