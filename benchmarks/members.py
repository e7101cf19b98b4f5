"""What ten nets cost that train at once, next to one that trains alone: forward and backward.

Every net of ``conf/model/flux/`` is timed alone (``LatticeCNN``, oneDNN's convolutions), as ten ``Members``, as ten
``Members`` without the tables of ``nets/site_tables.py``, and, with --vmap, by ``torch.func`` (``stack_module_state``,
``functional_call``, ``vmap``). Times are the CPU time of one thread, the least of several rounds, so that neighbours on
a busy machine count little; the ratio to one net is what matters. Allowed: 10 for every net.

    python benchmarks/members.py [--members 10] [--batch 100] [--rounds 5] [--nets eq,count_eq_1] [--vmap]
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import numpy as np
import torch
import yaml
from torch.func import functional_call, stack_module_state, vmap

from lattice_ml.nets import members
from lattice_ml.nets.lattice_cnn import LatticeCNN
from lattice_ml.nets.members import Members
from lattice_ml.nets.site_tables import find_distinct

FLUX = Path(__file__).parents[1] / "conf" / "model" / "flux"


def fluxes(count: int, batch: int, extents: tuple[int, int]) -> torch.Tensor:
    """Random k and l, spread about as those of configurations at mu = 1.05 are (some 350 different site contents)."""
    rng = np.random.default_rng(0)
    k = rng.poisson(0.25, (count, batch, 2, *extents)) - rng.poisson(0.25, (count, batch, 2, *extents))
    k[:, :, 0] += rng.poisson(0.4, k[:, :, 0].shape)
    return torch.from_numpy(np.concatenate([k, rng.poisson(0.2, k.shape)], axis=2)).float()


def build(name: str) -> LatticeCNN:
    extents, outputs = ((8, 8), 1) if "_" in name else ((60, 4), 2)
    return LatticeCNN(4, extents, outputs, yaml.safe_load((FLUX / f"{name}.yaml").read_text())["layers"])


def step(predict: Callable[[torch.Tensor], torch.Tensor], x: torch.Tensor) -> float:
    """CPU seconds of a forward and a backward pass."""
    started = time.process_time()
    predict(x).square().mean().backward()
    return time.process_time() - started


def milliseconds(predict: Callable[[torch.Tensor], torch.Tensor], x: torch.Tensor, rounds: int) -> float:
    step(predict, x)  # compiles, and warms up memory
    return 1e3 * min(step(predict, x) for _ in range(rounds))


def measure(name: str, count: int, batch: int, rounds: int, with_vmap: bool) -> dict[str, float]:
    nets = [build(name) for _ in range(count)]
    x, stack = fluxes(count, batch, nets[0].extents), Members(nets)
    distinct = find_distinct(x)
    assert distinct is not None
    found = {"alone": milliseconds(nets[0], x[0], rounds), "members": milliseconds(stack, x, rounds)}
    with mock.patch.object(members, "find_distinct", return_value=None):
        found["no tables"] = milliseconds(stack, x, rounds)
    if with_vmap:
        state, _ = stack_module_state(nets)  # type: ignore[arg-type]
        each = vmap(lambda weights, x: functional_call(nets[0], weights, (x,)))
        found["vmap"] = milliseconds(lambda x: each(state, x), x, rounds)
    return {**found, "contents": len(distinct.values)}


def main() -> None:
    arguments = argparse.ArgumentParser(description="What ten nets cost that train at once.")
    arguments.add_argument("--members", type=int, default=10)
    arguments.add_argument("--batch", type=int, default=100)
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument(
        "--nets", default=",".join(sorted(p.stem for p in FLUX.glob("*.yaml") if "oracle" not in p.stem))
    )
    arguments.add_argument("--vmap", action="store_true")
    options = arguments.parse_args()
    torch.set_num_threads(1)

    ratios = {}
    print(
        f"{options.members} members, batch {options.batch}, one thread, torch {torch.__version__}; "
        "CPU ms of a step (× one net)"
    )
    for name in options.nets.split(","):
        torch.manual_seed(0)
        found = measure(name, options.members, options.batch, options.rounds, options.vmap)
        ratios[name] = {way: round(found[way] / found["alone"], 2) for way in found if way not in ("alone", "contents")}
        others = "".join(f"{way:>13}{found[way]:9.1f} ({ratio:5.2f})" for way, ratio in ratios[name].items())
        print(f"{name:12} alone{found['alone']:8.2f}{others}", flush=True)
    most = max(ratio["members"] for ratio in ratios.values())
    print(f"ten members cost {most:.1f} times one net at most (allowed: 10)")
    found = {"members": options.members, "batch": options.batch, "times_one_net": ratios, "within_10": most <= 10}
    print(json.dumps({"benchmark": "members", **found}))


if __name__ == "__main__":
    main()
