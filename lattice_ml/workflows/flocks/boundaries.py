"""Boundaries of one scan under several rules, beside the spinodals of the mean-field theory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from lattice_ml.figures import save
from lattice_ml.figures.captions import caption
from lattice_ml.ground.boundary_rows import place_in
from lattice_ml.phases.common_rule import boundaries_by_one_rule
from lattice_ml.report.numbers import with_error
from lattice_ml.runs.run import Run
from lattice_ml.systems.active_ising.mean_field import spinodals

if TYPE_CHECKING:
    import xarray as xr

    from lattice_ml.systems.base import System


def measure_boundaries(
    run: Run, system: System, rules: Sequence[dict[str, float]], sampled: Mapping[str, xr.Dataset], seed: int
) -> None:
    """Boundaries with their errors, the width of the window between them, and the theory's.

    system: on the torus of all; what a band is depends on neither eps nor D. rules: eps and D of each. sampled: the
    ensemble under each, in the same order, by the rule's name. seed: of the bootstrap.
    """
    tables = boundaries_by_one_rule(list(sampled.values()), system, list(sampled), seed)
    run.results["boundaries"] = [
        {**place_in(row), **rule, **row} for rule, rows in zip(rules, tables, strict=True) for row in rows
    ]
    run.results["theory"], run.results["metrics"] = [], {}
    shown, arrays = [], {name: [] for name in ("activity", "low", "low_error", "high", "high_error", "label")}
    for name, rule, (low, high, *_) in zip(sampled, rules, tables, strict=True):
        rho0, activity = low["rho0"], 4 * rule["D"] * rule["eps"] ** 2
        expected = spinodals(rho0, activity)
        width = None if low["value"] is None or high["value"] is None else high["value"] - low["value"]
        known = width is not None and None not in (low["error"], high["error"])
        error = float(np.hypot(low["error"], high["error"])) if known else None
        run.results["theory"].append({**rule, "v2_over_D": activity, "rho0": rho0, **expected._asdict()})
        run.results["metrics"][f"width_of_the_band's_window_at_{name}"] = {"value": width, "error": error}
        theory = [f"{value:.3f}" for value in expected]
        shown.append(
            [
                name,
                f"{activity:.3g}",
                with_error(low["value"], low["error"]),
                with_error(high["value"], high["error"]),
                with_error(width, error),
                *theory,
            ]
        )
        for key, value in zip(
            arrays, (activity, low["value"], low["error"], high["value"], high["error"], name), strict=True
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
    draw(run, arrays, float(run.results["theory"][0]["rho0"]))


def draw(run: Run, arrays: dict[str, list[Any]], rho0: float) -> None:
    """Boundaries against activity with the theory's lines; arrays: see ``figures/flocks/activity.py``, one value a
    rule. rho0: the density of all."""
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
        f"Two boundaries for {len(arrays['label'])} rules, and two lines of the theory.",
    )
