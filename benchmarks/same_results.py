"""Do two checkouts find the same? Runs every toy experiment and a search at both, and compares what they wrote.

    python benchmarks/same_results.py <checkout> <other checkout> <folder> [experiment ...]

Everything but times must be equal: ``results.json``, labels, and every tensor of every checkpoint, bit for bit. A
change that moves code and computes nothing else passes; what differs is named. Prints a line for each experiment and,
as the last line, one JSON object; exit code 1 if anything differs.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

TIMES = {"timings", "finished", "versions", "seconds"}
ADDED = {"control", "value"}
"""Keys of a boundary that version 0.1 did not have; it had the value under the name of the control parameter."""
SHORT = {"pendulum": ["trainer.max_epochs=2"]}
"""What is no toy, cut short."""


def toys(checkout: Path) -> list[str]:
    """The experiments that take seconds."""
    return [*sorted(path.stem for path in (checkout / "conf" / "experiment").glob("*_toy.yaml")), *SHORT]


def run(checkout: Path, place: Path, experiment: str) -> Path:
    """The folder of what ``experiment`` of a checkout writes; each has stores of its own."""
    home = place / experiment
    environment = {**os.environ, "PYTHONPATH": str(checkout), "OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}
    where = [f"paths.runs={home / 'runs'}", f"paths.stores={home / 'stores'}"]
    if experiment == "search":
        words = ["sweep.py", "search=toy", "n_trials=3", "finalists=1", "retrain=2", *where]
    else:
        words = ["train.py", f"experiment={experiment}", "logger=csv", "run.id=001", *where, *SHORT.get(experiment, [])]
    if not (home / "done").exists():
        home.mkdir(parents=True, exist_ok=True)
        with (home / "log").open("w") as log:
            subprocess.run([sys.executable, *words], cwd=checkout, env=environment, stdout=log, stderr=log, check=True)
        (home / "done").touch()
    return home / "runs"


def differences(one: Path, other: Path) -> Iterator[str]:
    """What differs between two folders of runs, a sentence each."""
    kinds = ("results.json", "labels.npz", "*.ckpt", "evaluation.npz", "predictions.npz")
    names = [{path.relative_to(home) for kind in kinds for path in home.rglob(kind)} for home in (one, other)]
    for name in sorted(names[0] ^ names[1]):
        if not name.name.startswith("labels-"):  # the name holds a hash of what the labels are a function of
            yield f"{name} is there once"
    for name in sorted(names[0] & names[1]):
        pair = [read(home / name) for home in (one, other)]
        for where in unequal(*pair, ""):
            yield f"{name}: {where}"


def read(path: Path) -> Any:
    """A file as plain values and arrays."""
    if path.suffix == ".json":
        return json.loads(path.read_text(encoding="utf-8"))
    if path.suffix == ".npz":
        with np.load(path) as saved:
            arrays = {name: saved[name] for name in saved.files}
        return {name: json.loads(str(own)) if is_json(own) else own for name, own in arrays.items()}
    import torch

    return torch.load(path, map_location="cpu", weights_only=True)["state_dict"]


def is_json(array: np.ndarray) -> bool:
    """A single text that holds a mapping."""
    return array.ndim == 0 and array.dtype.kind == "U" and str(array).startswith("{")


def unequal(one: Any, other: Any, where: str) -> Iterator[str]:
    """The places where two trees differ; times, and the folders that either lies in, are passed over."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in one.keys() | other.keys():
            if key in TIMES:
                continue
            renamed = key in ADDED or key in (one.get("control"), other.get("control"))
            if renamed and (key not in one or key not in other):
                continue
            if key not in one or key not in other:
                yield f"{where}.{key} is there once"
            else:
                yield from unequal(one[key], other[key], f"{where}.{key}")
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for number, pair in enumerate(zip(one, other, strict=True)):
            yield from unequal(*pair, f"{where}[{number}]")
    elif hasattr(one, "shape") or hasattr(other, "shape"):
        if np.asarray(one).tobytes() != np.asarray(other).tobytes():
            yield f"{where} differs"
    elif one != other and not (isinstance(one, str) and (" s" in one or "/" in one)):
        yield f"{where}: {str(one)[:60]} against {str(other)[:60]}"


def main() -> int:
    checkouts, place = [Path(word).resolve() for word in sys.argv[1:3]], Path(sys.argv[3]).resolve()
    found: dict[str, list[str]] = {}
    for experiment in sys.argv[4:] or [*toys(checkouts[0]), "search"]:
        one, other = (run(own, place / str(number), experiment) for number, own in enumerate(checkouts))
        found[experiment] = list(differences(one, other))
        print(f"{experiment}: {'equal' if not found[experiment] else '; '.join(found[experiment][:5])}", flush=True)
    print(json.dumps({"equal": not any(found.values()), "experiments": len(found), "differences": found}))
    return int(any(found.values()))


if __name__ == "__main__":
    sys.exit(main())
