"""Where do nets look that were trained at many densities? Saliency and first kernels for each strength of the L2 term.

sample -> every configuration labelled by the phase that it shows (``phases/truth.py``: no net, no cluster) -> a
committee for each strength, trained at all densities at once -> accuracy, saliency against the edges of bands, kernels
and architecture on an ensemble that was not trained on -> report.

Source of the question: Casert et al., PRE 99, 023304 (2019), Figs. 4 and 8, whose net was trained at all densities.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lattice_ml.ensembles.ensemble import Ensemble
from lattice_ml.ground.errors import UserError
from lattice_ml.runs.loggers import open_loggers, publish
from lattice_ml.runs.run import Run
from lattice_ml.workflows.committee.committees import Committees
from lattice_ml.workflows.committee.parts import Judged, Part
from lattice_ml.workflows.committee.reopened import best_net
from lattice_ml.workflows.common.protocol import tell_protocols
from lattice_ml.workflows.phase_diagram.checks import require_apart
from lattice_ml.workflows.phase_diagram.training import label

if TYPE_CHECKING:
    import xarray as xr

    from lattice_ml.systems.base import System
    from lattice_ml.workflows.explanations.explained import Explained

STORY = ("saliency_nets", "kernels", "architecture", "training")


@dataclass(frozen=True, kw_only=True)
class DensitySaliency(Committees):
    """ensemble: of several scans, on all of which the nets are trained. survey: where they are asked."""

    @property
    def steps(self) -> int:
        return 4

    @property
    def asked(self) -> Ensemble:
        """The survey; raises ``UserError`` if there is none."""
        if self.survey is None:
            raise UserError("nets are asked about an ensemble of its own: give one, e.g. ensemble@survey=aim_rho3.")
        return self.survey

    def check(self) -> None:
        super().check()
        require_apart(self.ensemble, self.asked)

    def run(self, run: Run) -> None:
        """The four steps."""
        from lattice_ml.figures import captions
        from lattice_ml.workflows.committee.explain import explain

        system = self.ensemble.system
        run.results["system"] = system.parameters()
        with run.step("sample", f"sampling {self.ensemble.name} and {self.asked.name}"):
            training, survey = self.ensemble.sample_one(), self.asked.sample_one()
            tell_protocols(run, {"ensemble": [(self.ensemble, training)], "survey": [(self.asked, survey)]})
        data = label(self.data, system, training, shown(training, system), self.seed)
        part = Part("survey", system, survey)
        strengths = self.committee.l2
        with open_loggers(self.logger, run, self.ensembles) as loggers:
            with run.step("train", f"training {self.committee.members} nets for each lambda of {strengths}"):
                judged = self.judge(run, loggers, data, [part])
            with run.step("explain", "asking the nets where they looked"):
                explain(run, part, judged)
                tell(run, system, survey, judged)
                captions.tell(run.figures, STORY)
            with run.step("report", "writing the report"):
                publish(loggers, run)

    def show(self, run: Run) -> None:
        """There are no boundaries to print."""

    def reopen(self, folder: Path, net: str | None = None) -> Explained:
        return best_net(self, folder, net)


def shown(ensemble: xr.Dataset, system: System) -> np.ndarray:
    """The phase that each configuration shows, int64 ``[point, replica, sample]``; raises ``UserError`` where the
    system has no rule that says so."""
    from lattice_ml.phases.truth import recognised

    member = recognised(ensemble, system)
    if member is None:
        raise UserError(f"{system.name} has no rule that tells phases apart: give system=active_ising.")
    return member.argmax(axis=-1)


def tell(run: Run, system: System, survey: xr.Dataset, judged: Sequence[Judged]) -> None:
    """Accuracy on the survey and overlap with the edges of every committee, as metrics; the curves of the first."""
    from lattice_ml.workflows.committee.results import spread
    from lattice_ml.workflows.phase_diagram import figures as phase_figures

    truth = shown(survey, system)
    metrics: dict[str, Any] = {}
    for one in judged:
        right = one.found["survey"].argmax(-1) == truth
        own = spread(right.mean(axis=(1, 2, 3)))
        metrics[f"accuracy_for_l2={one.l2:g}"] = {key: own[key] for key in ("value", "error", "n")}
        if "saliency" in run.results:
            told = run.results["saliency"][f"{one.l2:g}"]
            metrics[f"saliency_on_edges_for_l2={one.l2:g}"] = told["columns"]
            metrics[f"saliency_on_density_for_l2={one.l2:g}"] = told["inside"]
        metrics[f"validation_loss_for_l2={one.l2:g}"] = {
            "value": min(row["val/best"] for row in one.history),
            "error": None,
        }
    run.results["metrics"] = metrics
    counts = np.zeros((len(system.phases),) * 2, dtype=np.int64)
    np.add.at(counts, (truth.ravel(), judged[0].found["survey"].mean(axis=0).argmax(-1).ravel()), 1)
    phase_figures.draw_training(run.figures, judged[0].history, counts, system.phases)
