"""What streaming an ensemble from its store costs beside holding it: configurations a second, and peak memory.

Poisson counts (the cost does not depend on the physics) are written through the store's own writer, L = 256, one chunk
for each point and eight replicas. Every round times, one after the other so that a busy machine slows them alike, the
same number of training batches from both paths: alone (gather, torus shift, channels), and with a training step of a
small net (a strided convolution and a dense layer, which is less work than any net of this house). Memory is the
process's own resident set, peak less what was there before, of a passage through the whole training side in a process
of its own.

    python benchmarks/streaming.py [--size 1.0] [--memory 0.5] [--threads 2] [--rounds 3] [--batches 40] [--folder DIR]

``--size``: GiB that the ensemble has uncompressed, two bytes a count; ``--memory``: GiB that the stream may hold.
``--resident no`` leaves out the resident path, which holds half of ``--size``, to try what memory cannot hold.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from lattice_ml.data.augment import TorusShift
from lattice_ml.data.datamodule import EnsembleData
from lattice_ml.ensembles.plan import Plan, Protocol
from lattice_ml.ensembles.store import open_configurations, open_ensemble, prepare_store
from lattice_ml.systems.active_ising.physics import ActiveIsing
from lattice_ml.systems.active_ising.sampler import ActiveIsingSampler

L, REPLICAS, SAMPLES, BATCH = 256, 8, 5, 64
SYSTEM = ActiveIsing((L, L))
CONFIGURATION = 2 * 2 * L * L
"""Bytes, uncompressed: two species, two bytes a count."""


def write(path: Path, gigabytes: float) -> int:
    """An ensemble of about that size; the counts of a few chunks, rolled, serve for all. Returns its points."""
    count = max(12, round(gigabytes * 2**30 / (REPLICAS * SAMPLES * CONFIGURATION)))
    points = tuple({"T": round(0.2 + 0.8 * k / count, 6), "rho0": 3.0} for k in range(count))
    plan = Plan("streaming", points, REPLICAS, SAMPLES, 0, Protocol())
    prepare_store(path, SYSTEM, ActiveIsingSampler(), plan)
    configurations = open_configurations(path)
    drawn = np.random.default_rng(0).poisson(1.5, (REPLICAS, SAMPLES, 2, L, L)).astype(np.uint16)
    for point in range(count):
        configurations[point] = np.roll(drawn, (point % L, 7 * point % L), axis=(-2, -1))
    return count


def module(path: Path, memory: float | None) -> EnsembleData:
    ensemble = open_ensemble(path)
    shape = tuple(ensemble.sizes[name] for name in ("point", "replica", "sample"))
    labels = np.broadcast_to((np.arange(shape[0]) * 3 // shape[0])[:, None, None], shape)
    return EnsembleData(ensemble, SYSTEM, labels, batch_size=BATCH, augment=TorusShift(), memory=memory)


class SmallNet:
    """A training step of little work."""

    def __init__(self) -> None:
        torch.manual_seed(0)
        body = (nn.Conv2d(2, 8, 8, stride=8), nn.ReLU(), nn.AdaptiveAvgPool2d(8), nn.Flatten(), nn.Linear(512, 3))
        self.net = nn.Sequential(*body)
        self.optimizer = torch.optim.Adam(self.net.parameters(), fused=True)

    def step(self, x: torch.Tensor, y: torch.Tensor) -> None:
        self.optimizer.zero_grad()
        F.cross_entropy(self.net(x), y).backward()
        self.optimizer.step()


def rate(data: EnsembleData, epoch: int, batches: int, net: SmallNet | None) -> float:
    """Configurations a second over the first batches of an epoch; filling the shuffle buffer counts."""
    loader = data.train_dataloader()
    loader.sampler.set_epoch(epoch)
    count, started = 0, time.perf_counter()
    passage = iter(loader)
    for batch in islice(passage, batches):
        x, y = data.on_after_batch_transfer(batch, 0)
        if net is not None:
            net.step(x, y)
        count += len(y)
    elapsed = time.perf_counter() - started
    passage.close()  # type: ignore[attr-defined]
    return count / elapsed


def peak(path: Path, memory: float | None) -> float:
    """GiB that a process of its own holds at most, beyond what it has imported, in a passage through the training side.

    Of the states alone, as integers: the channels of a batch, 4 bytes a number, come on top of either path.
    """
    command = [sys.executable, __file__, "--peak", str(path), str(memory or 0.0)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])


def report_peak(path: Path, memory: float | None) -> None:
    # A passage through a small part of the same store first, for what is imported and allocated once.
    small = open_ensemble(path).isel(point=slice(1), sample=slice(1))
    warm = EnsembleData(small, SYSTEM, batch_size=4, augment=TorusShift())
    for batch in warm.train_dataloader():
        warm.on_after_batch_transfer(batch, 0)
    before = int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 2**10
    data = module(path, memory)
    for batch in data.train_dataloader():
        data.source.arrive(batch, data.augment)  # type: ignore[arg-type]
    print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 2**20)


def main() -> None:
    arguments = argparse.ArgumentParser(description="The streaming path beside the resident path.")
    arguments.add_argument("--size", type=float, default=1.0)
    arguments.add_argument("--memory", type=float, default=0.4)
    arguments.add_argument("--threads", type=int, default=2)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--batches", type=int, default=10**9)
    arguments.add_argument("--folder", type=Path, default=None)
    arguments.add_argument("--resident", choices=("yes", "no"), default="yes")
    arguments.add_argument("--peak", nargs=2, default=None, help=argparse.SUPPRESS)
    options = arguments.parse_args()
    torch.set_num_threads(options.threads)
    if options.peak:
        report_peak(Path(options.peak[0]), float(options.peak[1]) or None)
        return

    folder = Path(tempfile.mkdtemp(prefix="streaming-", dir=options.folder))
    try:
        measure(folder / "a.zarr", options)
    finally:
        shutil.rmtree(folder)


def measure(path: Path, options: argparse.Namespace) -> None:
    started = time.perf_counter()
    points = write(path, options.size)
    written = time.perf_counter() - started
    size = points * REPLICAS * SAMPLES * CONFIGURATION / 2**30
    disk = sum(file.stat().st_size for file in path.rglob("*") if file.is_file()) / 2**30
    paths: dict[str, float | None] = {"streamed": options.memory}
    if options.resident == "yes":
        paths["resident"] = None
    peaks = {name: peak(path, memory) for name, memory in paths.items()}
    started = time.perf_counter()
    data = {name: module(path, memory) for name, memory in paths.items()}
    held = data["streamed"].source
    nets: dict[str, SmallNet | None] = {"none": None, "small net": SmallNet()}
    rates: dict[tuple[str, str], list[float]] = {(name, net): [] for net in nets for name in paths}
    for number in range(options.rounds):
        for net, step in nets.items():
            for name in paths:
                rates[name, net].append(rate(data[name], number, options.batches, step))
    typical = {key: statistics.median(values) for key, values in rates.items()}

    print(
        f"L = {L}, {points} points, {points * REPLICAS * SAMPLES:,} configurations, {size:.2f} GiB, {disk:.2f} GiB on "
        f"the disk, written in {written:.0f} s; batch {BATCH}, {options.threads} threads, data.memory={options.memory}"
    )
    buffer = held.capacity / (REPLICAS * SAMPLES)  # type: ignore[union-attr]
    print(f"the shuffle buffer holds {held.capacity} configurations, {buffer:.0f} chunks' worth")  # type: ignore[union-attr]
    print(f"{'':22}{'configurations/s':>18}{'GiB/s':>8}{'peak GiB':>10}")
    for (name, net), value in typical.items():
        print(f"{name + ', ' + net:22}{value:18,.0f}{value * CONFIGURATION / 2**30:8.2f}{peaks[name]:10.2f}")
    result = {"benchmark": "streaming", "size_gib": round(size, 3), "memory_gib": options.memory}
    result |= {"threads": options.threads, "peak_gib": {name: round(value, 3) for name, value in peaks.items()}}
    for net in nets:
        key = net.replace(" ", "_")
        result[f"streamed_per_s_{key}"] = round(typical["streamed", net], 1)
        if "resident" in paths:
            result[f"ratio_{key}"] = round(typical["streamed", net] / typical["resident", net], 3)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
