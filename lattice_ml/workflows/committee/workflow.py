"""Phase boundaries by committees of nets beside the independent truth: how far does a net carry that saw one density?

sample -> embed and name the phases without labels -> train a committee for each strength of the L2 term -> boundaries
of every member at other densities and on other tori, beside what the configurations themselves say -> report.

Source of the question: Casert et al., PRE 99, 023304 (2019), Sec. V.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lattice_ml.ensembles.ensemble import Ensemble
from lattice_ml.ground.boundary_rows import place_in
from lattice_ml.ground.errors import UserError
from lattice_ml.phases.settings import Naming
from lattice_ml.runs.loggers import open_loggers, publish
from lattice_ml.runs.run import Run
from lattice_ml.workflows.committee.committees import Committees
from lattice_ml.workflows.committee.parts import Judged, Part
from lattice_ml.workflows.committee.reopened import best_net
from lattice_ml.workflows.common.protocol import on_torus, tell_protocols
from lattice_ml.workflows.phase_diagram.checks import require_disjoint
from lattice_ml.workflows.phase_diagram.names import name_phases
from lattice_ml.workflows.phase_diagram.training import label_by_point

if TYPE_CHECKING:
    import xarray as xr

    from lattice_ml.phases.binodal import Binodals
    from lattice_ml.phases.label import Labels
    from lattice_ml.workflows.explanations.explained import Explained

SLABS = "ensembles.slabs"
"""The role of the ensemble of long tori, whose bands tell the boundaries of an infinite system; no net is asked there.
"""


@dataclass(frozen=True, kw_only=True)
class CommitteeBoundaries(Committees):
    """ensemble: one scan along the system's control parameter, on which phases are named and the nets are trained.
    survey, further: where their boundaries are held against the truth, further ones also on other tori, but for
    ``SLABS``. phases: how they are named.
    """

    further: Mapping[str, Ensemble] = field(default_factory=dict)
    phases: Naming = field(default_factory=Naming)

    @property
    def steps(self) -> int:
        return 6

    @property
    def ensembles(self) -> dict[str, Ensemble]:
        return {**super().ensembles, **self.further}

    def check(self) -> None:
        super().check()
        if self.survey is None:
            raise UserError("committees are compared on a survey: give one, e.g. ensemble@survey=aim_boundaries.")

    def prepare(self) -> None:
        require_disjoint(self.ensemble, self.survey, self.ensemble.system)
        super().prepare()

    def run(self, run: Run) -> None:
        """The six steps."""
        from lattice_ml.figures import captions
        from lattice_ml.ground.checkpoints import keep_threads
        from lattice_ml.workflows.committee import figures as committee_figures
        from lattice_ml.workflows.committee.explain import explain

        system = self.ensemble.system
        run.results["system"] = system.parameters()
        names = " and ".join(ensemble.name for ensemble in self.ensembles.values())
        with run.step("sample", f"sampling {names}"), keep_threads():
            sampled = {role: [(one, own) for own in one.sample()] for role, one in self.ensembles.items()}
            tell_protocols(run, sampled)
        ((_, training),) = sampled.pop("ensemble")
        with run.step("embed", "embedding without labels and naming the phases"), keep_threads():
            labels = name_phases(self.phases, run, system, training, self.data.memory)
        data = label_by_point(self.data, system, training, labels, self.seed)
        slabs = sampled.pop(SLABS, [])
        parts = [Part("test", system, training.isel(replica=data.replicas["test"]))]
        for role, tori in sampled.items():
            parts += [Part(f"{role}{torus(own)}", on_torus(ensemble, own), own) for ensemble, own in tori]
        strengths = ", ".join(f"{l2:g}" for l2 in self.committee.l2)
        with open_loggers(self.logger, run, self.ensembles) as loggers:
            with run.step("train", f"training {self.committee.members} nets for each lambda of {strengths}"):
                judged = self.judge(run, loggers, data, parts)
            with run.step("compare", "finding boundaries and holding them against the truth"):
                compare_and_draw(run, parts, judged, labels, infinite(run, slabs), self.seed)
            with run.step("explain", "asking the nets where they looked"):
                explain(run, parts[0], judged)
                captions.tell(run.figures, committee_figures.STORY)
            with run.step("report", "writing the report"):
                publish(loggers, run)

    def reopen(self, folder: Path, net: str | None = None) -> Explained:
        return best_net(self, folder, net)


def torus(ensemble: xr.Dataset) -> str:
    """`` on 162 x 162``, of an ensemble's own torus."""
    return f" on {ensemble.sizes['x']} x {ensemble.sizes['y']}"


def infinite(run: Run, slabs: Sequence[tuple[Ensemble, xr.Dataset]]) -> Binodals | None:
    """The binodals that the bands on the first of long tori tell; None, with a word why, where there are none."""
    from lattice_ml.phases.binodal import ensemble_binodals

    for ensemble, own in slabs[:1]:
        try:
            return ensemble_binodals(own, on_torus(ensemble, own))
        except ValueError as error:
            run.console.print(f"no binodals: {error}", highlight=False)
    return None


def compare_and_draw(
    run: Run, parts: list[Part], judged: list[Judged], labels: Labels, binodals: Binodals | None, seed: int
) -> None:
    """Fill the results and draw; the boundaries of the first committee are the run's, beside those of the truth."""
    from lattice_ml.phases.truth import true_boundaries
    from lattice_ml.workflows.committee import figures as committee_figures
    from lattice_ml.workflows.committee.results import compare, metrics, summary

    truth = {part.name: true_boundaries(part.ensemble, part.system, seed) for part in parts}
    compared = [compare(one, parts, truth, labels, seed) for one in judged]
    here = [row for part in parts if part.system.extents == parts[0].system.extents for row in truth[part.name]]
    run.results["boundaries"] = sorted([*compared[0].boundaries, *here], key=place)
    run.results["committees"] = {f"{one.judged.l2:g}": summary(one) for one in compared}
    run.results["metrics"] = metrics(summary(compared[0]), judged[0].l2)
    committee_figures.draw(run.figures, parts, compared, labels, binodals)


def place(row: dict[str, Any]) -> list[float]:
    """The parameters of a boundary's scan."""
    return [value for _, value in sorted(place_in(row).items())]
