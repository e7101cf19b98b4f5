"""What a configuration is in few numbers: an autoencoder of any kind, its latents and its prior.

sample -> train -> ask what the latents tell -> turn each, walk between two configurations -> compare draws from the
prior with the ensemble -> train with other numbers of latents -> report.
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
from lattice_ml.workflows.latents.encoding import Encoding
from lattice_ml.workflows.latents.figures import draw_interpolation, draw_prior, draw_training, draw_traversals
from lattice_ml.workflows.latents.settings import LatentSettings
from lattice_ml.workflows.latents.steps import HeldOut, tell_latents

if TYPE_CHECKING:
    from torch import nn

    from lattice_ml.data.configurations import Configurations
    from lattice_ml.systems.base import System
    from lattice_ml.tasks.autoencode import Autoencode

STORY = (
    "information", "traversals", "interpolation", "dimensions", "prior", "latent_plane", "entanglement", "training",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Latents(Encoding):
    """model: the net, given ``in_channels``, ``extents`` and the ``outputs`` of the likelihood. task: ``Autoencode`` of
    any kind, given ``net``, ``system`` and ``likelihood``.
    """

    task: Recipe[Autoencode]

    @property
    def steps(self) -> int:
        return 4 + self.has_prior + bool(self.latents.dimensions)

    @property
    def has_prior(self) -> bool:
        """A plain autoencoder has none that anything could be drawn from."""
        from lattice_ml.tasks.autoencode import VariationalAutoencode

        return issubclass(self.task.kind, VariationalAutoencode)

    def check(self) -> None:
        from lattice_ml.tasks.autoencode import Autoencode

        if not issubclass(self.task.kind, Autoencode):
            raise UserError(f"{self.task.name} has no latents to draw from: give task=autoencoder, vae or beta_vae.")
        super().check()

    def prepare(self) -> None:
        self.fresh_net(self.ensemble.system, outputs=1)  # how many a likelihood has follows from the data
        super().prepare()

    def fresh_net(self, system: System, outputs: int, latents: int | None = None) -> nn.Module:
        """The net before its training."""
        return self.model_with(latents)(in_channels=len(system.channels), extents=system.extents, outputs=outputs)

    def make(self, system: System, data: Configurations, latents: int | None = None) -> Autoencode:
        """The task on a fresh net, its likelihood read off the numbers of the training configurations."""
        from lattice_ml.nets.likelihoods import Likelihood

        likelihood = Likelihood(system.likelihood)
        seed_everything(self.seed)
        net = self.fresh_net(system, likelihood.numbers, latents)
        return self.task(net=net, system=system, likelihood=likelihood)

    def run(self, run: Run) -> None:
        system = self.ensemble.system
        run.results["system"] = system.parameters()
        with run.step("sample", f"sampling {self.ensemble.name}"):
            data, held = self.gather(run, system)
        with open_loggers(self.logger, run, self.ensembles) as loggers:
            with run.step("train", "training the autoencoder"):
                fresh = self.make(system, data)
                task, history = fit_best(self.training, run, run.folder, fresh, data, loggers)
                draw_training(run.figures, history, logarithmic=False)
                run.results["likelihood"] = dict(zip(system.species, task.likelihood.families, strict=True))
                run.results["metrics"] = measured(task, history, len(data.index["val"]))
            with run.step("explain", "asking what the latents tell"):
                told = tell_latents(run, task, held, self.latents.information, self.seed)
                run.results["metrics"] |= told if self.has_prior else {}  # a KL divergence needs one
                turn_and_walk(run, system, task, held)
            if self.has_prior:
                with run.step("prior", "comparing draws from the prior with the ensemble"):
                    compare_prior(run, system, task, held, self.latents, self.seed)
            if self.latents.dimensions:
                with run.step("dimensions", "training with other numbers of latents"):
                    self.scan(run, system, data, held, "val/loss", "loss (nats a configuration)")
            with run.step("report", "writing the report"):
                tell(run.figures, STORY)
                publish(loggers, run)


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


def turn_and_walk(run: Run, system: System, task: Autoencode, held: HeldOut) -> None:
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


def compare_prior(
    run: Run, system: System, task: Autoencode, held: HeldOut, settings: LatentSettings, seed: int
) -> None:
    """Draws from the prior beside held-out configurations: histograms, structure factors, two-sample tests.

    Two yardsticks on halves of the held-out trajectories, exchanged within their parameter point: one half against the
    other, where the test should find nothing; and one half against draws from the posteriors of the other, which leaves
    the prior out and tests the decoder. Draws from the prior belong to no point, so there all trajectories are
    exchanged: as the ensemble has equally many at every point, that p is rather too large than too small.
    """
    import torch

    from lattice_ml.explain.prior import kept_apart, summaries
    from lattice_ml.explain.two_sample import compare

    rows, per = kept_apart(held.groups, settings.prior_samples)
    latents = torch.randn(len(rows), task.net.latents, generator=torch.Generator().manual_seed(seed))
    drawn = task.draw(latents, seed)
    own, groups = held.states[rows], held.groups[rows]
    highest = [int(np.quantile(own[:, s], 0.999)) + 1 for s in range(own.shape[1])]
    lowest = [int(own[:, s].min()) for s in range(own.shape[1])]
    half = groups % 2 == 0  # every other trajectory: of two held-out replicas, one at every point
    point = groups // held.ensemble.sizes["replica"]
    torch.manual_seed(seed)
    again = task.draw(task.posteriors(held.channels[rows[~half]]).sample(), seed)
    true, false, recoded = (summaries(system, states, lowest, highest) for states in (own, drawn, again))
    dealt = np.arange(len(drawn)) // per
    tests: dict[str, Any] = {"configurations": len(rows), "per_trajectory": per}
    run.results["two_sample"] = tests
    for name in true:
        options: dict[str, Any] = {"permutations": settings.permutations, "seed": seed}
        test = compare(true[name], false[name], groups, dealt, **options)
        apart = (groups[half], groups[~half], point[half], point[~half])
        tests[name] = {
            "prior": test._asdict(),
            "posteriors": compare(true[name][half], recoded[name], *apart, **options)._asdict(),
            "halves_of_the_ensemble": compare(true[name][half], true[name][~half], *apart, **options)._asdict(),
        }
        run.results["metrics"][f"p_value_of_the_prior_{name.replace(' ', '_')}"] = {"value": test.p, "error": None}
    draw_prior(run.figures, system, own, drawn, lowest, highest, tests)
