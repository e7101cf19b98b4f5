"""Fluctuations of a flock's density, its memory of the start, and how fast it forgets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lattice_ml.ensembles.store import points_of
from lattice_ml.figures import save
from lattice_ml.figures.captions import caption
from lattice_ml.ground.autocorrelation import integrated_time
from lattice_ml.phases.band import mean_and_error
from lattice_ml.phases.common_rule import boundaries_by_one_rule
from lattice_ml.phases.number_fluctuations import (
    SHORTEST,
    box_sides,
    cell_densities,
    number_fluctuations,
)
from lattice_ml.phases.observed import observed
from lattice_ml.phases.scan import standard_error
from lattice_ml.report.numbers import with_error
from lattice_ml.runs.run import Run

if TYPE_CHECKING:
    import xarray as xr

    from lattice_ml.systems.base import System

COMPARED = {
    "order": r"order $\langle|\bar m|\rangle$",
    "band_amplitude": "band amplitude",
    "lane_amplitude": "lane amplitude",
}
"""Observables that tell one start from another, as they are named in the figure."""
CORRELATED = {"order": r"order $|\bar m|$", "density_band": "band mode"}
"""Observables whose memory is measured."""
LANES = 0.1
"""Lane amplitude from which on, if it is above the band's too, a configuration is trapped in lanes."""
BINS = 60


def measure_fluctuations(
    run: Run, system: System, dataset: xr.Dataset, temperatures: Sequence[float], cell: int
) -> None:
    """Density histograms of cells of ``cell`` sites along x and y, and the exponent of number fluctuations, at the
    points of the ensemble that are nearest to the temperatures."""
    T = np.array([point[system.control] for point in points_of(dataset)])
    chosen = sorted({int(np.argmin(np.abs(T - wanted))) for wanted in temperatures})
    density = [dataset["configurations"][k].sum("species").to_numpy().astype(np.int64) for k in chosen]
    draw_histograms(run, T[chosen], density, cell)
    sides = box_sides(system.extents)
    # Where the torus has no two boxes that long, what there is.
    shortest = SHORTEST if sum(side >= SHORTEST for side in sides) > 1 else sides[0]
    found = [number_fluctuations(own, sides) for own in density]
    exponents = [mean_and_error(one.exponents(shortest)) for one in found]
    metrics = run.results.setdefault("metrics", {})
    for k, one, exponent in zip(chosen, found, exponents, strict=True):
        metrics[f"number_fluctuation_exponent_at_T_{T[k]:.2f}"] = exponent
        metrics[f"variance_over_mean_of_the_largest_box_at_T_{T[k]:.2f}"] = mean_and_error(one.fano())
    arrays = {
        "mean": found[0].mean,
        "variance": [one.variance.mean(axis=0) for one in found],
        "error": [standard_error(one.variance[None])[0] for one in found],
        "T": T[chosen],
        **{
            name: [np.nan if one[key] is None else one[key] for one in exponents]
            for name, key in (("exponent", "value"), ("exponent_error", "error"))
        },
    }
    from lattice_ml.figures.flocks import number_fluctuations as picture

    save(run.figures, "number_fluctuations", arrays, picture.draw)
    caption(
        run.figures,
        "number_fluctuations",
        "Number fluctuations",
        f"Variance of the number of particles in square boxes of 1 to {sides[-1]} sites a side, corrected for the "
        "conservation of all particles; exponents a of <dN²> ∝ <N>^a are fitted to boxes from "
        f"{shortest} sites a side on, errors from replicas. Poisson has a = 1; in a band, a box sees one phase or the "
        "other.",
        f"Variance against mean of particle numbers at {len(chosen)} temperatures.",
    )


def draw_histograms(run: Run, T: np.ndarray, density: list[np.ndarray], cell: int) -> None:
    from lattice_ml.figures.flocks import density_histograms

    cells = [cell_densities(own, cell).ravel() for own in density]
    edges = np.linspace(0, max(float(np.quantile(own, 0.999)) for own in cells), BINS + 1)
    arrays = {
        "edges": edges,
        "density": [np.histogram(own, edges)[0] / (len(own) * np.diff(edges)) for own in cells],
        "T": T,
        "cell": cell,
        "mean": density[0].mean(),
    }
    save(run.figures, "density_histograms", arrays, density_histograms.draw)
    caption(
        run.figures,
        "density_histograms",
        "Density histograms",
        f"Density of cells of {cell} × {cell} sites: one peak in a homogeneous phase, two where a band travels through "
        "a gas. The dotted line is the mean density.",
        f"Histograms of coarse-grained density at {len(T)} temperatures.",
    )


def measure_hysteresis(run: Run, system: System, parts: Sequence[xr.Dataset], seed: int) -> None:
    """Order, band and lanes from three starts; boundaries from two: the random one ends in lanes.

    parts: ensembles on the torus of ``system``, from a band, ordered and random. seed: of the boundaries' errors.
    """
    starts = [str(part.attrs["plan"]["protocol"]["start"]) for part in parts]
    seen = [observed(part, system) for part in parts]
    for rows in boundaries_by_one_rule(parts[:2], system, [f"{start} start" for start in starts[:2]], seed):
        run.results["boundaries"] += rows
    metrics = run.results.setdefault("metrics", {})
    for start, values in zip(starts, seen, strict=True):
        trapped = (values["lane_amplitude"] > LANES) & (values["lane_amplitude"] > values["band_amplitude"])
        metrics[f"share_of_configurations_in_lanes_from_the_{start}_start"] = mean_and_error(
            trapped.mean(axis=2).mean(axis=0)
        )
    longest = max(part.sizes["point"] for part in parts)
    arrays: dict[str, Any] = {
        "T": _stacked([np.asarray(part[system.control].values) for part in parts], longest),
        "means": np.stack(
            [_stacked([values[name].mean(axis=(1, 2)) for name in COMPARED], longest) for values in seen]
        ),
        "errors": np.stack(
            [_stacked([standard_error(values[name].mean(axis=2)) for name in COMPARED], longest) for values in seen]
        ),
        "starts": starts,
        "names": list(COMPARED.values()),
    }
    from lattice_ml.figures.flocks import hysteresis

    save(run.figures, "hysteresis", arrays, hysteresis.draw)
    waiting = [part.attrs["plan"]["protocol"]["waiting"] for part in parts]
    waits = ", ".join(f"{wait:g} from the {start} start" for start, wait in zip(starts, waiting, strict=True))
    caption(
        run.figures,
        "hysteresis",
        "What is remembered of the start",
        f"Order parameter, k_x = 1 mode of the magnetisation (a band) and its k_y = 1 mode (lanes that move against "
        f"each other), after waiting {waits} ({system.time_unit}). Where the starts differ, labels and boundaries are "
        "those of the protocol; errors are of few replicas.",
        "Three observables against temperature from three start states.",
    )


def measure_correlations(run: Run, system: System, dataset: xr.Dataset, main: xr.Dataset) -> None:
    """Autocorrelation times of the order parameter and of the band mode, beside the spacing of the main ensemble.

    dataset: long series on the torus of ``system``.
    """
    seen = observed(dataset, system)
    T = np.asarray(dataset[system.control].values)
    step = np.diff(dataset["time"].values, axis=1)[:, 0]
    found = {name: [integrated_time(series) for series in seen[name]] for name in CORRELATED}
    spacing = np.interp(T, *spacings(main, system.control))
    rows, listed = [], []
    for k, temperature in enumerate(T):
        taus = {name: (found[name][k].tau * step[k], found[name][k].error * step[k]) for name in CORRELATED}
        told = {
            name: {"value": tau, "error": error if np.isfinite(error) else None} for name, (tau, error) in taus.items()
        }
        listed.append({system.control: float(temperature), **told, "spacing": float(spacing[k])})
        shown = [with_error(tau, error) if np.isfinite(error) else f"> {tau:.0f}" for tau, error in taus.values()]
        slowest = max(tau for tau, _ in taus.values())
        rows.append([f"{temperature:g}", *shown, f"{spacing[k]:g}", f"{min(1.0, spacing[k] / (2 * slowest)):.0%}"])
    run.results["correlation_times"] = listed
    run.results.setdefault("tables", []).append(
        {
            "title": "Autocorrelation times",
            "columns": [
                system.control,
                "order parameter",
                "band mode",
                "spacing of the samples",
                "independent samples",
            ],
            "rows": rows,
            "note": f"Integrated times, half the spacing of the read-outs ({step.min():g}) if these are independent. "
            "The last column: spacing / (2 tau) of the slower observable, all of them at most.",
        }
    )
    arrays = {
        "T": T,
        "tau": [[one.tau * own for one, own in zip(found[name], step, strict=True)] for name in CORRELATED],
        "error": [[one.error * own for one, own in zip(found[name], step, strict=True)] for name in CORRELATED],
        "names": list(CORRELATED.values()),
        "resolution": step / 2,
        "spacing": spacing,
    }
    from lattice_ml.figures.flocks import correlation_times

    save(run.figures, "correlation_times", arrays, correlation_times.draw)
    caption(
        run.figures,
        "correlation_times",
        "Correlation times",
        f"Integrated autocorrelation times of the order parameter and of the k_x = 1 mode of the density "
        f"({system.time_unit}); open symbols are lower bounds. Samples of the main ensemble are independent where "
        "tau is below half their spacing.",
        f"Autocorrelation times at {len(T)} temperatures.",
    )


def spacings(dataset: xr.Dataset, control: str) -> tuple[np.ndarray, np.ndarray]:
    """The control parameter's values, rising, and the spacing of the samples there."""
    values = np.asarray(dataset[control].values)
    order = np.argsort(values)
    times = dataset["time"].values
    step = times[:, 1] - times[:, 0] if times.shape[1] > 1 else np.full(len(values), np.inf)
    return values[order], step[order]


def _stacked(rows: list[np.ndarray], longest: int) -> np.ndarray:
    out = np.full((len(rows), longest), np.nan)
    for row, values in zip(out, rows, strict=True):
        row[: len(values)] = values
    return out
