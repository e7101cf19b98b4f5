"""Do the boundaries of a flock move with its activity as theory says? Several rules, one ensemble each, no learning.

sample under every rule -> name each configuration by one rule for all -> boundaries -> beside the spinodals of the
mean-field theory -> report.

Source: Solon & Tailleur, PRE 92, 042119 (2015), Secs. III and V: liquid and gas coexist ever more narrowly as v²/D
falls, and at v = 0 a continuous transition is left.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from omegaconf import DictConfig, OmegaConf

from lattice_ml.cli.runtime import build_ensemble, build_system, prepare_ensemble
from lattice_ml.ensembles.family import is_family
from lattice_ml.figures import save
from lattice_ml.figures.captions import caption, tell
from lattice_ml.ground.errors import UserError
from lattice_ml.phases.common_rule import boundaries_by_one_rule
from lattice_ml.report.numbers import with_error
from lattice_ml.runs.loggers import open_loggers, publish
from lattice_ml.runs.run import Run, open_run
from lattice_ml.systems.active_ising.mean_field import spinodals
from lattice_ml.systems.active_ising.physics import ActiveIsing
from lattice_ml.workflows.phase_diagram.checks import require_disjoint

if TYPE_CHECKING:
    import xarray as xr

KNOWN = ("eps", "D")
"""Parameters that a rule may set."""


def vary_activity(config: DictConfig) -> None:
    """Run the three steps; raises ``UserError`` on what the user can mend."""
    rules = require_rules(config)
    with open_run(config, steps=3) as run:
        system = build_system(config.system, config.ensemble)
        run.results["system"] = {key: value for key, value in system.parameters().items() if key not in KNOWN}
        with run.step("sample", f"sampling {config.ensemble.name} under {len(rules)} rules"):
            sampled = sample(config, run, rules)
        with open_loggers(config, run) as loggers:
            with run.step("boundaries", "finding boundaries and those of the theory"):
                measure(config, run, rules, sampled)
            with run.step("report", "writing the report"):
                tell(run.figures, ("activity",))
                publish(loggers, run)
        page = run.finish()
        run.show_boundaries()
        run.show_end(page)


def require_rules(config: DictConfig) -> list[dict[str, float]]:
    """The rules, each with every parameter; raises ``UserError``, before any work, on what would stop the run."""
    if is_family(config.ensemble):
        raise UserError("boundaries under several rules are compared on one torus: give the ensemble.extents of one.")
    base = build_system(config.system, config.ensemble)
    if not isinstance(base, ActiveIsing):
        raise UserError(
            f"the theory of workflow=vary_activity is that of the Active Ising Model, not of {base.name}: give "
            "experiment=aim_eps."
        )
    require_disjoint(config, base)
    rules: list[dict[str, float]] = []
    for given in config.activity.rules:
        unknown = [str(name) for name in given if name not in KNOWN]
        if unknown:
            raise UserError(f"activity.rules sets {unknown[0]}, which is not varied: give {' and '.join(KNOWN)}.")
        rules.append({name: float(given.get(name, getattr(base, name))) for name in KNOWN})
        if rules[-1]["eps"] == 0:
            raise UserError("activity.rules holds eps = 0, where nothing drifts and no band can be: leave it out.")
        prepare_ensemble(*under(config, rules[-1]))
    if len({name_of(rule) for rule in rules}) < len(rules):
        raise UserError("activity.rules holds a rule twice: give every one once.")
    return rules


def under(config: DictConfig, rule: dict[str, float]) -> tuple[DictConfig, DictConfig, DictConfig]:
    """System, sampler and ensemble of a rule; its store lies beside those of the others."""
    system, ensemble = (OmegaConf.to_container(config[key], resolve=True) for key in ("system", "ensemble"))
    plain: Any = ensemble
    path = Path(plain["path"])
    suffix = "-".join(f"{name}{value:g}" for name, value in rule.items())
    plain |= {"name": f"{plain['name']}-{suffix}", "path": str(path.with_name(f"{path.stem}-{suffix}{path.suffix}"))}
    return OmegaConf.create(system | rule), config.sampler, OmegaConf.create(plain)  # type: ignore[operator]


def sample(config: DictConfig, run: Run, rules: list[dict[str, float]]) -> list[xr.Dataset]:
    """The ensemble of every rule; their common protocol goes into the results."""
    from lattice_ml.workflows.common.protocol import protocol_of

    found = [build_ensemble(*under(config, rule)) for rule in rules]
    run.results["protocol"] = {name_of(rule): protocol_of(one) for rule, one in zip(rules, found, strict=True)}
    return found


def measure(config: DictConfig, run: Run, rules: list[dict[str, float]], sampled: list[xr.Dataset]) -> None:
    """Boundaries with their errors, the width of the window between them, and the theory's."""
    system = build_system(config.system, config.ensemble)
    tables = boundaries_by_one_rule(sampled, system, [name_of(rule) for rule in rules], config.seed)
    run.results["boundaries"] = [
        {**{key: value for key, value in row.items() if key == "rho0"}, **rule, **row}
        for rule, rows in zip(rules, tables, strict=True)
        for row in rows
    ]
    run.results["theory"], run.results["metrics"] = [], {}
    shown, arrays = [], {name: [] for name in ("activity", "low", "low_error", "high", "high_error", "label")}
    for rule, rows in zip(rules, tables, strict=True):
        rho0, activity = rows[0]["rho0"], 4 * rule["D"] * rule["eps"] ** 2
        expected = spinodals(rho0, activity)
        low, high = rows[0], rows[1]
        width = None if low["T"] is None or high["T"] is None else high["T"] - low["T"]
        known = width is not None and None not in (low["error"], high["error"])
        error = float(np.hypot(low["error"], high["error"])) if known else None
        run.results["theory"].append({**rule, "v2_over_D": activity, "rho0": rho0, **expected._asdict()})
        run.results["metrics"][f"width_of_the_band's_window_at_{name_of(rule)}"] = {"value": width, "error": error}
        theory = [f"{value:.3f}" for value in expected]
        shown.append(
            [
                name_of(rule),
                f"{activity:.3g}",
                with_error(low["T"], low["error"]),
                with_error(high["T"], high["error"]),
                with_error(width, error),
                *theory,
            ]
        )
        for key, value in zip(
            arrays, (activity, low["T"], low["error"], high["T"], high["error"], name_of(rule)), strict=True
        ):
            arrays[key].append(np.nan if value is None else value)
    low_name, high_name = (f"{a}|{b}" for a, b in pairwise(system.phases))
    run.results["tables"] = [
        {
            "title": "Boundaries by activity",
            "columns": [
                "rule", "v² / D", f"T({low_name})", f"T({high_name})", "window", "liquid's spinodal", "gas's spinodal",
            ],
            "rows": shown,
            "note": "A band is there or not by the system's own rule, with the same cuts for all. Spinodals are those "
            "of a mean-field theory without a fitted parameter: between them no homogeneous phase is stable.",
        }
    ]  # fmt: skip
    draw(run, arrays, shown, float(run.results["theory"][0]["rho0"]))


def draw(run: Run, arrays: dict[str, list[Any]], shown: list[list[str]], rho0: float) -> None:
    from lattice_ml.figures.flocks import activity as picture

    axis = np.linspace(0.02, 1.2 * max(arrays["activity"]), 24)
    theory = [spinodals(rho0, value) for value in axis]
    save(
        run.figures,
        "activity",
        {
            **arrays,
            "theory_activity": axis,
            "theory_low": [one.liquid for one in theory],
            "theory_high": [one.gas for one in theory],
            "place": rho0,
            "place_name": "rho0",
        },
        picture.draw,
    )
    caption(
        run.figures,
        "activity",
        "Boundaries by activity",
        "Where bands begin and end in temperature, against v² / D = 4 D eps², beside the spinodals of a "
        "mean-field theory without a fitted parameter, between which no homogeneous phase is stable and which meet as "
        "the activity vanishes. Being a mean-field theory, it overrates order.",
        f"Two boundaries for {len(shown)} rules, and two lines of the theory.",
    )


def name_of(rule: dict[str, float]) -> str:
    return ", ".join(f"{name} = {value:g}" for name, value in rule.items())
