"""Phases without labels, and the numbers behind them (Casert et al., PRE 99, 023304, figures 1, 2, 5 and 6).

sample -> embed, cluster, name -> principal components: their spectrum beside shot noise, what the leading ones say ->
the same labels from resampled data, beside the truth -> report. Nothing is trained.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from omegaconf import DictConfig

from lattice_ml.cli.runtime import build_ensemble, build_system, seed_everything
from lattice_ml.ground.errors import UserError
from lattice_ml.runs.loggers import open_loggers, publish
from lattice_ml.runs.run import Run, open_run
from lattice_ml.workflows.phase_diagram.checks import require_disjoint
from lattice_ml.workflows.unsupervised.numbers import back_project, measure_curves, measure_noise, measure_shares
from lattice_ml.workflows.unsupervised.transitions import describe_groups, describe_transitions, truth_of_resamplings

if TYPE_CHECKING:
    import xarray as xr

    from lattice_ml.phases.label import Labels
    from lattice_ml.systems.base import System

PROJECTED = (3, 7, 25)
"""Numbers of components that one configuration is made of again."""


def find_without_labels(config: DictConfig) -> None:
    """Run the steps and print the transitions. Raises ``UserError`` on what the user can mend."""
    from lattice_ml.figures import captions
    from lattice_ml.workflows.common.protocol import tell_protocols
    from lattice_ml.workflows.phase_diagram.names import name_phases
    from lattice_ml.workflows.unsupervised import figures as unsupervised_figures

    seed_everything(config.seed)
    system = build_system(config.system, config.ensemble)
    require_flock(config, system)
    with open_run(config, steps=5) as run:
        run.results["system"] = system.parameters()
        with run.step("sample", f"sampling {config.ensemble.name}"):
            ensemble = build_ensemble(config.system, config.sampler, config.ensemble)
            tell_protocols(config, run, {"ensemble": [ensemble]})
        with open_loggers(config, run) as loggers:
            with run.step("embed", "embedding without labels and naming the phases"):
                labels = name_phases(config, run, system, ensemble)
                unsupervised_figures.draw_groups(run.figures, system, labels)
            with run.step("components", "measuring principal components, shot noise and the liquid fraction"):
                run.results["metrics"] = {}
                measure_components(config, run, system, ensemble)
            with run.step("resample", f"embedding {config.unsupervised.resamplings} resampled ensembles"):
                found = resample_all(config, run, system, ensemble)
                compare(config, run, system, ensemble, labels, found)
            with run.step("report", "drawing and writing the report"):
                shown = [nearest(ensemble, system, T) for T in config.unsupervised.drawn]
                unsupervised_figures.draw_typical(run.figures, system, ensemble, shown)
                captions.tell(run.figures, unsupervised_figures.STORY)
                publish(loggers, run)
        page = run.finish()
        run.show_boundaries()
        run.show_end(page)


def require_flock(config: DictConfig, system: System) -> None:
    """Raise ``UserError`` unless the system is one whose bands are looked for, and the configuration says what for."""
    if "density" not in system.channels or not system.phases:
        raise UserError(
            f"workflow=unsupervised looks for bands of density, which {system.name} has none of: give "
            "system=active_ising."
        )
    require_disjoint(config, system)
    missing = set(config.unsupervised.groups) ^ set(system.phases)
    if missing:
        raise UserError(
            f"unsupervised.groups = {dict(config.unsupervised.groups)} does not fit the phases "
            f"{', '.join(system.phases)}: give a number of groups for each."
        )
    if len(config.unsupervised.drawn) != len(system.phases):
        raise UserError(
            f"unsupervised.drawn = {list(config.unsupervised.drawn)} are not {len(system.phases)} temperatures: give "
            f"one of each phase, {', '.join(system.phases)}."
        )


def nearest(ensemble: xr.Dataset, system: System, value: float) -> int:
    """The point whose control parameter is nearest to a value."""
    return int(np.argmin(np.abs(np.asarray(ensemble[system.control].values) - value)))


def measure_components(config: DictConfig, run: Run, system: System, ensemble: xr.Dataset) -> None:
    """The spectrum and its floor, the curves of the leading amplitudes, one configuration projected back."""
    from lattice_ml.phases.embed import order_field, principal_components
    from lattice_ml.workflows.unsupervised import figures as unsupervised_figures

    field = order_field(ensemble, system)
    matrix = field.reshape(len(field), -1)
    kept = min(config.phases.components, *matrix.shape)
    ratios, weights, mean, principal = principal_components(matrix, kept, config.phases.seed)
    shares = measure_shares(field, ensemble, config.unsupervised.components, kept)
    noise = measure_noise(field, ensemble, system)
    curves = measure_curves(ensemble, system, weights, mean, principal, config.seed)
    middle = nearest(ensemble, system, config.unsupervised.drawn[len(config.unsupervised.drawn) // 2])
    projection = back_project(field, ensemble, middle, weights, mean, principal, PROJECTED)
    run.results["metrics"] |= {**shares.metrics, **noise.metrics, **curves.metrics, **projection.metrics}
    run.results["shares"] = shares.rows
    run.results["tables"] = [shares.table]
    unsupervised_figures.draw_spectrum(run.figures, ratios, weights, shares, ensemble, system)
    unsupervised_figures.draw_planes(run.figures, principal, ensemble, system)
    unsupervised_figures.draw_curves(run.figures, curves, ensemble, system)
    unsupervised_figures.draw_projection(run.figures, projection, middle, ensemble, system)


def resample_all(config: DictConfig, run: Run, system: System, ensemble: xr.Dataset) -> list[Labels | None]:
    """The labels of every resampling, None where the plane shows no phases; each kept as soon as it is known."""
    from lattice_ml.ensembles import progress
    from lattice_ml.ensembles.store import points_of
    from lattice_ml.phases.embed import embedded_fields
    from lattice_ml.phases.label import read_observables
    from lattice_ml.phases.label_file import load_labels, save_labels
    from lattice_ml.phases.resample import resample

    room = run.folder / "resamplings"
    room.mkdir(exist_ok=True)
    found: list[Labels | None] = [load_labels(path) for path in files(config, room)]
    if all(found):
        return found
    fields, observables = embedded_fields(ensemble, system), read_observables(ensemble, system)
    shape = tuple(ensemble.sizes[name] for name in ("point", "replica", "sample"))
    settings: dict[str, Any] = {key: config.phases[key] for key in config.phases if key != "seed"}
    with progress.show("resamplings", len(found)) as report:
        for number, path in enumerate(files(config, room)):
            if found[number] is None:
                seed = seeds(config)[number]
                try:
                    labels = resample(fields, observables, points_of(ensemble), shape, system, seed, **settings)
                except UserError as error:
                    run.console.print(f"resampling {number + 1}: {error}", highlight=False, soft_wrap=True)
                else:
                    save_labels(path, labels)
                    found[number] = labels
            report(number + 1)
    return found


def seeds(config: DictConfig) -> list[int]:
    """Of the resamplings, far enough apart for each to take several."""
    return [config.phases.seed + 1000 * (number + 1) for number in range(config.unsupervised.resamplings)]


def files(config: DictConfig, room: Path) -> list[Path]:
    return [room / f"{number + 1:03d}.npz" for number in range(config.unsupervised.resamplings)]


def compare(
    config: DictConfig, run: Run, system: System, ensemble: xr.Dataset, labels: Labels, found: list[Labels | None]
) -> None:
    """Transition temperatures beside the truth, and how often the resamplings show the groups that were asked for."""
    from lattice_ml.ensembles.store import points_of
    from lattice_ml.phases.boundary import boundary_table
    from lattice_ml.phases.truth import recognised
    from lattice_ml.workflows.unsupervised import figures as unsupervised_figures

    points, member = points_of(ensemble), recognised(ensemble, system)
    truth, truths = [], [[] for _ in found]
    if member is not None:
        truth = boundary_table(points, member, system.phases, system.control, "band", config.seed)
        truths = truth_of_resamplings(member, points, system, seeds(config))
    control = np.asarray(ensemble[system.control].values, dtype=np.float64)
    transitions = describe_transitions(labels, found, truth, truths, control, ensemble.sizes["replica"], system.control)
    groups = describe_groups(labels, found, dict(config.unsupervised.groups), member)
    run.results["boundaries"] = transitions.rows
    run.results["metrics"] |= {**transitions.metrics, **groups.metrics}
    run.results["resamplings"] = groups.rows
    run.results["tables"] += [transitions.table, groups.table]
    unsupervised_figures.draw_transitions(run.figures, transitions, ensemble, system)
