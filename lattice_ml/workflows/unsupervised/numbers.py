"""The numbers of the workflow without labels: from an ensemble to what the report and the figures are told."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from lattice_ml.phases.scan import standard_error
from lattice_ml.report.numbers import quantity

if TYPE_CHECKING:
    import xarray as xr

    from lattice_ml.phases.mode_curves import Band, Reading
    from lattice_ml.systems.base import System

Metric = dict[str, Any]

CLAIM = 0.999
"""Share of the variance that Casert et al. state for seven components (PRE 99, 023304, Sec. III)."""


class ShareNumbers(NamedTuple):
    """eigenvalues [i] of the raw matrix; rows: of every size of blocks; density: <rho_i>, the floor; samples, sites."""

    eigenvalues: np.ndarray
    rows: list[dict[str, Any]]
    density: float
    samples: int
    sites: int
    components: int
    metrics: dict[str, Metric]
    table: dict[str, Any]


def block_sizes(extents: tuple[int, int], least: int) -> list[tuple[str, tuple[int, int]]]:
    """Blocks that tile the torus in more than ``least`` pieces: b × b sites, and lines along y."""
    common = math.gcd(*extents)
    square = [b for b in range(1, common + 1) if common % b == 0 and extents[0] * extents[1] // b**2 > least]
    named = [("1 site" if b == 1 else f"{b} × {b}", (b, b)) for b in square]
    return [*named, *([("y", (1, extents[1]))] if extents[0] > least else [])]


def measure_shares(field: np.ndarray, ensemble: xr.Dataset, components: int, kept: int) -> ShareNumbers:
    """Shares of the leading components of the raw matrix [n, x, y] and of its means over blocks, with errors."""
    from lattice_ml.phases.spectrum import coarse_grained, gram, jackknife, leading_shares, shares, spectrum

    points, replicas, samples = (ensemble.sizes[name] for name in ("point", "replica", "sample"))
    replica = np.tile(np.repeat(np.arange(replicas), samples), points)
    density = float(ensemble["configurations"][:, 0, 0].sum("species").mean())  # conserved: one sample knows it
    rows, raw = [], np.empty(0)
    for name, block in block_sizes(field.shape[1:], components):
        matrix = field.reshape(len(field), -1) if block == (1, 1) else coarse_grained(field, block)
        values = spectrum(matrix)
        raw = values if block == (1, 1) else raw
        found = shares(values, components, kept)
        if matrix.shape[1] < len(matrix) // 2:
            errors = jackknife(lambda own, m=matrix: np.array(shares(spectrum(m[own]), components, kept)), replica)
        else:
            products = gram(matrix)
            errors = jackknife(lambda own, g=products: leading_shares(g, own, components, kept), replica)
        noise = density / math.prod(block) * (matrix.shape[1] - components) / values.sum()
        row: dict[str, Any] = {"averaged over": name, "block": list(block), "columns": matrix.shape[1]}
        for key, value, error in zip(found._fields, found, errors, strict=True):
            row[key] = _metric(value, error, len(matrix))
        rows.append(row | {"shot_noise": float(noise)})
    first = rows[0]
    return ShareNumbers(
        raw, rows, density, len(field), field[0].size, components,
        {
            f"variance in {components} components": first["linear"],
            f"squared eigenvalues in {components} components": first["squared"],
            f"variance in {components} of the first {kept} components": first["of_kept"],
            "variance that is shot noise": _metric(density * field[0].size / raw.sum(), None, len(field)),
        },
        _share_table(rows, components, kept),
    )  # fmt: skip


def _share_table(rows: Sequence[dict[str, Any]], components: int, kept: int) -> dict[str, Any]:
    columns = ["averaged over", "of the variance", "of squared eigenvalues", f"of the first {kept}", "shot noise alone"]
    cells = []
    for row in rows:
        measured = [quantity(row[key]) for key in ("linear", "squared", "of_kept")]
        cells.append([row["averaged over"], *measured, f"{1 - row['shot_noise']:.4f}"])
    kinds = {"linear": "the variance", "squared": "squared eigenvalues", "of_kept": f"the first {kept}"}
    fits = [
        f"{what} (averaged over {row['averaged over']})"
        for key, what in kinds.items()
        for row in rows
        if row[key]["value"] >= CLAIM
    ]
    note = (
        "Shares with the error of a jackknife over replicas. The last column is what would be left to the leading "
        "components if counting noise were all that the others hold. Averages over time are no way out: between two "
        f"samples a band goes round the torus. At least {CLAIM:.1%}, as the paper states: {', '.join(fits) or 'none'}."
    )
    return {
        "title": f"What {components} principal components carry",
        "columns": columns,
        "rows": cells,
        "note": note,
    }


class NoiseNumbers(NamedTuple):
    metrics: dict[str, Metric]


def measure_noise(field: np.ndarray, ensemble: xr.Dataset, system: System) -> NoiseNumbers:
    """The structure factor at short waves over that of independent particles, at both ends of the scan."""
    from lattice_ml.phases.shot_noise import short_waves, structure_factor

    points, replicas = ensemble.sizes["point"], ensemble.sizes["replica"]
    density = float(ensemble["configurations"][0, 0, 0].sum("species").mean())
    short = short_waves(field.shape[1:])
    control = np.asarray(ensemble[system.control].values)
    own = field.reshape(points, -1, *field.shape[1:])
    found = {}
    for k in (int(control.argmin()), int(control.argmax())):
        each = np.array([structure_factor(one[None])[short].mean() for one in own[k]]) / density
        each = each.reshape(replicas, -1).mean(axis=1)
        error = each.std(ddof=1) / np.sqrt(len(each)) if len(each) > 1 else None
        name = f"short-wave noise over shot noise, {system.control} = {control[k]:g}"
        found[name] = _metric(each.mean(), error, len(each))
    return NoiseNumbers(found)


class CurveNumbers(NamedTuple):
    """Along the sorted control parameter; see ``figures/principal_curves.py`` for the arrays."""

    control: np.ndarray
    arrays: dict[str, Any]
    metrics: dict[str, Metric]


def measure_curves(
    ensemble: xr.Dataset, system: System, weights: np.ndarray, mean: np.ndarray, principal: np.ndarray, seed: int
) -> CurveNumbers:
    """<|p_1|> beside the order parameter, <sqrt(p_2² + p_3²)> beside the liquid fraction, with both summits."""
    from lattice_ml.ensembles.store import points_of
    from lattice_ml.phases.liquid_fraction import mode_amplitude
    from lattice_ml.phases.mode_curves import measure_band, read_with_errors

    shape = tuple(ensemble.sizes[name] for name in ("point", "replica", "sample"))
    control = np.asarray(ensemble[system.control].values, dtype=np.float64)
    order = np.argsort(control)
    particles = np.array([system.work(point) for point in points_of(ensemble)])[order]
    raw = (principal + mean @ weights.T)[:, :3].reshape(*shape, 3)[order]
    first = np.abs(raw[..., 0]) * math.sqrt(system.extents[0] * system.extents[1]) / particles[:, None, None]
    amplitude = np.hypot(raw[..., 1], raw[..., 2]).mean(axis=2)

    states = ensemble["configurations"].transpose("point", "replica", "sample", "species", "x", "y")
    profile = np.stack([states[int(k)].to_numpy().mean(axis=-1) for k in order])
    magnetisation, density = profile[..., 0, :] - profile[..., 1, :], profile[..., 0, :] + profile[..., 1, :]
    band = measure_band(magnetisation, density)
    true = np.abs(magnetisation.sum(axis=-1)) / density.sum(axis=-1)
    value, error = read_with_errors(control[order], amplitude, band, system.extents, seed)
    difference = (first.mean(axis=2) - true.mean(axis=2)).mean(axis=1)
    slope = float((first * true).sum() / (true * true).sum())
    arrays = {
        "first": first.mean(axis=(1, 2)),
        "first_error": standard_error(first.mean(axis=2)),
        "order": true.mean(axis=(1, 2)),
        "amplitude": amplitude.mean(axis=1),
        "amplitude_error": standard_error(amplitude),
        "box": mode_amplitude(band.fraction.mean(axis=1), band.magnetisation.mean(axis=1), system.extents),
        "fraction": band.fraction.mean(axis=1),
        "fraction_error": standard_error(band.fraction),
        "lever": band.lever(float(density.mean())),
        "summit": [value.summit, error.summit],
        "half": [value.half, error.half],
    }
    worst = int(np.abs(difference).argmax())
    metrics = {
        "slope of |p1| per particle against the order parameter": _metric(slope, _slope_error(first, true), first.size),
        "largest difference of the two means along the scan": _metric(
            abs(difference[worst]), standard_error((first - true).mean(axis=2))[worst], None
        ),
        **_readings(value, error, band, system.control),
    }
    return CurveNumbers(control[order], arrays, metrics)


def _slope_error(first: np.ndarray, true: np.ndarray) -> float | None:
    """Jackknife over replicas of the slope through the origin."""
    from lattice_ml.phases.spectrum import jackknife

    def slope(rows: np.ndarray) -> np.ndarray:
        own, other = first[:, rows], true[:, rows]
        return np.array([(own * other).sum() / (other * other).sum()])

    return float(jackknife(slope, np.arange(first.shape[1]))[0])


def _readings(value: Reading, error: Reading, band: Band, control: str) -> dict[str, Metric]:
    names = {
        "summit": f"{control} of the largest sqrt(p2² + p3²)",
        "box": f"{control} of the largest m_h sin(pi f), from the measured f and m_h",
        "half": f"{control} where half of the system is liquid",
        "shift": f"{control} of the largest amplitude minus {control} of half liquid",
        "fraction": "liquid fraction at the largest amplitude",
    }
    counted = int(np.isfinite(band.gas).sum())
    return {text: _metric(getattr(value, key), getattr(error, key), counted) for key, text in names.items()}


class Projection(NamedTuple):
    field: np.ndarray
    projected: np.ndarray
    components: list[int]
    metrics: dict[str, Metric]


def back_project(
    field: np.ndarray,
    ensemble: xr.Dataset,
    point: int,
    weights: np.ndarray,
    mean: np.ndarray,
    principal: np.ndarray,
    counts: Sequence[int],
) -> Projection:
    """<M> + sum_(i <= K) p_i w_i of the last sample of the first replica of a point, and of all configurations there
    the variance that is left over that of independent particles, <rho_i> of the components not taken."""
    counts = sorted({min(count, len(weights)) for count in counts})
    replicas, samples = ensemble.sizes["replica"], ensemble.sizes["sample"]
    first = point * replicas * samples
    row, own = first + samples - 1, slice(first, first + replicas * samples)
    pictures = np.stack([mean + principal[row, :k] @ weights[:k] for k in counts])
    density = float(ensemble["configurations"][point, 0, 0].sum("species").mean())
    metrics = {}
    raw = field[own].reshape(replicas, samples, -1)
    for k in counts:
        rest = raw - (mean + principal[own, :k] @ weights[:k]).reshape(raw.shape)
        left = np.square(rest).sum(axis=-1).mean(axis=1) / (density * (raw.shape[-1] - k))
        error = left.std(ddof=1) / np.sqrt(replicas) if replicas > 1 else None
        metrics[f"variance left after {k} components over shot noise"] = _metric(left.mean(), error, replicas * samples)
    return Projection(field[row], pictures.reshape(len(counts), *field.shape[1:]), counts, metrics)


def _metric(value: Any, error: Any, count: int | None) -> Metric:
    """``{"value", "error", "n"}`` in plain JSON; None for what is not finite or was not counted."""
    told: Metric = {"value": _plain(value), "error": _plain(error)}
    return told if count is None else told | {"n": int(count)}


def _plain(value: Any) -> float | None:
    return None if value is None or not np.isfinite(value) else float(value)
