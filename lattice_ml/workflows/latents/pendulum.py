"""The known answer of the variational encoder: does it find the frequency and the damping of a pendulum?

draw pendula -> train -> count the latents in use, and ask what each tells of omega and b / 2m -> report.
Source: R. Iten et al., Phys. Rev. Lett. 124, 010508 (2020), arXiv:1807.10300, "Damped pendulum".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from omegaconf import DictConfig

from lattice_ml.cli.runtime import build, seed_everything
from lattice_ml.figures.captions import tell
from lattice_ml.runs.fit_best import fit_best
from lattice_ml.runs.loggers import open_loggers, publish
from lattice_ml.runs.run import Run, open_run
from lattice_ml.workflows.latents.figures import draw_answers, draw_information, draw_plane, draw_training

if TYPE_CHECKING:
    from lattice_ml.data.pendulum import PendulumData
    from lattice_ml.tasks.answer_queries import AnswerQueries

STORY = ("answers", "latent_plane", "information", "training")


def rediscover_pendulum(config: DictConfig) -> None:
    """Run the four steps; raises ``UserError`` on what the user can mend."""
    from lattice_ml.data.pendulum import PendulumData

    seed_everything(config.seed)
    question = build(config.question)
    with open_run(config, steps=4) as run:
        with run.step("sample", "drawing pendula"):
            data = PendulumData(config.data.pendula, config.data.batch_size, config.seed)
            net = build(config.model, shape=data.shape, queries=question.queries, outputs=len(question.outputs))
            task: AnswerQueries = build(config.task, net=net, question=question)
            run.results["system"] = {"name": "damped pendulum", "A_0": 1.0, "m": 1.0, "b": "0.5 … 1", "kappa": "5 … 10"}
        with open_loggers(config, run) as loggers:
            with run.step("train", "training the encoder"):
                task, history = fit_best(config, run, run.folder, task, data, loggers)
                draw_training(run.figures, history, logarithmic=True)
            with run.step("explain", "asking what the latents mean"):
                explain(config, run, task, data)
            with run.step("report", "writing the report"):
                tell(run.figures, STORY)
                publish(loggers, run)
        page = run.finish()
        run.show_end(page)


def explain(config: DictConfig, run: Run, task: AnswerQueries, data: PendulumData) -> None:
    """Errors on the test pendula, the latents in use, their information, and whether they are smooth functions."""
    import torch

    from lattice_ml.data.pendulum import ASKED, SEEN, rates
    from lattice_ml.explain.latents import ACTIVE, entangled, informed, smoothness

    series, parameters = data.side("test")
    errors = task.errors(series, parameters)[:, 0]
    found = task.posteriors(series)
    torch.manual_seed(config.seed)
    drawn, means, divergence = found.sample().numpy(), found.mean.numpy(), found.divergence().mean(0).numpy()
    omega, decay = (rate.numpy() for rate in rates(parameters))
    known = {"omega": omega, "b / 2m": decay}
    method = config.latents.information
    table = informed(drawn, known, method=method, seed=config.seed)
    check = table if method == "ksg" else informed(drawn, known, method="ksg", seed=config.seed)
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
    between = entangled(drawn, method="ksg", seed=config.seed)
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
