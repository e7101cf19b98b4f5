"""Speed of the worm sampler: link steps per second against plain C, and independent configurations per second.

    python benchmarks/worm.py

- Link steps: on one core, eight lanes of ours and a plain single-chain worm in C (worm_baseline.c, gcc -O3
  -march=native) take turns, from the same equilibrium; a figure is the median over the turns, a ratio the median of the
  turns' ratios. Times are CPU times of the thread, so that a busy neighbour costs less.
- Independent configurations: as ``sample.py`` makes them, eight replicas to a call and a call to a thread, one thread
  to each core, in wall time and in CPU time, start to end without the pilot. N samples are N / (2 tau) independent
  ones, tau being the integrated autocorrelation time of the slowest of Q, n and |phi|^2 in units of their spacing.

The last line is one JSON object.
"""

from __future__ import annotations

import ctypes
import json
import os
import statistics
import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numba import njit

from lattice_ml.ensembles.generate import available_cores
from lattice_ml.ground.autocorrelation import integrated_time
from lattice_ml.kernels import rng
from lattice_ml.kernels.device import Cpu
from lattice_ml.systems.complex_scalar.links import draw
from lattice_ml.systems.complex_scalar.physics import ComplexScalar
from lattice_ml.systems.complex_scalar.sampler import ComplexScalarSampler
from lattice_ml.systems.complex_scalar.weights import largest_f, log_weights
from lattice_ml.systems.complex_scalar.worm import Worms
from lattice_ml.systems.sampler import Lane

ETA = 4.01
CASES = (((60, 4), 1.0), ((60, 4), 1.25), ((8, 8), 1.0), ((64, 64), 1.0), ((64, 64), 1.5))
INDEPENDENT = {((60, 4), 1.0): 1000.0, ((8, 8), 1.0): 5000.0}
"""Independent configurations per second that two cores must reach."""
LANES, TURNS, TURN_SECONDS, EQUILIBRATE, SECONDS = 8, 9, 0.25, 300, 8.0


def compile_baseline(folder: Path) -> ctypes.CDLL:
    source, library = Path(__file__).with_name("worm_baseline.c"), folder / "baseline.so"
    subprocess.run(
        ["gcc", "-O3", "-march=native", "-shared", "-fPIC", "-o", str(library), str(source), "-lm"], check=True
    )
    baseline = ctypes.CDLL(str(library))
    baseline.steps.restype, baseline.steps.argtypes = ctypes.c_int64, [ctypes.c_int64]
    return baseline


def start_baseline(baseline: ctypes.CDLL, system: ComplexScalar, mu: float, state: np.ndarray) -> None:
    """Give the plain worm a configuration ``[species, t, x]``."""
    log_w = np.ascontiguousarray(log_weights(ETA, system.lam, largest_f(ETA, mu, system.lam)))
    fluxes = np.ascontiguousarray(state, dtype=np.int32)
    baseline.start(
        *map(ctypes.c_int, system.extents), ctypes.c_double(mu), ctypes.c_int(len(log_w) - 1),
        log_w.ctypes.data_as(ctypes.c_void_p), fluxes.ctypes.data_as(ctypes.c_void_p), ctypes.c_uint64(1),
    )  # fmt: skip


class Ours:
    """Eight lanes of the worm; a turn is one update of so many closings that the sweep of l does not count."""

    def __init__(self, system: ComplexScalar, mu: float, lanes: int = LANES) -> None:
        cold = np.zeros((lanes, 4, *system.extents), dtype=np.int16)
        self.lanes = [Lane({"eta": ETA, "mu": mu}, replica, ()) for replica in range(lanes)]
        warm = Worms(system, self.lanes, 1, cold, [16] * lanes, Cpu())
        warm.advance([[EQUILIBRATE]] * lanes, lambda work: None)
        self.system, self.states = system, warm.states
        self.per_closing = (int(warm.clock[:, 0].sum()) / (16 * EQUILIBRATE * lanes)) - 1
        self.closings = max(1, int(TURN_SECONDS / 1e-8 / self.per_closing / lanes))

    def turn(self, seed: int) -> float:
        """Link steps per second."""
        worms = Worms(self.system, self.lanes, seed, self.states, [self.closings] * len(self.lanes), Cpu())
        begin = time.thread_time()
        worms.advance([[1]] * len(self.lanes), lambda work: None)
        elapsed = time.thread_time() - begin
        return (int(worms.clock[:, 0].sum()) - self.closings * len(self.lanes)) / elapsed

    def sweeps(self) -> float:
        """Links per second in sweeps of l: what a sweep adds to an update of one closing."""
        seconds = []
        for updates in (1, 2000):
            closings = 2000 // updates
            worms = Worms(self.system, self.lanes, 3, self.states, [closings] * len(self.lanes), Cpu())
            begin = time.thread_time()
            worms.advance([[updates]] * len(self.lanes), lambda work: None)
            steps = int(worms.clock[:, 0].sum()) - 2000 * len(self.lanes)
            seconds.append((time.thread_time() - begin, steps))
        (without, steps), (full, all_steps) = seconds
        return 1999 * len(self.lanes) * 2 * self.system.volume / (full - without * all_steps / steps)


def steps_per_second(baseline: ctypes.CDLL, extents: tuple[int, int], mu: float) -> dict[str, float]:
    system = ComplexScalar(extents)
    ours = Ours(system, mu)
    start_baseline(baseline, system, mu, ours.states[0])
    count = int(TURN_SECONDS / 2e-8)
    baseline.steps(count)
    ours.turn(0)
    turns = []
    for turn in range(TURNS):
        begin = time.thread_time()
        baseline.steps(count)
        turns.append((count / (time.thread_time() - begin), ours.turn(turn + 1)))
    plain, mine = (statistics.median(rates) for rates in zip(*turns, strict=True))
    return {"plain": plain, "ours": mine, "ratio": statistics.median(b / a for a, b in turns)}


def independent_per_second(extents: tuple[int, int], mu: float, cores: int) -> dict[str, float]:
    """Samples as an ensemble has them, by all cores at once."""
    system, point, sampler = ComplexScalar(extents), {"eta": ETA, "mu": mu}, ComplexScalarSampler("worm", "cpu")
    record = sampler.record(system, point)

    def call(thread: int, samples: int) -> np.ndarray:
        times = range(8, 8 + samples)
        lanes = [Lane(point, LANES * thread + n, times) for n in range(LANES)]
        return sampler.sample(system, lanes, 2, "hot_and_cold", lambda work: None)

    def run(samples: int) -> tuple[float, float, list[np.ndarray]]:
        begin, cpu = time.monotonic(), time.process_time()
        with ThreadPoolExecutor(cores) as pool:
            states = list(pool.map(lambda thread: call(thread, samples), range(cores)))
        return time.monotonic() - begin, time.process_time() - cpu, states

    run(2)
    samples = 50
    while (seconds := run(samples)[0]) < SECONDS / 4:
        samples = 2 * samples
    seconds, cpu, states = run(min(int(samples * SECONDS / seconds), 20_000))
    seen = [system.observables(part, point) for part in states]
    taus = {name: integrated_time(np.concatenate([part[name] for part in seen])).tau for name in ("Q", "n", "phi2")}
    number = sum(part.shape[0] * part.shape[1] for part in states)
    tau = max(0.5, *taus.values())
    independent = number / (2 * tau)
    return {
        "samples": number / seconds, "tau_of_samples": tau, "independent": independent / seconds,
        "independent_per_cpu_second": independent / cpu, "pilot": record,
    }  # fmt: skip


@njit(nogil=True)
def draw_often(times, key, words):
    for n in range(times):
        draw(key, np.uint64(16 * n), np.uint64(16), words, np.uint64(0))


def parts(system: ComplexScalar, mu: float) -> dict[str, float]:
    """Nanoseconds: random words; a step with more and fewer lanes that take turns; a link of a sweep of l."""
    key, words = rng.stream_key(1, 2, 3, rng.WORMS), np.empty(64, dtype=np.uint32)
    draw_often(1, key, words)
    begin = time.thread_time()
    draw_often(200_000, key, words)
    result = {"a random word": (time.thread_time() - begin) / (200_000 * 64) * 1e9}
    for lanes in (1, 2, 4, 8, 16):
        ours = Ours(system, mu, lanes)
        result[f"step, {lanes} lane{'s' * (lanes > 1)}"] = 1e9 / statistics.median(ours.turn(n) for n in range(5))
    ours = Ours(system, mu)
    result["link of a sweep of l"] = 1e9 / statistics.median(ours.sweeps() for _ in range(5))
    return result


def processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), "unknown")


def main() -> None:
    cores = available_cores()
    print(f"{datetime.now(UTC):%Y-%m-%d}, {processor()}, load average {os.getloadavg()[0]:.1f} on {cores} cores\n")
    print("| torus | mu | plain C, 10^6 steps/s | ours, one core | ratio | required |\n|---|---|---|---|---|---|")
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        baseline = compile_baseline(Path(folder))
        for extents, mu in CASES:
            row = steps_per_second(baseline, extents, mu)
            rates = f"{row['plain'] / 1e6:.1f} | {row['ours'] / 1e6:.1f} | {row['ratio']:.2f}"
            print(f"| {extents[0]} × {extents[1]} | {mu} | {rates} | 2 |", flush=True)
            rows.append({"extents": extents, "mu": mu, **row})
    columns = f"samples/s, {cores} cores | tau | independent/s | per second of CPU time | required of two cores"
    print(f"\n| torus | mu | {columns} |\n|---|---|---|---|---|---|---|")
    rates = []
    for (extents, mu), required in INDEPENDENT.items():
        row = independent_per_second(extents, mu, cores)
        figures = f"{row['samples']:,.0f} | {row['tau_of_samples']:.2f} | {row['independent']:,.0f}"
        figures += f" | {row['independent_per_cpu_second']:,.0f} | {required:,.0f}"
        print(f"| {extents[0]} × {extents[1]} | {mu} | {figures} |", flush=True)
        rates.append({"extents": extents, "mu": mu, "required": required, **row})
    print("\n| part, 60 × 4, mu = 1 | ns |\n|---|---|")
    ablations = parts(ComplexScalar((60, 4)), 1.0)
    for name, value in ablations.items():
        print(f"| {name} | {value:.2f} |")
    print(json.dumps({"benchmark": "worm", "steps": rows, "independent": rates, "parts_ns": ablations}))


if __name__ == "__main__":
    main()
