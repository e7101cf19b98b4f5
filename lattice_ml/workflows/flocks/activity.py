"""Do the boundaries of a flock move with its activity as theory says? Several rules, one ensemble each, no learning.

sample under every rule -> name each configuration by one rule for all -> boundaries -> beside the spinodals of the
mean-field theory -> report.

Source: Solon & Tailleur, PRE 92, 042119 (2015), Secs. III and V: liquid and gas coexist ever more narrowly as v²/D
falls, and at v = 0 a continuous transition is left.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from lattice_ml.ensembles.ensemble import Ensemble
from lattice_ml.figures.captions import tell
from lattice_ml.ground.errors import UserError
from lattice_ml.runs.loggers import open_loggers, publish
from lattice_ml.runs.run import Run
from lattice_ml.systems.active_ising.physics import ActiveIsing
from lattice_ml.workflows.common.protocol import protocol_of
from lattice_ml.workflows.flocks.settings import ActivitySettings
from lattice_ml.workflows.phase_diagram.checks import require_disjoint
from lattice_ml.workflows.workflow import Workflow

KNOWN = ("eps", "D")
"""Parameters that a rule may set."""


@dataclass(frozen=True, kw_only=True)
class VaryActivity(Workflow):
    """ensemble: one scan along the control parameter, sampled anew under every rule. activity: the rules."""

    ensemble: Ensemble
    activity: ActivitySettings

    @property
    def steps(self) -> int:
        return 3

    @property
    def ensembles(self) -> dict[str, Ensemble]:
        return {"ensemble": self.ensemble}

    @property
    def rules(self) -> list[dict[str, float]]:
        """The rules, each with every one of the parameters ``KNOWN``."""
        base = self.ensemble.system
        own = {name: float(getattr(base, name)) for name in KNOWN}
        return [{**own, **given} for given in self.activity.rules]

    def check(self) -> None:
        """Raise ``UserError`` unless the theory knows the system and the rules differ in what is varied."""
        if len(self.ensemble.tori) > 1:
            raise UserError(
                "boundaries under several rules are compared on one torus: give the ensemble.extents of one."
            )
        base = self.ensemble.system
        if not isinstance(base, ActiveIsing):
            raise UserError(
                f"the theory of workflow=vary_activity is that of the Active Ising Model, not of {base.name}: give "
                "experiment=aim_eps."
            )
        require_disjoint(self.ensemble, None, base)
        unknown = [name for given in self.activity.rules for name in given if name not in KNOWN]
        if unknown:
            raise UserError(f"activity.rules sets {unknown[0]}, which is not varied: give {' and '.join(KNOWN)}.")
        if any(rule["eps"] == 0 for rule in self.rules):
            raise UserError("activity.rules holds eps = 0, where nothing drifts and no band can be: leave it out.")
        if len({name_of(rule) for rule in self.rules}) < len(self.rules):
            raise UserError("activity.rules holds a rule twice: give every one once.")

    def prepare(self) -> None:
        for rule in self.rules:
            self.under(rule).prepare()

    def under(self, rule: dict[str, float]) -> Ensemble:
        """The ensemble under a rule; its store lies beside those of the others."""
        suffix = "-".join(f"{name}{value:g}" for name, value in rule.items())
        plan, path = self.ensemble.plan, self.ensemble.path
        return replace(
            self.ensemble,
            rules=self.ensemble.rules.but(**rule),
            plan=replace(plan, name=f"{plan.name}-{suffix}"),
            paths=(path.with_name(f"{path.stem}-{suffix}{path.suffix}"),),
        )

    def run(self, run: Run) -> None:
        """The three steps."""
        from lattice_ml.workflows.flocks.boundaries import measure_boundaries

        system, rules = self.ensemble.system, self.rules
        run.results["system"] = {key: value for key, value in system.parameters().items() if key not in KNOWN}
        with run.step("sample", f"sampling {self.ensemble.name} under {len(rules)} rules"):
            sampled = {name_of(rule): self.under(rule).sample_one() for rule in rules}
            run.results["protocol"] = {name: protocol_of(one) for name, one in sampled.items()}
        with open_loggers(self.logger, run, self.ensembles) as loggers:
            with run.step("boundaries", "finding boundaries and those of the theory"):
                measure_boundaries(run, system, rules, sampled, self.seed)
            with run.step("report", "writing the report"):
                tell(run.figures, ("activity",))
                publish(loggers, run)


def name_of(rule: dict[str, float]) -> str:
    """``eps = 0.9, D = 1``."""
    return ", ".join(f"{name} = {value:g}" for name, value in rule.items())
