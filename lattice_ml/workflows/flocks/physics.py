"""What a user of a flocking model asks beside its phases, without learning.

sample -> binodals, band profiles, speed and width -> density histograms and number fluctuations -> hysteresis ->
correlation times -> report. Every number of ``results.json`` has its error from independent replicas.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from omegaconf import DictConfig

from lattice_ml.cli.runtime import build_family, build_system, ensembles, prepare_ensemble
from lattice_ml.ensembles.family import is_family
from lattice_ml.figures.captions import tell
from lattice_ml.ground.errors import UserError
from lattice_ml.runs.loggers import open_loggers, publish
from lattice_ml.runs.run import Run, open_run
from lattice_ml.workflows.flocks.bands import measure_bands
from lattice_ml.workflows.flocks.statistics import measure_correlations, measure_fluctuations, measure_hysteresis

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


def describe_flock(config: DictConfig) -> None:
    """Run the six steps; raises ``UserError`` on what the user can mend."""
    require_flock(config)
    with open_run(config, steps=6) as run:
        run.results["system"] = build_system(config.system, config.ensemble).parameters()
        with run.step("sample", "sampling " + " and ".join(part.name for part in ensembles(config).values())):
            sampled = sample(config, run)
        with open_loggers(config, run) as loggers:
            with run.step("bands", "finding binodals, speeds and widths of bands"):
                measure_bands(config, run, sampled)
            with run.step("fluctuations", "counting particles in boxes"):
                measure_fluctuations(config, run, sampled)
            with run.step("hysteresis", "comparing start states"):
                measure_hysteresis(config, run, sampled)
            with run.step("correlations", "measuring autocorrelation times"):
                measure_correlations(config, run, sampled)
            with run.step("report", "writing the report"):
                tell(run.figures, STORY)
                publish(loggers, run)
        page = run.finish()
        run.show_boundaries()
        run.show_end(page)


def require_flock(config: DictConfig) -> None:
    """Raise ``UserError``, before any work, unless the system is a flock and every ensemble is there and sound."""
    system = build_system(config.system, config.ensemble)
    if "density" not in system.channels or "magnetisation" not in system.channels:
        raise UserError(
            f"{system.name} does not flock: workflow=flock_physics wants a system with a magnetisation and a density, "
            "e.g. experiment=aim_physics."
        )
    further = config.get("ensembles") or {}
    missing = [part for part in PARTS if further.get(part) is None]
    if missing:
        raise UserError(
            f"workflow=flock_physics asks for the ensemble {missing[0]}: give e.g. "
            f"+ensemble@ensembles.{missing[0]}=aim_{missing[0]}, or experiment=aim_physics, which has all of them."
        )
    for section in ensembles(config).values():
        if is_family(section):
            raise UserError(f"the ensemble {section.name} is on several tori, and one is wanted here: give one.")
    for part in ("from_ordered", "from_random"):
        torus, own = list(further[part].extents), list(config.ensemble.extents)
        if torus != own:
            raise UserError(
                f"starts are compared on one torus, and ensembles.{part}.extents = {torus} are not those of the main "
                f"ensemble: give ensembles.{part}.extents={own}."
            )
    for section in ensembles(config).values():
        prepare_ensemble(config.system, config.sampler, section)  # last: it makes the store


def sample(config: DictConfig, run: Run) -> dict[str, xr.Dataset]:
    """Every ensemble by its part, the main one as ``ensemble``; the protocol of each goes into the results."""
    from lattice_ml.workflows.common.protocol import protocol_of

    found = {
        name.removeprefix("ensembles."): build_family(config.system, config.sampler, section)
        for name, section in ensembles(config).items()
    }
    run.results["protocol"] = {part: protocol_of(*datasets) for part, datasets in found.items()}
    return {part: dataset for part, (dataset,) in found.items()}
