"""Bands of a flock: what coexists in an infinite system, how fast they travel, how wide they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from lattice_ml.ensembles.store import points_of
from lattice_ml.figures import save
from lattice_ml.figures.captions import caption
from lattice_ml.phases.band import (
    Travelling,
    band_share,
    channel_profiles,
    lever_rule,
    mean_and_error,
    mean_profile,
    travel,
)
from lattice_ml.phases.binodal import Binodals, T_of, coexisting, ensemble_binodals
from lattice_ml.phases.truth import recognised
from lattice_ml.report.numbers import with_error
from lattice_ml.runs.run import Run
from lattice_ml.systems.base import Point

if TYPE_CHECKING:
    import xarray as xr

    from lattice_ml.systems.base import System

NARROWEST, WIDEST = 0.1, 0.9
"""Shares of the torus between which the lever rule is tested."""
BANDED = 0.9
"""Share of the configurations that must show a band at a temperature where its width is measured."""


class Profiles(NamedTuple):
    """Of an ensemble: its points, and of each the profiles of density and magnetisation ``[replica, sample, x]``."""

    points: list[dict[str, float]]
    density: list[np.ndarray]
    magnetisation: list[np.ndarray]


class Widths(NamedTuple):
    """Of bands of the main ensemble by temperature: the share of the torus that they fill, its standard error (nan of
    one replica), and what the lever rule of the binodals gives."""

    T: list[float]
    share: list[float]
    error: list[float]
    lever: list[float]


def measure_bands(
    run: Run,
    system: System,
    main: xr.Dataset,
    slabs: xr.Dataset,
    speed: xr.Dataset,
    densities: Sequence[float],
    seed: int,
) -> None:
    """Binodals and the boundaries they give, profiles, speed against continuity, width against the lever rule.

    main: the ensemble, whose bands' widths are measured, on the torus of ``system``. slabs: long tori, for the
    binodals. speed: read out close in time. densities: whose transition temperatures the binodals give. seed: of their
    errors.
    """
    binodals = ensemble_binodals(slabs, system)
    fast = read_profiles(speed, system)
    run.results["binodals"] = binodals.summary()
    run.results["boundaries"] = [entry for rho0 in densities for entry in T_of(binodals, rho0, system.phases, seed)]
    moving = [
        travel(rho, m, speed["time"].values[k])
        for k, (rho, m) in enumerate(zip(fast.density, fast.magnetisation, strict=True))
    ]
    drift = 2 * system.parameters()["D"] * system.parameters()["eps"]
    widths = measure_widths(main, system, binodals)
    tell_bands(run, fast.points, moving, drift, widths)
    draw_binodals(run, binodals)
    draw_profiles(run, fast, system.control)
    draw_speed(run, [point[system.control] for point in fast.points], moving, drift, widths)


def read_profiles(dataset: xr.Dataset, system: System) -> Profiles:
    """Profiles along x of every configuration, read point by point."""
    found = [channel_profiles(system, own.to_numpy()) for own in dataset["configurations"]]
    return Profiles(points_of(dataset), [one["density"] for one in found], [one["magnetisation"] for one in found])


def measure_widths(dataset: xr.Dataset, system: System, binodals: Binodals) -> Widths:
    """Widths at the temperatures at which the configurations show a band, by the system's rule if it has one."""
    seen = recognised(dataset, system)
    banded = np.ones(dataset.sizes["point"]) if seen is None else seen.mean(axis=(1, 2))[:, len(system.phases) // 2]
    rows = []
    for point, own, share in zip(points_of(dataset), dataset["configurations"], banded, strict=True):
        if share < BANDED:
            continue
        pair = coexisting(binodals, point[system.control])
        rho0 = float(own[0, 0].sum() / (own.sizes["x"] * own.sizes["y"]))
        lever = lever_rule(rho0, *pair) if pair else 0.0
        if not NARROWEST < lever < WIDEST:
            continue
        m = channel_profiles(system, own.to_numpy())["magnetisation"]
        found = [[share for one in replica if (share := band_share(one)) is not None] for replica in m]
        of_replicas = mean_and_error(np.array([np.mean(shares) for shares in found if shares]))
        if of_replicas["value"] is not None:
            rows.append((point[system.control], of_replicas["value"], _or_nan(of_replicas["error"]), lever))
    return Widths(*map(list, zip(*rows, strict=True))) if rows else Widths([], [], [], [])


def tell_bands(run: Run, points: Sequence[Point], moving: list[Travelling], drift: float, widths: Widths) -> None:
    """Metrics and tables."""
    metrics = run.results.setdefault("metrics", {})
    rows = []
    for point, one in zip(points, moving, strict=True):
        asked = one.predicted(drift)
        speed, predicted, ratio = map(mean_and_error, (one.speed, asked, one.speed / asked))
        where = ", ".join(f"{name} = {value:g}" for name, value in point.items())
        metrics[f"band_speed_at_{where}"] = speed
        if ratio["value"] is not None:
            metrics[f"band_speed_over_continuity_at_{where}"] = ratio
        rows.append([where, *(with_error(one["value"], one["error"]) for one in (speed, predicted, ratio))])
    tables = run.results.setdefault("tables", [])
    tables.append(
        {
            "title": "Band speed and continuity",
            "columns": ["point", "speed c", "v Δm / Δρ", "ratio"],
            "rows": rows,
            "note": f"v = 2 D eps = {drift:g}. Errors: scatter of replicas. The relation holds for a profile that "
            "travels without changing its shape.",
        }
    )
    if widths.T:
        difference = np.array(widths.share) - np.array(widths.lever)
        metrics["band_share_minus_lever_rule"] = mean_and_error(difference)
        tables.append(
            {
                "title": "Band width and the lever rule",
                "columns": ["T", "share of the torus", "lever rule", "difference"],
                "rows": [
                    [f"{T:g}", with_error(share, error), f"{lever:.3f}", f"{share - lever:+.3f}"]
                    for T, share, error, lever in zip(*widths, strict=True)
                ],
                "note": "The lever rule takes the densities of an infinite system; the width is that of the main "
                "ensemble, whose torus is finite, from its magnetisation.",
            }
        )
    tables.append(
        {
            "title": "Binodals",
            "columns": ["T", "gas density", "liquid density", "configurations with a band"],
            "rows": [
                [
                    f"{row['T']:g}",
                    *(with_error(row[name]["value"], row[name]["error"]) for name in ("rho_l", "rho_h")),
                    f"{row['share_of_configurations_with_a_band']:.0%}",
                ]
                for row in run.results["binodals"]
            ],
            "note": "Density plateaus of the long tori, more than 30 sites away from either edge of the band.",
        }
    )


def draw_binodals(run: Run, binodals: Binodals) -> None:
    from lattice_ml.figures.flocks import binodals as picture

    arrays: dict[str, Any] = binodals._asdict()
    arrays.pop("bands")
    save(run.figures, "binodals", arrays, picture.draw)
    caption(
        run.figures,
        "binodals",
        "Binodals of an infinite system",
        "Densities of gas and liquid that coexist, from the plateaus of bands on long tori. At a density between the "
        "two branches an infinite system holds a band. A finite torus loses its band earlier, where it would be too "
        "narrow.",
        f"Two branches of density against temperature at {len(binodals.T)} temperatures.",
    )


def draw_profiles(run: Run, profiles: Profiles, control: str) -> None:
    from lattice_ml.figures.flocks import band_profiles

    laid = [
        mean_profile(rho.reshape(-1, rho.shape[-1]), m.reshape(-1, m.shape[-1]))
        for rho, m in zip(profiles.density, profiles.magnetisation, strict=True)
    ]
    others = next(name for name in profiles.points[0] if name != control)
    arrays = {
        "profiles": np.stack([mean for mean, _ in laid]),
        "errors": np.stack([error for _, error in laid]),
        "T": [point[control] for point in profiles.points],
        "place": [point[others] for point in profiles.points],
        "place_name": others,
    }
    save(run.figures, "band_profiles", arrays, band_profiles.draw)
    caption(
        run.figures,
        "band_profiles",
        "Band profiles",
        "Mean over y and over configurations, whose bands were laid over each other by the k = 1 mode of their "
        "density; those that move to the left were mirrored. Errors treat configurations as independent, which those "
        "of one trajectory are not.",
        f"Density and magnetisation along x of bands at {len(laid)} points.",
    )


def draw_speed(run: Run, T: list[float], moving: list[Travelling], drift: float, widths: Widths) -> None:
    from lattice_ml.figures.flocks import band_speed

    speed, predicted = ([mean_and_error(row) for row in rows] for rows in zip(*_pairs(moving, drift), strict=True))
    arrays = {
        "T": T,
        **{
            name: [_or_nan(one[key]) for one in values]
            for values, names in ((speed, ("speed", "speed_error")), (predicted, ("predicted", "predicted_error")))
            for name, key in zip(names, ("value", "error"), strict=True)
        },
        "width_T": widths.T,
        "share": widths.share,
        "share_error": widths.error,
        "lever": widths.lever,
    }
    save(run.figures, "band_speed", arrays, band_speed.draw)
    caption(
        run.figures,
        "band_speed",
        "Speed and width of bands",
        "Above: speed from read-outs close in time, beside v (m_h - m_l) / (rho_h - rho_l), v = 2 D eps, of the "
        "plateaus of the same configurations. Below: the share of the torus that the bands of the main ensemble fill, "
        "from the steps of their magnetisation, beside the lever rule of the binodals.",
        "Band speed and band width against temperature.",
    )


def _pairs(moving: list[Travelling], drift: float) -> list[tuple[np.ndarray, np.ndarray]]:
    return [(one.speed, one.predicted(drift)) for one in moving]


def _or_nan(value: float | None) -> float:
    return np.nan if value is None else value
