"""A roofline on paper for the CUDA samplers: what an event costs, and what that lets an H100 do.

    python benchmarks/gpu_roofline.py

Random numbers per event are counted in runs on the CPU, whose bits are the GPU's; bytes per event follow from what an
event touches; the instructions of a kernel are those of its binary for sm_90, an upper bound for one turn of its loop.
What a launch costs, some 5 µs, is left out: it bounds the Ising model where few small lattices share a launch.
Rates of the H100 are NVIDIA's (SXM5: HBM3 3 TB/s, 132 multiprocessors of 4 schedulers, 1.755 GHz); latencies are
assumed to be 600 ns for a dependent access to HBM and 150 ns to the second-level cache. None of the predictions has
been measured. The last line is one JSON object.
"""

from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
from cuda.bindings import nvrtc

from lattice_ml.kernels.device import OPTIONS, THREADS_TO_FILL, Cpu, Kernel, source_text
from lattice_ml.kernels.domains import cut
from lattice_ml.systems.active_ising import event_driven, random_sequential, sublattice
from lattice_ml.systems.active_ising.physics import ActiveIsing
from lattice_ml.systems.active_ising.start import start_state
from lattice_ml.systems.ising import checkerboard
from lattice_ml.systems.sampler import Lane

HBM, SECTOR = 3000.0, 32  # bytes per ns; bytes that one random access moves, each way
ISSUE = 132 * 4 * 32 * 1.755  # instructions of threads per ns
FAR, NEAR = 600.0, 150.0  # ns
WINDOW = 1 / 32
RESIDENT = 132 * 1024  # threads at an occupancy of 50 %


def instructions(kernel: Kernel) -> int:
    """Instructions of a kernel's binary for sm_90, 16 bytes each."""
    _, program = nvrtc.nvrtcCreateProgram(source_text(kernel.source).encode(), b"k.cu", 0, [], [])
    options = [option.encode() for option in (*OPTIONS, "--gpu-architecture=sm_90")]
    nvrtc.nvrtcCompileProgram(program, len(options), options)
    _, size = nvrtc.nvrtcGetCUBINSize(program)
    cubin = b" " * size
    nvrtc.nvrtcGetCUBIN(program, cubin)
    # The section headers of an ELF file of 64 bits: name at 0, offset at 24 and size at 32 of each.
    start, entry, count, names = (*struct.unpack_from("<Q", cubin, 40), *struct.unpack_from("<HHH", cubin, 58))
    headers = [struct.unpack_from("<IIQQQQ", cubin, start + n * entry) for n in range(count)]
    for header in headers:
        name = cubin[headers[names][4] + header[0] :].split(b"\0")[0]
        if name == f".text.{kernel.name}".encode():
            return header[5] // 16
    raise SystemExit(f"there is no kernel {kernel.name} in {Path(kernel.source).name}")


def trials_per_event(temperature: float, window: float | None) -> float:
    """Flip trials per hop event at L = 81, rho0 = 3, in a state 20 units of time after a band start."""
    system, point = ActiveIsing((81, 81)), {"T": temperature, "rho0": 3.0}
    counts, lanes = start_state(system, point, 1, 0, "band")[None], [Lane(point, 0, ())]
    if window is None:
        trajectories = event_driven.EventDriven(system, lanes, 1, counts, Cpu())
    else:
        trajectories = sublattice.Sublattice(system, lanes, 1, counts, Cpu(), cut((81, 81), (9, 9)), window)
    trajectories.advance([20.0], lambda work: None)
    clock = np.asarray(trajectories.clock).reshape(-1, 4).sum(axis=0, dtype=np.float64)
    return float(clock[2] / clock[1])


def main() -> None:
    flips, swept = trials_per_event(0.55, None), trials_per_event(0.55, WINDOW)
    closing = 81 / (4 * 3 * 81 * WINDOW)  # sites that the end of a window brings up to date, per event
    # name, kernel, random 32-bit words, random accesses read and written back, dependent accesses far and near, turns
    # of the kernel's loop, unit
    kinds = [
        ("event-driven, hop event, T = 0.55", event_driven.NARROW, 4 + 2 * flips, 3, (3, 4), 2, "events"),
        ("random-sequential, pick", random_sequential.NARROW, 3.0, 3, (3, 3), 1, "picks"),
        (
            "sublattice 9 × 9, dt = 1/32, hop event, T = 0.55",
            sublattice.KERNEL,
            4 + 2 * swept,
            4 + closing,
            (0, 16 + 2 * closing),
            2 + closing,
            "events",
        ),
        ("Ising checkerboard, four spins", checkerboard.KERNEL, 4.0, 0.5, (1, 1), 1, "groups"),
    ]
    print("| kernel | random words | bytes | instructions | memory | issue | latency, 16,896 threads | full | bound |")
    print("|---|---|---|---|---|---|---|---|---|")
    rows = []
    for name, kernel, words, accesses, (far, near), turns, unit in kinds:
        size, count = 2 * SECTOR * accesses, round(instructions(kernel) * turns)
        time = far * FAR + near * NEAR
        row = {
            "kernel": name,
            "unit": f"{unit}/ns",
            "words": words,
            "bytes": size,
            "instructions": count,
            "memory": HBM / size,
            "issue": ISSUE / count,
            "latency": THREADS_TO_FILL / time,
            "latency, full": RESIDENT / time,
        }
        bounds = {what: row[what] for what in ("memory", "issue", "latency, full")}
        row["bound"] = min(bounds, key=lambda what: bounds[what])
        rows.append(row)
        print(
            f"| {name} | {words:.1f} | {size:.0f} | {count} | {row['memory']:.1f} | {row['issue']:.1f} "
            f"| {row['latency']:.1f} | {row['latency, full']:.1f} | {row['bound']} |"
        )
    print("\nColumns from `memory` on: events per nanosecond that this limit alone would allow.")
    print(json.dumps({"benchmark": "gpu_roofline", "rows": rows}))


if __name__ == "__main__":
    main()
