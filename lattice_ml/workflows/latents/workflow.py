"""What a configuration is in few numbers: an autoencoder of any kind, its latents and its prior.

sample -> train -> ask what the latents tell -> turn each, walk between two configurations -> compare draws from the
prior with the ensemble -> train with other numbers of latents -> report.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from hydra.utils import get_class
from omegaconf import DictConfig

from lattice_ml.cli.runtime import build, build_system, seed_everything
from lattice_ml.figures.captions import tell
from lattice_ml.ground.errors import UserError
from lattice_ml.runs.fit_best import fit_best
from lattice_ml.runs.loggers import open_loggers, publish
from lattice_ml.runs.run import Run, open_run
from lattice_ml.workflows.latents.figures import draw_interpolation, draw_prior, draw_training, draw_traversals
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
    from lattice_ml.systems.base import System
    from lattice_ml.tasks.autoencode import Autoencode

STORY = (
    "information", "traversals", "interpolation", "dimensions", "prior", "latent_plane", "entanglement", "training",
)  # fmt: skip


def find_latents(config: DictConfig) -> None:
    """Run the steps; raises ``UserError`` on what the user can mend."""
    seed_everything(config.seed)
    system = build_system(config.system, config.ensemble)
    if not hasattr(get_class(config.task._target_), "draw"):
        raise UserError(f"{config.task._target_} has no latents to draw from: give task=autoencoder, vae or beta_vae.")
    steps = 4 + has_prior(config) + bool(config.latents.dimensions)
    with open_run(config, steps) as run:
        run.results["system"] = system.parameters()
        with run.step("sample", f"sampling {config.ensemble.name}"):
            ensemble = sample(config, run)
            data = build_configurations(config, system, ensemble)
            held = hold_out(config, system, ensemble, data)
        with open_loggers(config, run) as loggers:
            with run.step("train", "training the autoencoder"):
                task, history = fit_best(config, run, run.folder, make(config, system, data), data, loggers)
                draw_training(run.figures, history, logarithmic=False)
                run.results["likelihood"] = dict(zip(system.species, task.likelihood.families, strict=True))
                run.results["metrics"] = measured(task, history, len(data.index["val"]))
            with run.step("explain", "asking what the latents tell"):
                told = tell_latents(config, run, task, held)
                run.results["metrics"] |= told if has_prior(config) else {}  # a KL divergence needs one
                show(run, system, task, held)
            if has_prior(config):
                with run.step("prior", "comparing draws from the prior with the ensemble"):
                    compare_prior(config, run, system, task, held)
            if config.latents.dimensions:
                with run.step("dimensions", "training with other numbers of latents"):
                    scan_dimensions(
                        config, run, lambda k: make(config, system, data, k), data, held, "val/loss",
                        "loss (nats a configuration)",
                    )  # fmt: skip
            with run.step("report", "writing the report"):
                tell(run.figures, STORY)
                publish(loggers, run)
        page = run.finish()
        run.show_end(page)


def has_prior(config: DictConfig) -> bool:
    """A plain autoencoder has none that anything could be drawn from."""
    from lattice_ml.tasks.autoencode import VariationalAutoencode

    return issubclass(get_class(config.task._target_), VariationalAutoencode)


def make(config: DictConfig, system: System, data: Configurations, latents: int | None = None) -> Autoencode:
    """The task on a fresh net, its likelihood that of the system."""
    from lattice_ml.nets.likelihoods import Likelihood

    likelihood = Likelihood(system.likelihood)
    section = config.model.copy()
    if latents is not None:
        section.latents = latents
    seed_everything(config.seed)
    net = build(section, in_channels=data.in_channels, extents=data.extents, outputs=likelihood.numbers)
    return build(config.task, net=net, system=system, likelihood=likelihood)


def measured(task: Autoencode, history: list[dict[str, float]], configurations: int) -> dict[str, Any]:
    """The best epoch of the validation, in nats a configuration."""
    best = min(history, key=lambda row: row["val/loss"])
    return {
        "validation_loss": {"value": best["val/loss"], "error": None, "n": configurations},
        "validation_reconstruction": {"value": best["val/reconstruction"], "error": None},
        "validation_KL": {"value": best["val/kl"], "error": None},
        "parameters": {"value": sum(p.numel() for p in task.net.parameters()), "error": None},
        "best_epoch": {"value": int(best["epoch"]), "error": None},
    }


def show(run: Run, system: System, task: Autoencode, held: HeldOut) -> None:
    """Each latent turned with the others in the middle, and a walk between two held-out configurations.

    The middle and a step are 0 and 1 of the prior; without one, mean and spread over held-out configurations.
    """
    import torch

    def fields(z: torch.Tensor) -> np.ndarray:
        return system.to_channels(torch.from_numpy(task.expected(z))).numpy()

    found = task.posteriors(held.channels)
    order = np.argsort(-found.divergence().mean(0).numpy())[:4]
    middle, spread = torch.zeros(task.net.latents), torch.ones(task.net.latents)
    if task.final_price == 0:
        middle, spread = found.mean.mean(0), found.mean.std(0)
    steps = np.linspace(-2, 2, 5)
    moves = torch.diag(spread)[:, None] * torch.tensor(steps, dtype=torch.float32)[:, None]
    turned = [fields(middle + moves[k]) for k in order]
    draw_traversals(run.figures, np.stack(turned), steps, [f"z{k + 1}" for k in order], system.channels)
    control = held.known.get(system.control, np.arange(len(held.states)))
    ends = [int(np.argmin(control)), int(np.argmax(control))]
    means = task.posteriors(held.channels[ends]).mean
    share = torch.linspace(0, 1, 5)[:, None]
    walk = fields(means[0] * (1 - share) + means[1] * share)
    draw_interpolation(run.figures, held.channels[ends].numpy(), walk, system, [float(control[k]) for k in ends])


def compare_prior(config: DictConfig, run: Run, system: System, task: Autoencode, held: HeldOut) -> None:
    """Draws from the prior beside held-out configurations: histograms, structure factors, two-sample tests.

    Two yardsticks on halves of the held-out trajectories, exchanged within their parameter point: one half against the
    other, where the test should find nothing; and one half against draws from the posteriors of the other, which leaves
    the prior out and tests the decoder. Draws from the prior belong to no point, so there all trajectories are
    exchanged: as the ensemble has equally many at every point, that p is rather too large than too small.
    """
    import torch

    from lattice_ml.explain.prior import kept_apart, summaries
    from lattice_ml.explain.two_sample import compare

    rows, per = kept_apart(held.groups, config.latents.prior_samples)
    latents = torch.randn(len(rows), task.net.latents, generator=torch.Generator().manual_seed(config.seed))
    drawn = task.draw(latents, config.seed)
    own, groups = held.states[rows], held.groups[rows]
    highest = [int(np.quantile(own[:, s], 0.999)) + 1 for s in range(own.shape[1])]
    lowest = [int(own[:, s].min()) for s in range(own.shape[1])]
    half = groups % 2 == 0  # every other trajectory: of two held-out replicas, one at every point
    point = groups // held.ensemble.sizes["replica"]
    torch.manual_seed(config.seed)
    again = task.draw(task.posteriors(held.channels[rows[~half]]).sample(), config.seed)
    true, false, recoded = (summaries(system, states, lowest, highest) for states in (own, drawn, again))
    dealt = np.arange(len(drawn)) // per
    tests: dict[str, Any] = {"configurations": len(rows), "per_trajectory": per}
    run.results["two_sample"] = tests
    for name in true:
        options = {"permutations": config.latents.permutations, "seed": config.seed}
        test = compare(true[name], false[name], groups, dealt, **options)
        apart = (groups[half], groups[~half], point[half], point[~half])
        tests[name] = {
            "prior": test._asdict(),
            "posteriors": compare(true[name][half], recoded[name], *apart, **options)._asdict(),
            "halves_of_the_ensemble": compare(true[name][half], true[name][~half], *apart, **options)._asdict(),
        }
        run.results["metrics"][f"p_value_of_the_prior_{name.replace(' ', '_')}"] = {"value": test.p, "error": None}
    draw_prior(run.figures, system, own, drawn, lowest, highest, tests)
