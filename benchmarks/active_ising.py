"""Speed of the Active Ising samplers: particles × time per second on one core, against plain C.

    taskset -c 0 python benchmarks/active_ising.py

At L = 81, rho0 = 3 and each temperature, in the state that a band start reaches after ``WARM_UP`` units of time, both
exact samplers and the random-sequential update in plain C (active_ising_baseline.c, gcc -O3 -march=native) take turns
on the same core; a figure is the median over the turns, a ratio the median of the turns' ratios. Times are CPU times
of the thread, so that a busy neighbour costs little. Then the parts of an event are timed alone. The last line is one
JSON object.
"""

from __future__ import annotations

import ctypes
import json
import os
import platform
import statistics
import subprocess
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numba import njit

from lattice_ml.kernels import rng
from lattice_ml.kernels.device import Cpu
from lattice_ml.systems.active_ising import event_driven, random_sequential
from lattice_ml.systems.active_ising.physics import ActiveIsing
from lattice_ml.systems.active_ising.sampler import ActiveIsingSampler
from lattice_ml.systems.active_ising.start import start_state
from lattice_ml.systems.base import Point
from lattice_ml.systems.sampler import Lane

TEMPERATURES = (0.2, 0.3, 0.55, 0.9)
REQUIRED = (30.0, 7.0, 2.5, 2.5)
CROSSOVER_SCAN = (0.4, 0.5, 0.6, 0.7)
WARM_UP, TURNS, TURN_SECONDS = 100.0, 9, 0.25
TRAJECTORIES = {"event_driven": event_driven.EventDriven, "random_sequential": random_sequential.RandomSequential}


def compile_baseline(folder: Path) -> ctypes.CDLL:
    source, library = Path(__file__).with_name("active_ising_baseline.c"), folder / "baseline.so"
    subprocess.run(
        ["gcc", "-O3", "-march=native", "-shared", "-fPIC", "-o", str(library), str(source), "-lm"], check=True
    )
    baseline = ctypes.CDLL(str(library))
    baseline.advance.argtypes = [ctypes.c_double]
    baseline.magnetisation.restype = ctypes.c_double
    return baseline


def start_baseline(baseline: ctypes.CDLL, system: ActiveIsing, temperature: float, counts: np.ndarray) -> None:
    """Give the plain-C sampler the particles of the state ``[species, x, y]``, in random order."""
    species, x, y = np.nonzero(counts)
    repeats = counts[species, x, y]
    order = np.random.default_rng(1).permutation(int(repeats.sum()))
    columns = [np.ascontiguousarray(np.repeat(c, repeats)[order], dtype=np.int32) for c in (x, y, 1 - 2 * species)]
    pointers = [c.ctypes.data_as(ctypes.POINTER(ctypes.c_int)) for c in columns]
    baseline.start(
        *map(ctypes.c_int, (*system.extents, order.size)),
        *map(ctypes.c_double, (temperature, system.D, system.eps)), *pointers, ctypes.c_uint64(1),
    )  # fmt: skip


class Runner:
    """Advances one sampler by a stretch of time that takes about TURN_SECONDS."""

    def __init__(self, advance, particles: int) -> None:
        self.advance, self.particles, self.stretch = advance, particles, 1.0
        while (elapsed := self.seconds()) < TURN_SECONDS / 4:
            self.stretch *= 2
        self.stretch *= TURN_SECONDS / elapsed

    def seconds(self) -> float:
        begin = time.thread_time()
        self.advance(self.stretch)
        return time.thread_time() - begin

    def rate(self) -> float:
        """Particles × time per second."""
        return self.particles * self.stretch / self.seconds()


def runner_of(trajectory) -> Runner:
    clock = [WARM_UP]

    def advance(stretch: float) -> None:
        clock[0] += stretch
        trajectory.advance([clock[0]], lambda work: None)

    trajectory.advance([WARM_UP], lambda work: None)
    return Runner(advance, int(trajectory.counts().sum()))


def one_trajectory(kind, system: ActiveIsing, point: Point, counts: np.ndarray):
    """The algorithm's trajectory of replica 0 from the state ``[species, x, y]``, on the CPU."""
    return kind(system, [Lane(point, 0, ())], 1, counts[None], Cpu())


def measure(baseline: ctypes.CDLL, system: ActiveIsing, temperature: float) -> dict[str, float]:
    point = {"T": temperature, "rho0": 3.0}
    counts = start_state(system, point, 1, 0, "band")
    default = one_trajectory(event_driven.EventDriven, system, point, counts)
    default.advance([WARM_UP], lambda work: None)
    start_baseline(baseline, system, temperature, default.counts()[0])
    runners = {"baseline": Runner(baseline.advance, system.particles(point))}
    for name, kind in TRAJECTORIES.items():
        runners[name] = runner_of(one_trajectory(kind, system, point, counts))
    turns = [{name: runner.rate() for name, runner in runners.items()} for _ in range(TURNS)]
    row = {name: statistics.median(turn[name] for turn in turns) for name in runners}
    row |= {
        f"{name} / baseline": statistics.median(turn[name] / turn["baseline"] for turn in turns)
        for name in TRAJECTORIES
    }
    return row


@njit(nogil=True)
def draw_hops_often(times, *arguments):
    for _ in range(times):
        event_driven.draw_hops(*arguments)


@njit(nogil=True)
def draw_picks_often(times, *arguments):
    for _ in range(times):
        random_sequential.draw_picks(*arguments)


def parts(system: ActiveIsing) -> dict[str, float]:
    """Nanoseconds of the parts of an event: ablations of the kernels at T = 0.3 (hops) and 0.9 (picks)."""
    words = [np.empty(event_driven.BATCH, dtype=np.uint32) for _ in range(4)]
    picks = [np.empty(random_sequential.BATCH, dtype=kind) for kind in (np.uint32, np.uint8, np.uint32, np.float32)]
    key, number = rng.stream_key(1, 2, 3, rng.HOPS), np.uint64(19683)
    point = {"T": 0.9, "rho0": 3.0}
    gas = start_state(system, point, 1, 0, "random")
    turns = one_trajectory(random_sequential.RandomSequential, system, point, gas).turns[0]
    small = ActiveIsing((27, 27))  # the same density in a torus that fits into the first-level cache

    def nanoseconds(draw_often, batch: int, *arguments) -> float:
        draw_often(1, *arguments)
        times = []
        for _ in range(15):
            begin = time.thread_time()
            draw_often(1000, *arguments)
            times.append(time.thread_time() - begin)
        return statistics.median(times) / 1000 / batch * 1e9

    def per_event(kind: str, torus: ActiveIsing, temperature: float, events: float) -> float:
        point = {"T": temperature, "rho0": 3.0}
        counts = start_state(torus, point, 1, 0, "ordered" if temperature < 0.4 else "band")
        runner = runner_of(one_trajectory(TRAJECTORIES[kind], torus, point, counts))
        return 1e9 / statistics.median(runner.rate() for _ in range(5)) / events

    return {
        "hop: random numbers": nanoseconds(
            draw_hops_often, event_driven.BATCH, key, np.uint64(0), number, np.float32(6800), *words
        ),
        "hop: whole, T = 0.3": per_event("event_driven", system, 0.3, 4),
        "hop: whole, T = 0.3, 27 × 27": per_event("event_driven", small, 0.3, 4),
        "hop: whole, T = 0.1 (no flips)": per_event("event_driven", system, 0.1, 4),
        "hop: whole, T = 0.45": per_event("event_driven", system, 0.45, 4),
        "pick: random numbers": nanoseconds(
            draw_picks_often, random_sequential.BATCH, key, key, np.uint64(0), number, turns, np.float32(1e6), *picks
        ),
        "pick: whole, T = 0.9": per_event("random_sequential", system, 0.9, 4 + np.exp(1 / 0.9)),
        "pick: whole, T = 0.9, 27 × 27": per_event("random_sequential", small, 0.9, 4 + np.exp(1 / 0.9)),
    }  # fmt: skip


def processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def main() -> None:
    system, sampler = ActiveIsing((81, 81)), ActiveIsingSampler(device="cpu")
    print(
        f"{datetime.now(UTC):%Y-%m-%d}, {processor()}, load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
    )
    print("particles × time per second and core, in millions; L = 81, rho0 = 3\n")
    print("| T | plain C | event-driven | random-sequential | default | default / plain C | required |")
    print("|---|---|---|---|---|---|---|")
    rows = {}
    with tempfile.TemporaryDirectory() as folder:
        baseline = compile_baseline(Path(folder))
        for temperature in sorted({*TEMPERATURES, *CROSSOVER_SCAN}):
            row = measure(baseline, system, temperature)
            default = str(sampler.settings({"T": temperature, "rho0": 3.0})["algorithm"])
            required = dict(zip(TEMPERATURES, REQUIRED, strict=True)).get(temperature)
            rates = " | ".join(f"{row[name] / 1e6:.2f}" for name in ("baseline", *TRAJECTORIES))
            ratio = row[f"{default} / baseline"]
            print(f"| {temperature} | {rates} | {default} | {ratio:.1f} | {required or ''} |", flush=True)
            rows[temperature] = row | {"default": default, "ratio": ratio, "required": required}
    print("\n| part | ns |\n|---|---|")
    ablations = parts(system)
    for name, value in ablations.items():
        print(f"| {name} | {value:.1f} |")
    print(
        json.dumps({"benchmark": "active_ising", "unit": "particles*time/s/core", "rows": rows, "parts_ns": ablations})
    )


if __name__ == "__main__":
    main()
