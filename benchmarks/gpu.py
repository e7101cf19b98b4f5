"""Throughput of the CUDA samplers on a real GPU, against the numba twins on one core of the same machine.

    python benchmarks/gpu.py

For the Active Ising Model at L = 81, rho0 = 3 and for the Ising model at L = 81: lanes that share a launch, and what a
device does per second, in particles × time and in spin updates. CPU and GPU take turns; a figure is the median over
the turns. Both start from the same states, and the benchmark ends with an error if their bits differ. Without a GPU it
says what is missing and measures nothing. The last line is one JSON object.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, NamedTuple

import numpy as np

from lattice_ml.ground.errors import UserError
from lattice_ml.kernels.device import Cpu, Device, open_device
from lattice_ml.kernels.domains import cut
from lattice_ml.systems.active_ising.event_driven import EventDriven
from lattice_ml.systems.active_ising.physics import ActiveIsing
from lattice_ml.systems.active_ising.random_sequential import RandomSequential
from lattice_ml.systems.active_ising.start import start_state
from lattice_ml.systems.active_ising.sublattice import Sublattice
from lattice_ml.systems.ising.checkerboard import Checkerboard
from lattice_ml.systems.ising.physics import Ising
from lattice_ml.systems.ising.start import start_state as spins
from lattice_ml.systems.sampler import Lane

TURNS = 5


class Case(NamedTuple):
    """make: trajectories of so many lanes on a device; work: what a lane does per unit of time."""

    name: str
    make: Callable[[int, Device], Any]
    lanes: tuple[int, ...]
    stretch: float
    work: float


def active(kind: Callable[..., Any], temperature: float, *more: Any) -> Callable[[int, Device], Any]:
    """Maker of Active Ising trajectories; all lanes begin in the same state and have streams of their own."""

    def make(lanes: int, device: Device) -> Any:
        system, point = ActiveIsing((81, 81)), {"T": temperature, "rho0": 3.0}
        state = start_state(system, point, 1, 0, "band")
        states = np.broadcast_to(state, (lanes, *state.shape))
        return kind(system, [Lane(point, n, ()) for n in range(lanes)], 1, states, device, *more)

    return make


def ising(lanes: int, device: Device) -> Checkerboard:
    system, point = Ising((81, 81)), {"T": 2.3}
    up = np.stack([spins(system, point, 1, n, "random") for n in range(lanes)])
    return Checkerboard(system, [Lane(point, n, ()) for n in range(lanes)], 1, up, device)


CASES = [
    Case("event-driven, T = 0.3", active(EventDriven, 0.3), (405, 4050, 16896), 4.0, 19683),
    Case("event-driven, T = 0.55", active(EventDriven, 0.55), (405, 4050, 16896), 4.0, 19683),
    Case("random-sequential, T = 0.9", active(RandomSequential, 0.9), (405, 4050, 16896), 4.0, 19683),
    Case(
        "sublattice 9 × 9, dt = 1/32, T = 0.55",
        active(Sublattice, 0.55, cut((81, 81), (9, 9)), 0.03125),
        (41, 405, 1620),
        4.0,
        19683,
    ),
    Case("Ising checkerboard", ising, (32, 405, 4050), 16.0, 6561),
]


class Runner:
    """Advances its trajectories by equal stretches of time."""

    def __init__(self, case: Case, lanes: int, device: Device) -> None:
        self.trajectories, self.case, self.lanes, self.device = case.make(lanes, device), case, lanes, device
        self.time = 0.0
        self.rate()  # compiles

    def rate(self) -> float:
        """Work per second over one stretch, the copy of a few counters to the host included."""
        self.time += self.case.stretch
        began = time.perf_counter()
        with self.device.stream():
            self.trajectories.advance([self.time] * self.lanes, lambda work: None)
            self.device.get(self.states()[0])  # waits for the device
        return self.case.work * self.case.stretch * self.lanes / (time.perf_counter() - began)

    def states(self) -> Any:
        trajectories = self.trajectories
        return trajectories.states() if isinstance(trajectories, Checkerboard) else trajectories.counts()


def measure(case: Case, lanes: int, device: Device) -> dict[str, Any]:
    """Rates of the device with so many lanes and of one CPU core with two of them, turn by turn."""
    ours, core = Runner(case, lanes, device), Runner(case, 2, Cpu())
    turns = [(ours.rate(), core.rate()) for _ in range(TURNS)]
    equal = np.array_equal(device.get(ours.states()[:2]), core.states())
    return {
        "case": case.name,
        "lanes": lanes,
        "gpu": statistics.median(a for a, _ in turns),
        "core": statistics.median(b for _, b in turns),
        "ratio": statistics.median(a / b for a, b in turns),
        "equal bits": equal,
    }


def main() -> None:
    try:
        device = open_device("cuda")
    except UserError as error:
        print(f"Nothing was measured: {error}")
        print(json.dumps({"benchmark": "gpu", "rows": [], "skipped": str(error)}))
        return
    import torch

    print(f"{datetime.now(UTC):%Y-%m-%d}, {torch.cuda.get_device_name()}; millions per second\n")
    print("| case | lanes | GPU | one core | ratio | equal bits |\n|---|---|---|---|---|---|")
    rows = []
    for case in CASES:
        for lanes in case.lanes:
            rows.append(measure(case, lanes, device))
            gpu, core = rows[-1]["gpu"] / 1e6, rows[-1]["core"] / 1e6
            print(
                f"| {case.name} | {lanes} | {gpu:.1f} | {core:.1f} | {gpu / core:.1f} | {rows[-1]['equal bits']} |",
                flush=True,
            )
    print(json.dumps({"benchmark": "gpu", "rows": rows}))
    if not all(row["equal bits"] for row in rows):
        raise SystemExit("the GPU's bits differ from the CPU's")


if __name__ == "__main__":
    main()
