"""What a batch costs next to a training step: the paper's net at L = 81, two channels, batch 64.

Every round times, one after the other so that a busy machine slows them alike, what the datamodule and the task do to a
batch (gather, torus shift, channels, division by the scale) and a training step on it (forward, backward, Adam): with
PhaseCNN's paired convolutions and, for comparison, with nn.Conv2d. The ratio of the first two must stay below 5 %.

    python benchmarks/datamodule.py [--threads 2] [--rounds 40]
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
import xarray as xr
from torch import nn
from torch.nn import functional as F

from lattice_ml.data.augment import TorusShift
from lattice_ml.data.datamodule import EnsembleData
from lattice_ml.data.resident import IndexBatch
from lattice_ml.nets.phase_cnn import PhaseCNN
from lattice_ml.systems.active_ising.physics import ActiveIsing
from lattice_ml.tasks.classify_phase import ClassifyPhase

L, BATCH, TRAINING = 81, 64, 2430  # configurations of the paper's training side: 60 % of 4,050


class PlainConv2d(nn.Conv2d):
    """nn.Conv2d where PhaseCNN expects a paired one."""

    def uncropped(self, input: torch.Tensor) -> torch.Tensor:
        return self(input)


def data() -> EnsembleData:
    """An ensemble of the paper's size with Poisson counts: the cost does not depend on the physics."""
    states = np.random.default_rng(0).poisson(1.5, (81, 5, 10, 2, L, L)).astype(np.uint16)
    dataset = xr.Dataset({"configurations": (("point", "replica", "sample", "species", "x", "y"), states)})
    labels = np.repeat(np.arange(81) // 27, 50).reshape(81, 5, 10)
    return EnsembleData(dataset, ActiveIsing((L, L)), labels, batch_size=BATCH, augment=TorusShift())


def classifier(plain: bool) -> ClassifyPhase:
    torch.manual_seed(0)
    net = PhaseCNN(2, (L, L), 3)
    if plain:
        net.conv1, net.conv2 = PlainConv2d(2, 6, 5, padding=2), PlainConv2d(6, 6, 5, padding=2)  # type: ignore[assignment]
    return ClassifyPhase(net, ActiveIsing((L, L)))


def prepare(module: EnsembleData, scale: torch.Tensor, batch: IndexBatch) -> tuple[torch.Tensor, torch.Tensor]:
    x, y = module.on_after_batch_transfer(batch, 0)
    return (x / scale).contiguous(memory_format=torch.channels_last), y


def step(task: ClassifyPhase, optimizer: torch.optim.Optimizer, image: torch.Tensor, y: torch.Tensor) -> None:
    optimizer.zero_grad()
    (F.cross_entropy(task.net(image), y) + task.penalty()).backward()
    optimizer.step()


def seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def main() -> None:
    arguments = argparse.ArgumentParser(description="What a batch costs next to a training step.")
    arguments.add_argument("--threads", type=int, default=2)
    arguments.add_argument("--rounds", type=int, default=40)
    options = arguments.parse_args()
    torch.set_num_threads(options.threads)

    module, tasks = data(), {"step": classifier(plain=False), "step, nn.Conv2d": classifier(plain=True)}
    optimizers = {name: task.configure_optimizers() for name, task in tasks.items()}
    scale = module.scale()[:, None, None]
    batches = list(module.train_dataloader())[:-1]  # the last one is short
    times: dict[str, list[float]] = {name: [] for name in ("batch", *tasks, "validation")}
    for number in range(options.rounds + 2):
        batch = batches[number % len(batches)]
        times["batch"].append(seconds(partial(prepare, module, scale, batch)))
        image, y = prepare(module, scale, batch)
        for name, task in tasks.items():
            times[name].append(seconds(partial(step, task, optimizers[name], image, y)))
        with torch.inference_mode():
            times["validation"].append(seconds(partial(tasks["step"].net, image)))

    # Medians; the first two rounds warm up memory and oneDNN's caches.
    typical = {name: statistics.median(values[2:]) for name, values in times.items()}
    share = typical["batch"] / typical["step"]
    per_epoch = -(-TRAINING // BATCH)
    print(f"L = {L}, batch {BATCH}, {options.threads} thread(s), torch {torch.__version__}, {options.rounds} rounds")
    print(f"{'':18}{'ms, median':>12}{'ms, least':>12}{'s per epoch':>13}")
    for name, value in typical.items():
        number = per_epoch if name != "validation" else -(-TRAINING // 3 // BATCH)
        print(f"{name:18}{1e3 * value:12.2f}{1e3 * min(times[name]):12.2f}{value * number:13.2f}")
    print(f"a batch costs {share:.1%} of a training step (allowed: 5 %)")
    print(
        json.dumps(
            {
                "benchmark": "datamodule",
                "threads": options.threads,
                "batch_ms": round(1e3 * typical["batch"], 3),
                "step_ms": round(1e3 * typical["step"], 3),
                "step_conv2d_ms": round(1e3 * typical["step, nn.Conv2d"], 3),
                "batch_share": round(share, 4),
                "epoch_s": round((typical["batch"] + typical["step"]) * per_epoch, 3),
                "within_5_percent": share < 0.05,
            }
        )
    )


if __name__ == "__main__":
    main()
