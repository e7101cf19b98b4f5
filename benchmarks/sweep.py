"""What the machinery of a search costs for each trial, next to a trial of 60 s. Allowed: 5 %.

A worker (``lattice_ml/search/worker.py``) tries trials of ``search=flux_eq`` that train nothing: the point is drawn by
TPE among the trials so far, the configuration of train.py is composed and checked, 16 epochs are reported and judged
by the pruner, and the end is told. Timed are the trials beyond the first --begun, on a journal file, SQLite and, where
it is installed, PostgreSQL (a server of its own on loopback, without fsync); with --workers several do so at once. Not
timed, since every training has it: opening ensembles and building a Trainer.

    python benchmarks/sweep.py [--begun 60] [--trials 20] [--workers 1] [--storages journal,sqlite,postgresql]
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from hydra import compose, initialize_config_dir

from lattice_ml.cli.config import CONF, plain_of
from lattice_ml.cli.sweep import Composer, settings_of
from lattice_ml.search.address import open_storage
from lattice_ml.search.claims import Claim, Claims, Pace
from lattice_ml.search.outcome import Outcome
from lattice_ml.search.sampling import build_pruner, build_sampler
from lattice_ml.search.settings import Sweep, place
from lattice_ml.search.space import draw
from lattice_ml.search.study import open_study
from lattice_ml.search.worker import work

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

TRIAL, ALLOWED, EPOCHS = 60.0, 5.0, 16


def claims_on(address: str, folder: Path, settings: Sweep, trials: int) -> Claims:
    storage = open_storage(address, "benchmark")
    study = open_study(storage, "benchmark", {}, 1, build_pruner(settings.search.pruner), folder)
    return Claims(
        study,
        storage,
        trials,
        lambda trial: [*settings.base_words, *draw(settings.search.space, trial)],
        partial(build_sampler, "tpe", 0),
        Pace(15.0, 120.0, 3),
    )


def be_worker(address: str, folder: Path, trials: int, costs: Any) -> None:
    """Work until the study has its trials; puts (trial, wall seconds of it) of every own one into ``costs``."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        words = ["search=flux_eq", "study=benchmark", f"paths.runs={folder}"]
        settings = settings_of(plain_of(compose("sweep", words)))
        composer = Composer(settings.paths, trusted=False)
        claims = claims_on(address, folder, settings, trials)
        before = time.perf_counter()

        def attempt(claim: Claim) -> Outcome:
            nonlocal before
            now = time.perf_counter()
            costs.append((claim.number, now - before))  # the trial before, its end and the drawing of this one
            before = now
            composer(claim.overrides, settings.study, place(claim.number))
            loss = 10 ** np.random.default_rng(claim.number).uniform(-8, -4)
            for epoch in range(EPOCHS):
                claims.report(claim, epoch, loss * (EPOCHS - epoch))
            return Outcome(loss, 1000, loss, {})

        with contextlib.redirect_stdout(io.StringIO()):
            work(claims, attempt, ["validation"], lambda number: folder / place(number))


def measure(address: str, folder: Path, begun: int, trials: int, workers: int) -> tuple[float, float]:
    """Median and greatest wall seconds of a trial."""
    with multiprocessing.get_context("spawn").Manager() as manager:
        costs = manager.list()
        run(1, address, folder, begun, manager.list())
        run(workers, address, folder, begun + trials, costs)
        seconds = [cost for number, cost in costs if number > begun + workers]  # a worker's first begins with its start
    return float(np.median(seconds)), max(seconds)


def run(workers: int, *arguments: Any) -> None:
    crew = [multiprocessing.get_context("spawn").Process(target=be_worker, args=arguments) for _ in range(workers)]
    for process in crew:
        process.start()
    for process in crew:
        process.join()
        assert process.exitcode == 0


@contextlib.contextmanager
def address_of(kind: str, folder: Path) -> Iterator[str | None]:
    """A new storage of a kind; None where its server is not installed."""
    if kind == "journal":
        yield str(folder / "study.journal")
    elif kind == "sqlite":
        yield f"sqlite:///{folder}/study.db"
    else:
        from postgres_server import Server, programs  # pyright: ignore[reportMissingImports]

        place = programs()
        if place is None:
            yield None
            return
        server = Server(place)
        try:
            yield server.address()
        finally:
            server.remove()


def main() -> None:
    arguments = argparse.ArgumentParser(description="What the machinery of a search costs for each trial.")
    arguments.add_argument("--begun", type=int, default=60)
    arguments.add_argument("--trials", type=int, default=20)
    arguments.add_argument("--workers", type=int, default=1)
    arguments.add_argument("--storages", default="journal,sqlite,postgresql")
    options = arguments.parse_args()
    found: dict[str, dict[str, float]] = {}
    print(f"{options.workers} worker(s), {options.begun} finished trials before; seconds for each trial")
    for kind in options.storages.split(","):
        with tempfile.TemporaryDirectory() as place, address_of(kind, Path(place)) as address:
            if address is None:
                print(f"{kind:12} is not installed")
                continue
            median, most = measure(address, Path(place) / "runs", options.begun, options.trials, options.workers)
        share = 100 * median / TRIAL
        found[kind] = {"median_s": round(median, 3), "most_s": round(most, 3), "percent_of_60_s": round(share, 2)}
        print(f"{kind:12} median {median:6.3f}  greatest {most:6.3f}  {share:5.2f} % of a trial of {TRIAL:g} s")
    within = all(cost["percent_of_60_s"] < ALLOWED for cost in found.values())
    print(json.dumps({"benchmark": "sweep", "workers": options.workers, "storages": found, "within_5_percent": within}))


if __name__ == "__main__":
    main()
