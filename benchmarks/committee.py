"""What ten nets cost that train at once as a committee, next to one that trains alone: the whole training step.

On data of the paper's size (81 × 81 sites, batches of 64) with Poisson counts, for the two nets that
``workflow=phase_committee`` trains, each with the augmentation of its experiment: ``phase_equivariant`` with random
places, thinning and a gas (``data=particles``), and ``phase_cnn`` with random places (``data=default``). A step is what
the Trainer does: gather and augment a batch, turn it into channels, forward, backward, AdamW. Members share everything
that comes before the nets. One member and many take turns, so that a busy machine slows them alike; times are the CPU
time of one thread, medians over the rounds. Allowed for ten members of phase_equivariant: 4 times one.

    python benchmarks/committee.py [--members 10] [--rounds 15] [--models phase_equivariant,phase_cnn]
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import xarray as xr
import yaml

from lattice_ml.cli.recipes import with_recipes
from lattice_ml.data.datamodule import EnsembleData
from lattice_ml.data.resident import IndexBatch
from lattice_ml.nets.committee import Committee
from lattice_ml.systems.active_ising.physics import ActiveIsing
from lattice_ml.tasks.classify_committee import ClassifyCommittee

CONF = Path(__file__).parents[1] / "conf"
L, BATCH = 81, 64
SYSTEM = ActiveIsing((L, L))
AUGMENTATION = {"phase_equivariant": "particles", "phase_cnn": "default"}
"""Of the experiments aim_boundaries and aim_paper_boundaries."""
ALLOWED = {"phase_equivariant": 4.0}


def data(augmentation: str) -> EnsembleData:
    """Poisson counts of the paper's density: the cost does not depend on the physics."""
    states = np.random.default_rng(0).poisson(1.5, (81, 5, 2, 2, L, L)).astype(np.uint16)
    dataset = xr.Dataset({"configurations": (("point", "replica", "sample", "species", "x", "y"), states)})
    labels = np.repeat(np.arange(81) // 27, 10).reshape(81, 5, 2)
    section = yaml.safe_load((CONF / "data" / f"{augmentation}.yaml").read_text())
    return EnsembleData(
        dataset, SYSTEM, labels, batch_size=BATCH, augment=with_recipes(section["augment"], trusted=False)()
    )


def committee(model: str, members: int, unit: torch.Tensor) -> ClassifyCommittee:
    recipe: Any = with_recipes(yaml.safe_load((CONF / "model" / f"{model}.yaml").read_text()), trusted=False)
    net = Committee.initialise(
        lambda: recipe(in_channels=len(SYSTEM.channels), extents=(L, L), classes=len(SYSTEM.phases)), members, 0
    )
    task = ClassifyCommittee(net, SYSTEM, l2=1e-4)
    task.unit.copy_(unit)
    return task


def step(
    module: EnsembleData, task: ClassifyCommittee, optimizer: torch.optim.Optimizer, batch: IndexBatch, number: int
) -> None:
    """One step of the training, from the numbers of its configurations on."""
    optimizer.zero_grad()
    task.training_step(module.on_after_batch_transfer(batch, 0), number).backward()
    optimizer.step()


def seconds(work: Callable[[], object]) -> float:
    """CPU time."""
    started = time.process_time()
    work()
    return time.process_time() - started


def measure(model: str, members: int, rounds: int) -> dict[str, list[float]]:
    """CPU seconds of every round: a batch alone, and a step of one member and of all."""
    module = data(AUGMENTATION[model])
    tasks = {count: committee(model, count, module.scale()) for count in (1, members)}
    optimizers = {count: task.configure_optimizers() for count, task in tasks.items()}
    batches: Any = list(module.train_dataloader())[:-1]  # the last one is short
    times: dict[str, list[float]] = {"batch": [], "one": [], "all": []}
    for number in range(rounds + 2):
        batch = batches[number % len(batches)]
        times["batch"].append(seconds(partial(module.on_after_batch_transfer, batch, 0)))
        for name, count in (("one", 1), ("all", members)):
            times[name].append(seconds(partial(step, module, tasks[count], optimizers[count], batch, number)))
    return {name: values[2:] for name, values in times.items()}  # the first two rounds warm up


def main() -> None:
    arguments = argparse.ArgumentParser(description="What ten nets cost that train at once as a committee.")
    arguments.add_argument("--members", type=int, default=10)
    arguments.add_argument("--rounds", type=int, default=15)
    arguments.add_argument("--models", default=",".join(AUGMENTATION))
    options = arguments.parse_args()
    torch.set_num_threads(1)

    print(
        f"L = {L}, batch {BATCH}, one thread, torch {torch.__version__}, {options.rounds} rounds; "
        "CPU ms, median (least)"
    )
    print(f"{'':20}{'batch alone':>18}{'one member':>18}{f'{options.members} members':>18}{'times one':>11}")
    ratios, within = {}, {}
    for model in options.models.split(","):
        times = measure(model, options.members, options.rounds)
        shown = [f"{1e3 * statistics.median(own):9.1f} ({1e3 * min(own):.1f})" for own in times.values()]
        ratios[model] = round(statistics.median(times["all"]) / statistics.median(times["one"]), 2)
        print(f"{model:20}" + "".join(f"{text:>18}" for text in shown) + f"{ratios[model]:11.2f}", flush=True)
        if model in ALLOWED:
            within[model] = ratios[model] <= ALLOWED[model]
            print(
                f"{options.members} members of {model} cost {ratios[model]:.2f} times one (allowed: {ALLOWED[model]:g})"
            )
    found = {"members": options.members, "batch": BATCH, "times_one_member": ratios, "within_allowed": within}
    print(json.dumps({"benchmark": "committee", **found}))


if __name__ == "__main__":
    main()
