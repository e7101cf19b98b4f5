"""Bias of the synchronous sublattice algorithm against the exact sampler, by domain and window.

    python benchmarks/domain_bias.py            # about an hour on one core; goes on where it was stopped
    python benchmarks/domain_bias.py --draw     # only the table and the figure, from what is there

At L = 81, rho0 = 3 every setting starts from the same 8 states, which the exact sampler brought from a band start into
equilibrium, relaxes for ``RELAX`` and is read out every ``SPACING`` units of time. Errors are those of the mean over
``BLOCKS`` blocks of each trajectory. A setting passes where its bias is below the statistical error of an ensemble of
50 configurations a temperature (4,050 in all), which is the exact sampler's standard deviation / sqrt(50).
Measurements go to docs/domain_bias.npz, the figure to docs/domain_bias.png; the last line is one JSON object.
"""

from __future__ import annotations

import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from lattice_ml.figures.flocks import domain_bias
from lattice_ml.kernels.device import Cpu
from lattice_ml.kernels.domains import cut
from lattice_ml.systems.active_ising.event_driven import EventDriven
from lattice_ml.systems.active_ising.physics import ActiveIsing
from lattice_ml.systems.active_ising.start import start_state
from lattice_ml.systems.active_ising.sublattice import Sublattice
from lattice_ml.systems.sampler import Lane

RESULT = Path(__file__).parents[1] / "docs" / "domain_bias.npz"
OBSERVABLES = ("order", "minority", "density_band")
SIZES = (3, 9, 27)
"""Edges of domains whose imprint is looked for: the relative excess of particles on the sites along their borders."""
COLUMNS = [*OBSERVABLES, *(f"imprint {size}" for size in SIZES)]
EQUILIBRATE, RELAX, SPACING, SAMPLES, LANES, BLOCKS, HISTOGRAM = 1500.0, 250.0, 10.0, 240, 8, 5, 48
EXACT = (81, 0.0)
LIKELY = [(9, 0.0625), (9, 0.125), (9, 0.03125)]
SETTINGS = {0.9: LIKELY, 0.5: LIKELY, 0.6: [*LIKELY, (9, 0.5), (27, 0.125), (3, 0.125), (1, 0.125)], 0.3: LIKELY}


def measure(system: ActiveIsing, temperature: float, size: int, window: float, states: np.ndarray) -> np.ndarray:
    """Observables and P(rho) of every block, ``[lane * block, observable + occupation]``, from equilibrium states."""
    lanes = [Lane({"T": temperature, "rho0": 3.0}, n, ()) for n in range(LANES)]
    samples = SAMPLES // 4 if size == 1 else SAMPLES  # single sites are slow, and their bias is large
    if (size, window) == EXACT:
        trajectories, samples = EventDriven(system, lanes, 2, states, Cpu()), 4 * SAMPLES
    else:
        trajectories = Sublattice(system, lanes, 2, states, Cpu(), cut(system.extents, (size, size)), window)
    rows = np.empty((LANES, samples, len(COLUMNS) + HISTOGRAM))
    borders = [border(system, edge) for edge in SIZES]
    for n in range(samples):
        trajectories.advance([RELAX + SPACING * (n + 1)] * LANES, lambda work: None)
        counts = trajectories.counts()
        values = system.observables(counts)
        rows[:, n, : len(OBSERVABLES)] = np.stack([values[name] for name in OBSERVABLES], axis=1)
        density = counts.sum(axis=1, dtype=np.int64)
        for column, sites in enumerate(borders, start=len(OBSERVABLES)):
            rows[:, n, column] = density[:, sites].mean(axis=1) / density.mean(axis=(1, 2)) - 1
        occupied = np.minimum(density.reshape(LANES, -1), HISTOGRAM - 1)
        for lane in range(LANES):
            rows[lane, n, len(COLUMNS) :] = np.bincount(occupied[lane], minlength=HISTOGRAM) / system.volume
    blocks = rows.reshape(LANES * BLOCKS, samples // BLOCKS, -1)
    # Mean of every block, and the spread of single configurations, of which an ensemble's error is made.
    return np.stack([blocks.mean(axis=1), rows.reshape(-1, rows.shape[-1]).std(axis=0) + np.zeros_like(blocks[:, 0])])


def border(system: ActiveIsing, size: int) -> np.ndarray:
    """The sites along the borders of domains of ``size`` × ``size``, bool ``[x, y]``."""
    domains, along = cut(system.extents, (size, size)), []
    for edges, extent in zip((domains.x_edges, domains.y_edges), system.extents, strict=True):
        along.append(np.isin(np.arange(extent), [*edges, *(edges.astype(np.int64) - 1)]))
    return along[0][:, None] | along[1]


def main() -> None:
    system, results = ActiveIsing((81, 81)), dict(np.load(RESULT)) if RESULT.exists() else {}
    jobs = [(t, *setting) for t, settings in SETTINGS.items() for setting in [EXACT, *settings]]
    missing = [] if "--draw" in sys.argv else [job for job in jobs if key_of(*job) not in results]
    start: dict[float, np.ndarray] = {}
    for number, (temperature, size, window) in enumerate(missing):
        began = time.monotonic()
        if temperature not in start:
            point = {"T": temperature, "rho0": 3.0}
            states = np.stack([start_state(system, point, 1, n, "band") for n in range(LANES)])
            exact = EventDriven(system, [Lane(point, n, ()) for n in range(LANES)], 1, states, Cpu())
            exact.advance([EQUILIBRATE] * LANES, lambda work: None)
            start[temperature] = exact.counts()
        results[key_of(temperature, size, window)] = measure(system, temperature, size, window, start[temperature])
        np.savez_compressed(RESULT, **results)  # pyright: ignore[reportArgumentType]
        print(
            f"{number + 1} of {len(missing)}: T = {temperature}, domain {size}, window {window}: "
            f"{time.monotonic() - began:.0f} s",
            flush=True,
        )
    rows = [row for job in jobs if key_of(*job) in results and job[1:] != EXACT for row in compare(results, *job)]
    print(f"\n{datetime.now(UTC):%Y-%m-%d}; L = 81, rho0 = 3\n")
    print("| T | domain | window | observable | exact | bias | allowed |\n|---|---|---|---|---|---|---|")
    for row in rows:
        print(
            f"| {row['T']} | {row['domain']} × {row['domain']} | {row['window']} | {row['observable']} "
            f"| {row['exact']:.5f} | {row['bias']:+.5f} ± {row['error']:.5f} | {row['allowed']:.5f} |"
        )
    figure = domain_bias.draw({name: np.array([row[name] for row in rows]) for name in rows[0]})
    figure.savefig(RESULT.with_suffix(".png"), dpi=110)
    print(json.dumps({"benchmark": "domain_bias", "rows": rows}))


def key_of(temperature: float, size: int, window: float) -> str:
    return f"T={temperature:g} domain={size} window={window:g}"


def compare(results: dict[str, np.ndarray], temperature: float, size: int, window: float) -> list[dict]:
    """Bias of each observable and, as one number, of P(rho): half the sum of |P - P_exact|."""
    exact, spread = results[key_of(temperature, *EXACT)]
    ours = results[key_of(temperature, size, window)][0]
    rows = []
    for n, name in enumerate(COLUMNS):
        if name not in (*OBSERVABLES, f"imprint {size}"):
            continue
        a, b = ours[:, n], exact[:, n]
        error = np.hypot(a.std(ddof=1) / np.sqrt(len(a)), b.std(ddof=1) / np.sqrt(len(b)))
        rows.append((name.split()[0], b.mean(), a.mean() - b.mean(), error, spread[0, n] / np.sqrt(50)))
    p, q = ours[:, len(COLUMNS) :], exact[:, len(COLUMNS) :]
    error = np.hypot(p.std(axis=0, ddof=1), q.std(axis=0, ddof=1)) / np.sqrt(len(p))
    # What noise alone gives in place of 0: E|normal| = sqrt(2/pi) sigma in every bin.
    floor, allowed = (np.sqrt(2 / np.pi) / 2 * sigma.sum() for sigma in (error, spread[0, len(COLUMNS) :] / 50**0.5))
    distance = np.abs(p.mean(axis=0) - q.mean(axis=0)).sum() / 2
    rows.append(("P(rho)", 0.0, distance, floor, allowed))
    names = ("observable", "exact", "bias", "error", "allowed")
    where = {"T": temperature, "domain": size, "window": window}
    return [where | dict(zip(names, map(_plain, row), strict=True)) for row in rows]


def _plain(value: object) -> object:
    return float(value) if isinstance(value, np.floating) else value


if __name__ == "__main__":
    main()
