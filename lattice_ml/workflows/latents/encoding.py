"""What workflows have in common that train an encoder of configurations: ensemble, settings, and how it is reopened."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lattice_ml.data.settings import DataSettings
from lattice_ml.ensembles.ensemble import Ensemble
from lattice_ml.ground.errors import UserError
from lattice_ml.ground.recipe import Recipe
from lattice_ml.runs.fit_best import fit_best
from lattice_ml.runs.run import Run
from lattice_ml.runs.training import Training
from lattice_ml.workflows.latents.settings import LatentSettings
from lattice_ml.workflows.latents.steps import (
    HeldOut,
    build_configurations,
    hold_out,
    sample,
    scan_dimensions,
)
from lattice_ml.workflows.workflow import Workflow

if TYPE_CHECKING:
    import xarray as xr
    from torch import nn

    from lattice_ml.data.configurations import Configurations
    from lattice_ml.systems.base import System
    from lattice_ml.workflows.explanations.explained import Explained


@dataclass(frozen=True, kw_only=True)
class Encoding(Workflow):
    """ensemble: whose configurations are encoded. model, task: made by ``make``. latents: what is asked of them."""

    ensemble: Ensemble
    data: DataSettings
    model: Recipe[nn.Module]
    task: Recipe[Any]
    training: Training
    latents: LatentSettings = field(default_factory=LatentSettings)

    @property
    def ensembles(self) -> dict[str, Ensemble]:
        return {"ensemble": self.ensemble}

    def check(self) -> None:
        if self.data.split is None:
            raise UserError("an encoder learns from data dealt by replica: give data=default.")

    def prepare(self) -> None:
        from lattice_ml.workflows.phase_diagram.checks import require_dealt

        require_dealt(self.data, self.ensemble, self.seed)
        self.ensemble.single.prepare()

    def make(self, system: System, data: Configurations, latents: int | None = None) -> Any:
        """The task on a fresh net, a function of the seed; ``latents``: with another number of them."""
        raise NotImplementedError

    def model_with(self, latents: int | None) -> Recipe[nn.Module]:
        """The model, with another number of latents if one is given."""
        return self.model if latents is None else self.model.but(latents=latents)

    def gather(self, run: Run, system: System) -> tuple[Configurations, HeldOut]:
        """The ensemble as batches, sampled as far as it is missing, and the part of it that no weight is fitted to."""
        ensemble = sample(self.ensemble, run, self.data.force)
        data = build_configurations(self.data, system, ensemble, self.seed)
        return data, hold_out(system, ensemble, data, self.latents.configurations)

    def scan(self, run: Run, system: System, data: Configurations, held: HeldOut, score: str, label: str) -> None:
        """Train with other numbers of latents; score, label: see ``scan_dimensions``."""

        def fit(latents: int, folder: Path) -> tuple[Any, list[dict[str, float]]]:
            return fit_best(self.training, run, folder, self.make(system, data, latents), data, [])

        scan_dimensions(run, self.latents.dimensions or [], fit, held, score, label, self.seed)

    def show(self, run: Run) -> None:
        """There are no boundaries to print."""

    def reopen(self, folder: Path, net: str | None = None) -> Explained:
        """What is explained are the latents of a configuration, the means of the posterior."""
        from lattice_ml.tasks.saved import load_into
        from lattice_ml.workflows.explanations.explained import Explained
        from lattice_ml.workflows.latents.means import LatentMeans

        system = self.ensemble.system
        data = build_configurations(self.data, system, self.ensemble.open(), self.seed)
        task = load_into(folder / "checkpoints" / "best.ckpt", self.make(system, data))
        names = tuple(f"z{k + 1}" for k in range(task.net.latents))
        return Explained(folder, system, task, LatentMeans(task).eval(), names, False, self.unseen)

    def unseen(self) -> xr.Dataset:
        """The replicas of the test."""
        from lattice_ml.workflows.phase_diagram.checks import test_replicas

        return test_replicas(self.data, self.ensemble, self.seed)
