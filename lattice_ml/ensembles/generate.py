"""Sampling an ensemble into its store: resumable, on all cores, the same bits whatever happens on the way."""

from __future__ import annotations

import os
import shutil
import sys
import threading
import time
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from lattice_ml.ensembles.atomic import disk_errors, lock, remove_partials
from lattice_ml.ensembles.layout import Chunk, all_chunks, replica_bytes, replicas_of
from lattice_ml.ensembles.plan import Plan
from lattice_ml.ensembles.store import check_store, done_chunks, open_configurations, prepare_store
from lattice_ml.errors import UserError
from lattice_ml.systems.base import Lane, Sampler, System, Tick

LINE_EVERY = 10.0
"""Seconds between the lines that stand for the progress bar where the output is not a terminal."""


class _Stopped(Exception):
    """Raised inside a sampler, out of its tick, when the campaign ends early."""


def generate(system: System, sampler: Sampler, plan: Plan, path: str | Path, threads: int | None = None) -> None:
    """Sample what the store at ``path`` lacks of the plan; a complete store costs nothing.

    Each of ``threads`` threads (default: the cores that this process may use) samples one chunk at a time and writes
    it when it is whole and its conservation laws hold; a GPU takes one call's worth of chunks at a time. Ctrl-C or
    kill -9 loses the chunks in flight, no more.

    Raises ``UserError`` if a point is not physical, the store belongs to other parameters or to a running process, or
    the disk is too small or full; ``KeyboardInterrupt`` within a second of Ctrl-C.
    """
    path = Path(path)
    prepare(system, sampler, plan, path)
    chunks = all_chunks(system, plan)
    if done_chunks(path).issuperset(chunks):
        print(f"{path}: all {len(chunks)} chunks are there, nothing is left to sample.", flush=True)
        return
    with lock(path):
        check_store(path, system, sampler, plan)  # once more: from here on nobody else can write it anew
        with disk_errors(path):
            remove_partials(path)
        done = done_chunks(path)
        # Longest first, so that no thread is left alone with a long chunk at the end.
        missing = sorted((chunk for chunk in chunks if chunk not in done), key=lambda c: -chunk_work(c, system, plan))
        if done:
            print(f"{path}: {len(done)} of {len(chunks)} chunks are there, {len(missing)} to sample.", flush=True)
        _sample(system, sampler, plan, path, missing, threads or available_cores())


def prepare(system: System, sampler: Sampler, plan: Plan, path: str | Path) -> None:
    """Everything that can stop a campaign before its work begins: the points, the disk, the store that is there.

    Raises ``UserError``; leaves a store without configurations, or the one that was begun, behind.
    """
    path = Path(path)
    for point in plan.points:
        system.validate(point)
        sampler.validate(system, point, plan.times(point))
    require_space(path, system, plan, set(all_chunks(system, plan)) - done_chunks(path))
    prepare_store(path, system, sampler, plan)


def available_cores() -> int:
    """Cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def chunk_work(chunk: Chunk, system: System, plan: Plan) -> float:
    """Expected work of a chunk, particles × time over all its replicas."""
    point = plan.points[chunk[0]]
    return len(replicas_of(chunk, system, plan)) * system.work(point) * plan.times(point)[-1]


def require_space(path: Path, system: System, plan: Plan, missing: Collection[Chunk]) -> None:
    """Raise ``UserError`` unless the disk has room for the missing chunks.

    The estimate is half their uncompressed size, 1 byte per count: where counts stay below 256 the upper byte of each
    is zero and compresses to nothing. (Poisson counts at rho0 = 3 and 8 end at a sixth and between a quarter and a
    fifth of their uncompressed size, so the estimate is on the safe side.)
    """
    needed = sum(len(replicas_of(chunk, system, plan)) for chunk in missing) * replica_bytes(system, plan) // 2
    existing = next(folder for folder in (path.absolute(), *path.absolute().parents) if folder.exists())
    free = shutil.disk_usage(existing).free
    if needed > free:
        raise UserError(
            f"sampling into {path} needs up to {needed / 1e6:,.0f} MB and {free / 1e6:,.0f} MB are free there: "
            "free some space, or give a folder on a larger disk with paths.stores=..."
        )


def _sample(system: System, sampler: Sampler, plan: Plan, path: Path, missing: list[Chunk], threads: int) -> None:
    """Sample and write the missing chunks on a pool of threads; the first error stops them all."""
    configurations = open_configurations(path)
    stop = threading.Event()

    def run(chunks: list[Chunk], advance: Tick) -> None:
        ticked = 0.0

        def tick(work: float) -> None:
            nonlocal ticked
            if stop.is_set():
                raise _Stopped
            ticked += work
            advance(work)

        for chunk, states in sample_chunks(system, sampler, plan, chunks, tick):
            if stop.is_set():
                raise _Stopped
            replicas = replicas_of(chunk, system, plan)
            with disk_errors(path):
                configurations[chunk[0], replicas.start : replicas.stop] = states
        advance(sum(chunk_work(chunk, system, plan) for chunk in chunks) - ticked)

    calls = share_out(system, sampler, plan, missing)
    if sampler.device.name == "cuda":
        threads = 1  # the parallel work is within a call
    total = sum(chunk_work(chunk, system, plan) for chunk in missing)
    show = _bar if sys.stdout.isatty() else _lines
    with show(f"sampling {plan.name}", total) as advance, ThreadPoolExecutor(threads, "sampling") as pool:
        futures = [pool.submit(run, chunks, advance) for chunks in calls]
        try:
            # In short waits: Python acts on Ctrl-C when its main thread wakes up.
            while wait(futures, timeout=0.2, return_when=FIRST_EXCEPTION).not_done:
                _raise_first(futures)
            _raise_first(futures)
        except BaseException:
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _raise_first(futures: list[Future[None]]) -> None:
    for future in futures:
        if future.done():
            future.result()


def share_out(system: System, sampler: Sampler, plan: Plan, missing: list[Chunk]) -> list[list[Chunk]]:
    """The missing chunks in their order, as many to a call of the sampler as keep its device busy; settings are one."""
    calls: list[list[Chunk]] = []
    room: dict[str, int] = {}  # lanes that still fit into the last call of these settings
    last: dict[str, list[Chunk]] = {}
    for chunk in missing:
        point, lanes = plan.points[chunk[0]], len(replicas_of(chunk, system, plan))
        settings = repr(sampler.settings(point))
        fits = sampler.lanes_at_once(system, point)
        if room.get(settings, 0) < lanes:
            calls.append([])
            room[settings], last[settings] = fits, calls[-1]
        last[settings].append(chunk)
        room[settings] = min(room[settings], fits) - lanes
    return calls


def sample_chunks(
    system: System, sampler: Sampler, plan: Plan, chunks: list[Chunk], tick: Tick
) -> Iterator[tuple[Chunk, np.ndarray]]:
    """Chunks and their configurations, uint16 ``[replica, sample, species, x, y]``, conservation laws checked."""
    points = [plan.points[chunk[0]] for chunk in chunks]
    replicas = [replicas_of(chunk, system, plan) for chunk in chunks]
    lanes = [
        Lane(point, replica, plan.times(point))
        for point, block in zip(points, replicas, strict=True)
        for replica in block
    ]
    states = sampler.device.get(sampler.sample(system, lanes, plan.seed, plan.protocol.start, tick))
    expected = (len(lanes), plan.samples, len(system.species), *system.extents)
    if states.shape != expected or states.dtype != np.uint16:
        raise RuntimeError(f"the sampler gave {states.dtype} {states.shape}, not uint16 {expected}, at {points}")
    ends = np.cumsum([len(block) for block in replicas])
    for chunk, point, part in zip(chunks, points, np.split(states, ends[:-1]), strict=True):
        system.check(part, point)
        yield chunk, part


@contextmanager
def _bar(label: str, total: float) -> Iterator[Callable[[float], None]]:
    """A progress bar with the time left, for a terminal."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    # The speed is averaged over minutes: points differ in cost.
    with Progress(*columns, speed_estimate_period=300) as progress:
        task = progress.add_task(label, total=total)
        yield lambda work: progress.advance(task, work)


@contextmanager
def _lines(label: str, total: float) -> Iterator[Callable[[float], None]]:
    """A line now and then, for a log file."""
    guard = threading.Lock()
    started = printed = time.monotonic()
    done = 0.0

    def advance(work: float) -> None:
        nonlocal done, printed
        with guard:
            done += work
            now = time.monotonic()
            if now - printed < LINE_EVERY or done <= 0:
                return
            printed = now
            left = (now - started) * max(total - done, 0) / done
            print(f"{label}: {done / total:.0%} done, {left:.0f} s left", flush=True)

    yield advance
    print(f"{label}: done in {time.monotonic() - started:.0f} s", flush=True)
