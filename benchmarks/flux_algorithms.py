"""Cost of an independent configuration by worms, by the hybrid update and by the checkerboard alone, on one CPU core.

    python benchmarks/flux_algorithms.py [60x4:1.0 8x8:1.5 ...]

An independent configuration takes 2 tau updates, tau being the largest integrated autocorrelation time of sum k_t,
sum |k| and sum l. Times are those of the process (CPU time), so that a busy machine does not count. Where the winding
number of the checkerboard never changed, it is said to be stuck: its tau is that of one sector. The last line is JSON.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import numpy as np

from lattice_ml.ground.autocorrelation import integrated_time
from lattice_ml.kernels.device import Cpu
from lattice_ml.systems.complex_scalar.fluxes import L_T
from lattice_ml.systems.complex_scalar.hybrid import Hybrid
from lattice_ml.systems.complex_scalar.physics import ComplexScalar
from lattice_ml.systems.complex_scalar.pilot import pilot
from lattice_ml.systems.complex_scalar.worm import Worms
from lattice_ml.systems.sampler import Lane

POINTS = ("8x8:1.0", "8x8:1.5", "60x4:1.0", "60x4:1.25", "60x4:1.5", "32x32:1.5")
LANES, UPDATES, WAITING = 8, 512, 128


def measure(extents: tuple[int, int], mu: float, algorithm: str) -> dict[str, Any]:
    """Cost, tau and whether the winding number stood still, of one algorithm from cold starts at eta = 4.01."""
    system, point = ComplexScalar(extents), {"eta": 4.01, "mu": mu}
    found = pilot(system, point)
    lanes = [Lane(point, replica, ()) for replica in range(LANES)]
    cold, closings = np.zeros((LANES, 4, *extents), dtype=np.int16), [found.closings] * LANES
    if algorithm == "worm":
        chains = Worms(system, lanes, 1, cold, closings, Cpu())
    else:
        chains = Hybrid(system, lanes, 1, cold, closings if algorithm == "hybrid" else None, Cpu())
    chains.advance([[WAITING]] * LANES, lambda work: None)
    began = time.process_time()
    states = chains.advance([range(WAITING + 1, WAITING + 1 + UPDATES)] * LANES, lambda work: None)
    seconds = (time.process_time() - began) / (LANES * UPDATES)
    k, free = states[:, :, :L_T].astype(np.int64), states[:, :, L_T:].astype(np.int64)
    series = [part.sum(axis=(2, 3, 4)) for part in (k[:, :, :1], np.abs(k), free)]
    tau = max(integrated_time(part).tau for part in series)
    stuck = bool(np.all(series[0] == series[0][:, :1]))
    return {
        "lattice": "x".join(map(str, extents)), "mu": mu, "algorithm": algorithm, "tau": tau, "stuck": stuck,
        "line_acceptance": found.line_acceptance, "microseconds": 2e6 * tau * seconds,
    }  # fmt: skip


def main() -> None:
    rows = []
    print(
        "| lattice | mu | line acceptance in time | algorithm | tau (updates) | CPU µs per independent configuration |"
    )
    print("|---|---|---|---|---|---|")
    for name in sys.argv[1:] or POINTS:
        lattice, mu = name.split(":")
        extents = tuple(map(int, lattice.split("x")))
        for algorithm in ("worm", "hybrid", "checkerboard"):
            row = measure((extents[0], extents[1]), float(mu), algorithm)
            rows.append(row)
            cost = "stuck" if row["stuck"] else f"{row['microseconds']:.0f}"
            print(
                f"| {lattice} | {mu} | {row['line_acceptance']:.1e} | {algorithm} | {row['tau']:.1f} | {cost} |",
                flush=True,
            )
    print(json.dumps(rows))


if __name__ == "__main__":
    main()
