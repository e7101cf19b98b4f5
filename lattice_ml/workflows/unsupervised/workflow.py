"""Phases without labels, and the numbers behind them (Casert et al., PRE 99, 023304, figures 1, 2, 5 and 6).

sample -> embed, cluster, name -> principal components: their spectrum beside shot noise, what the leading ones say ->
the same labels from resampled data, beside the truth -> report. Nothing is trained.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from lattice_ml.data.settings import DataSettings
from lattice_ml.ensembles.ensemble import Ensemble
from lattice_ml.ground.errors import UserError
from lattice_ml.phases.settings import Naming
from lattice_ml.runs.loggers import open_loggers, publish
from lattice_ml.runs.run import Run
from lattice_ml.workflows.common.protocol import tell_protocols
from lattice_ml.workflows.phase_diagram.checks import require_disjoint
from lattice_ml.workflows.phase_diagram.names import name_phases
from lattice_ml.workflows.unsupervised.settings import UnsupervisedSettings
from lattice_ml.workflows.workflow import Workflow

if TYPE_CHECKING:
    import xarray as xr

    from lattice_ml.phases.label import Labels
    from lattice_ml.systems.base import System

PROJECTED = (3, 7, 25)
"""Numbers of components that one configuration is made of again."""


@dataclass(frozen=True, kw_only=True)
class WithoutLabels(Workflow):
    """ensemble: one scan along the control parameter of a flock. phases: how they are named, and how many principal
    components are kept. data: of which the memory limits how many configurations are embedded. unsupervised: what is
    asked."""

    ensemble: Ensemble
    data: DataSettings = field(default_factory=DataSettings)
    phases: Naming = field(default_factory=Naming)
    unsupervised: UnsupervisedSettings = field(default_factory=UnsupervisedSettings)

    @property
    def steps(self) -> int:
        return 5

    @property
    def ensembles(self) -> dict[str, Ensemble]:
        return {"ensemble": self.ensemble}

    def check(self) -> None:
        """Raise ``UserError`` unless the system is one whose bands are looked for, and the settings say what for."""
        system, groups, drawn = self.ensemble.system, self.unsupervised.groups, self.unsupervised.drawn
        if "density" not in system.channels or not system.phases:
            raise UserError(
                f"workflow=unsupervised looks for bands of density, which {system.name} has none of: give "
                "system=active_ising."
            )
        require_disjoint(self.ensemble, None, system)
        if set(groups) ^ set(system.phases):
            raise UserError(
                f"unsupervised.groups = {groups} does not fit the phases {', '.join(system.phases)}: give a number of "
                "groups for each."
            )
        if len(drawn) != len(system.phases):
            raise UserError(
                f"unsupervised.drawn = {drawn} are not {len(system.phases)} values of {system.control}: give one "
                f"of each phase, "
                f"{', '.join(system.phases)}."
            )

    def prepare(self) -> None:
        self.ensemble.single.prepare()

    def run(self, run: Run) -> None:
        """The five steps."""
        from lattice_ml.figures import captions
        from lattice_ml.workflows.unsupervised import figures as unsupervised_figures

        system = self.ensemble.system
        run.results["system"] = system.parameters()
        with run.step("sample", f"sampling {self.ensemble.name}"):
            ensemble = self.ensemble.sample_one()
            tell_protocols(run, {"ensemble": [(self.ensemble, ensemble)]})
        with open_loggers(self.logger, run, self.ensembles) as loggers:
            with run.step("embed", "embedding without labels and naming the phases"):
                labels = name_phases(self.phases, run, system, ensemble, self.data.memory)
                unsupervised_figures.draw_groups(run.figures, system, labels)
            with run.step("components", "measuring principal components, shot noise and the liquid fraction"):
                run.results["metrics"] = {}
                self.measure_components(run, system, ensemble)
            with run.step("resample", f"embedding {self.unsupervised.resamplings} resampled ensembles"):
                found = resample_all(self.phases, self.seeds, run, system, ensemble)
                self.compare(run, system, ensemble, labels, found)
            with run.step("report", "drawing and writing the report"):
                shown = [nearest(ensemble, system, value) for value in self.unsupervised.drawn]
                unsupervised_figures.draw_typical(run.figures, system, ensemble, shown)
                captions.tell(run.figures, unsupervised_figures.STORY)
                publish(loggers, run)

    @property
    def seeds(self) -> list[int]:
        """Of the resamplings, far enough apart for each to take several."""
        return [self.phases.seed + 1000 * (number + 1) for number in range(self.unsupervised.resamplings)]

    def measure_components(self, run: Run, system: System, ensemble: xr.Dataset) -> None:
        """The spectrum and its floor, the curves of the leading amplitudes, one configuration projected back."""
        from lattice_ml.phases.embed import order_field, principal_components
        from lattice_ml.workflows.unsupervised import figures as unsupervised_figures
        from lattice_ml.workflows.unsupervised.numbers import (
            back_project,
            measure_curves,
            measure_noise,
            measure_shares,
        )

        field = order_field(ensemble, system)
        matrix = field.reshape(len(field), -1)
        kept = min(self.phases.components, *matrix.shape)
        ratios, weights, mean, principal = principal_components(matrix, kept, self.phases.seed)
        shares = measure_shares(field, ensemble, self.unsupervised.components, kept)
        noise = measure_noise(field, ensemble, system)
        curves = measure_curves(ensemble, system, weights, mean, principal, self.seed)
        middle = nearest(ensemble, system, self.unsupervised.drawn[len(self.unsupervised.drawn) // 2])
        projection = back_project(field, ensemble, middle, weights, mean, principal, PROJECTED)
        run.results["metrics"] |= {**shares.metrics, **noise.metrics, **curves.metrics, **projection.metrics}
        run.results["shares"] = shares.rows
        run.results["tables"] = [shares.table]
        unsupervised_figures.draw_spectrum(run.figures, ratios, weights, shares, ensemble, system)
        unsupervised_figures.draw_planes(run.figures, principal, ensemble, system)
        unsupervised_figures.draw_curves(run.figures, curves, ensemble, system)
        unsupervised_figures.draw_projection(run.figures, projection, middle, ensemble, system)

    def compare(
        self, run: Run, system: System, ensemble: xr.Dataset, labels: Labels, found: list[Labels | None]
    ) -> None:
        """Transitions beside the truth, and how often the resamplings show the groups that were asked for."""
        from lattice_ml.ensembles.store import points_of
        from lattice_ml.phases.boundary import boundary_table
        from lattice_ml.phases.truth import recognised
        from lattice_ml.workflows.unsupervised import figures as unsupervised_figures
        from lattice_ml.workflows.unsupervised.transitions import (
            describe_groups,
            describe_transitions,
            truth_of_resamplings,
        )

        points, member = points_of(ensemble), recognised(ensemble, system)
        truth, truths = [], [[] for _ in found]
        if member is not None:
            truth = boundary_table(points, member, system.phases, system.control, "band", self.seed)
            truths = truth_of_resamplings(member, points, system, self.seeds)
        control = np.asarray(ensemble[system.control].values, dtype=np.float64)
        replicas = ensemble.sizes["replica"]
        transitions = describe_transitions(labels, found, truth, truths, control, replicas, system.control)
        groups = describe_groups(labels, found, self.unsupervised.groups, member)
        run.results["boundaries"] = transitions.rows
        run.results["metrics"] |= {**transitions.metrics, **groups.metrics}
        run.results["resamplings"] = groups.rows
        run.results["tables"] += [transitions.table, groups.table]
        unsupervised_figures.draw_transitions(run.figures, transitions, ensemble, system)


def nearest(ensemble: xr.Dataset, system: System, value: float) -> int:
    """The point whose control parameter is nearest to a value."""
    return int(np.argmin(np.abs(np.asarray(ensemble[system.control].values) - value)))


def resample_all(
    naming: Naming, seeds: list[int], run: Run, system: System, ensemble: xr.Dataset
) -> list[Labels | None]:
    """The labels of every resampling, None where the plane shows no phases; each kept as soon as it is known."""
    from lattice_ml.ensembles import progress
    from lattice_ml.ensembles.store import points_of
    from lattice_ml.phases.embed import embedded_fields
    from lattice_ml.phases.label import read_observables
    from lattice_ml.phases.label_file import load_labels, save_labels
    from lattice_ml.phases.resample import resample

    room = run.folder / "resamplings"
    room.mkdir(exist_ok=True)
    files = [room / f"{number + 1:03d}.npz" for number in range(len(seeds))]
    found: list[Labels | None] = [load_labels(path) for path in files]
    if all(found):
        return found
    fields, observables = embedded_fields(ensemble, system), read_observables(ensemble, system)
    shape = tuple(ensemble.sizes[name] for name in ("point", "replica", "sample"))
    settings = naming.model_dump(exclude={"seed"})
    with progress.show("resamplings", len(found)) as report:
        for number, path in enumerate(files):
            if found[number] is None:
                try:
                    labels = resample(
                        fields, observables, points_of(ensemble), shape, system, seeds[number], **settings
                    )
                except UserError as error:
                    run.console.print(f"resampling {number + 1}: {error}", highlight=False, soft_wrap=True)
                else:
                    save_labels(path, labels)
                    found[number] = labels
            report(number + 1)
    return found
