"""What a user of a flocking model asks beside its phases, without learning.

sample -> binodals, band profiles, speed and width -> density histograms and number fluctuations -> hysteresis ->
correlation times -> report. Every number of ``results.json`` has its error from independent replicas.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lattice_ml.ensembles.ensemble import Ensemble
from lattice_ml.figures.captions import tell
from lattice_ml.ground.errors import UserError
from lattice_ml.runs.loggers import open_loggers, publish
from lattice_ml.runs.run import Run
from lattice_ml.workflows.common.protocol import protocol_of
from lattice_ml.workflows.flocks.settings import PhysicsSettings
from lattice_ml.workflows.phase_diagram.checks import prepare_all
from lattice_ml.workflows.workflow import Workflow

if TYPE_CHECKING:
    import xarray as xr

PARTS = ("slabs", "speed", "from_ordered", "from_random", "correlation")
"""Ensembles beside the main one, ``ensembles.<part>``."""
STORY = (
    "binodals",
    "band_profiles",
    "band_speed",
    "density_histograms",
    "number_fluctuations",
    "hysteresis",
    "correlation_times",
)


@dataclass(frozen=True, kw_only=True)
class FlockPhysics(Workflow):
    """ensemble: the flock across its transitions. further: what is asked of ensembles made for it, ``ensembles.<part>``
    of every one of ``PARTS``: slabs, long tori for the binodals; speed, read out often; from_ordered and from_random,
    other starts on the torus of ``ensemble``; correlation, long series. physics: what is asked of them.
    """

    ensemble: Ensemble
    further: Mapping[str, Ensemble] = field(default_factory=dict)
    physics: PhysicsSettings

    @property
    def steps(self) -> int:
        return 6

    @property
    def ensembles(self) -> dict[str, Ensemble]:
        return {"ensemble": self.ensemble, **self.further}

    def part(self, name: str) -> Ensemble:
        """One of ``PARTS``; raises ``UserError`` if it is not there."""
        found = self.further.get(f"ensembles.{name}")
        if found is None:
            raise UserError(
                f"workflow=flock_physics asks for the ensemble {name}: give e.g. "
                f"+ensemble@ensembles.{name}=aim_{name}, or experiment=aim_physics, which has all of them."
            )
        return found

    def check(self) -> None:
        """Raise ``UserError`` unless the system is a flock and every ensemble is there, on a torus that fits."""
        system = self.ensemble.system
        if "density" not in system.channels or "magnetisation" not in system.channels:
            raise UserError(
                f"{system.name} does not flock: workflow=flock_physics wants a system with a magnetisation and a "
                "density, e.g. experiment=aim_physics."
            )
        for name in PARTS:
            self.part(name)
        for ensemble in self.ensembles.values():
            if len(ensemble.tori) > 1:
                raise UserError(f"the ensemble {ensemble.name} is on several tori, and one is wanted here: give one.")
        (own,) = self.ensemble.tori
        for name in ("from_ordered", "from_random"):
            (torus,) = self.part(name).tori
            if torus != own:
                raise UserError(
                    f"starts are compared on one torus, and ensembles.{name}.extents = {list(torus)} are not those of "
                    f"the main ensemble: give ensembles.{name}.extents={list(own)}."
                )

    def prepare(self) -> None:
        prepare_all(self.ensembles)

    def run(self, run: Run) -> None:
        """The six steps."""
        from lattice_ml.workflows.flocks.bands import measure_bands
        from lattice_ml.workflows.flocks.statistics import (
            measure_correlations,
            measure_fluctuations,
            measure_hysteresis,
        )

        system, asked = self.ensemble.system, self.physics
        run.results["system"] = system.parameters()
        with run.step("sample", "sampling " + " and ".join(one.name for one in self.ensembles.values())):
            sampled = self.sample(run)
        main = sampled["ensemble"]
        starts = [main, sampled["from_ordered"], sampled["from_random"]]
        with open_loggers(self.logger, run, self.ensembles) as loggers:
            with run.step("bands", "finding binodals, speeds and widths of bands"):
                measure_bands(run, system, main, sampled["slabs"], sampled["speed"], asked.densities, self.seed)
            with run.step("fluctuations", "counting particles in boxes"):
                measure_fluctuations(run, system, main, asked.temperatures, asked.cell)
            with run.step("hysteresis", "comparing start states"):
                measure_hysteresis(run, system, starts, self.seed)
            with run.step("correlations", "measuring autocorrelation times"):
                measure_correlations(run, self.part("correlation").system, sampled["correlation"], main)
            with run.step("report", "writing the report"):
                tell(run.figures, STORY)
                publish(loggers, run)

    def sample(self, run: Run) -> dict[str, xr.Dataset]:
        """Every ensemble by its part, the main one as ``ensemble``; the protocol of each goes into the results."""
        found = {role.removeprefix("ensembles."): one.sample_one() for role, one in self.ensembles.items()}
        run.results["protocol"] = {part: protocol_of(dataset) for part, dataset in found.items()}
        return found
