"""Sampling an ensemble into its store: by any number of processes, resumable, the same bits whatever happens.

Every process that is given the same ensemble is a worker: it claims chunks (``claims.py``), samples them and writes
them, until none is missing.
"""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Collection, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lattice_ml.ensembles.claims import Claims, living
from lattice_ml.ensembles.hot_and_cold import BOTH, require_blocks
from lattice_ml.ensembles.layout import Chunk, all_chunks, replica_bytes, replicas_of
from lattice_ml.ensembles.metadata import check_store
from lattice_ml.ensembles.plan import Plan
from lattice_ml.ensembles.progress import Report, show
from lattice_ml.ensembles.shard import Shard
from lattice_ml.ensembles.store import done_chunks, open_configurations, prepare_store
from lattice_ml.ground.atomic import disk_errors, lock, remove_partials
from lattice_ml.ground.errors import UserError
from lattice_ml.systems.base import System
from lattice_ml.systems.sampler import Lane, Sampler, Tick

LOOK_EVERY = 1.0
"""Seconds between looks at what the other workers have done, for a worker with nothing to do."""
LOOK_BUSY = 5.0
"""The same for a worker whose threads are all busy."""


class _Stopped(Exception):
    """Raised inside a sampler, out of its tick, when the campaign ends early."""


def generate(
    system: System,
    sampler: Sampler,
    plan: Plan,
    path: str | Path,
    threads: int | None = None,
    shard: Shard | None = None,
) -> None:
    """Sample what the store at ``path`` lacks of the plan, or of one shard of it; a complete store costs nothing.

    Each of ``threads`` threads (default: the cores that this process may use) samples one chunk at a time and writes
    it when it is whole and its conservation laws hold; a GPU takes one call's worth of chunks at a time. Any number of
    processes may do this in one store: a chunk that a living one has claimed is left to it, and each returns when
    nothing is missing. Ctrl-C or kill -9 loses the chunks in flight, no more.

    Raises ``UserError`` if a point is not physical, the store belongs to other parameters, or the disk is too small or
    full; ``KeyboardInterrupt`` within a second of Ctrl-C.
    """
    path = Path(path)
    prepare(system, sampler, plan, path)
    # Longest first, so that no thread is left alone with a long chunk at the end, and shards are equal in work.
    chunks = sorted(all_chunks(system, plan), key=lambda chunk: -chunk_work(chunk, system, plan))
    chunks = shard.of(chunks) if shard else chunks
    place = f"{path}, {shard}" if shard else str(path)
    there = len(done_chunks(path).intersection(chunks))
    missing = len(chunks) - there
    if not missing:
        print(f"{place}: all {there} chunks are there, nothing is left to sample.", flush=True)
        return
    if there:
        print(f"{place}: {there} of {len(chunks)} chunks are there, {missing} to sample.", flush=True)
    with _joined(path, system, sampler, plan) as claims:
        _Campaign(system, sampler, plan, path, chunks, claims).run(threads or available_cores())


@contextmanager
def _joined(path: Path, system: System, sampler: Sampler, plan: Plan) -> Iterator[Claims]:
    """Be one of the workers in the store; on every way out but a kill what is claimed is given back."""
    with lock(path), disk_errors(path):
        check_store(path, system, sampler, plan)  # once more: where a worker lives, nobody writes the store anew
        others = living(path)
        if not others:
            remove_partials(path)
        claims = Claims(path)
    if others:
        names = ", ".join(sorted(set(others)))
        print(f"{path}: {len(others)} other worker{'s' * (len(others) > 1)} at it ({names}).", flush=True)
    try:
        yield claims
    finally:
        with disk_errors(path):
            claims.leave()


def prepare(system: System, sampler: Sampler, plan: Plan, path: str | Path) -> None:
    """Everything that can stop a campaign before its work begins: the points, the disk, the store that is there.

    Raises ``UserError``; leaves a store without configurations, or the one that was begun, behind.
    """
    path = Path(path)
    for point in plan.points:
        system.validate(point)
        sampler.validate(system, point, plan.times(point))
    if system.watched and plan.protocol.start == BOTH:
        require_blocks(plan.replicas, plan.samples)
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


@dataclass
class _Call:
    """Chunks that one call of the sampler is at work on, and the work that it has told of."""

    chunks: list[Chunk]
    ticked: float = 0.0


class _Campaign:
    """One worker's share in the sampling of ``chunks``, which stand in the order in which they are tried.

    Its threads sample and write; claims are made, kept alive and given back by the thread that calls ``run``.
    """

    def __init__(
        self, system: System, sampler: Sampler, plan: Plan, path: Path, chunks: list[Chunk], claims: Claims
    ) -> None:
        self.system, self.sampler, self.plan, self.path, self.claims = system, sampler, plan, path, claims
        self.configurations = open_configurations(path)
        done = done_chunks(path)
        self.work = {chunk: chunk_work(chunk, system, plan) for chunk in chunks if chunk not in done}
        self.missing = list(self.work)
        self.calls: dict[Future[None], _Call] = {}
        self.stop = threading.Event()

    def run(self, threads: int) -> None:
        """Sample until nothing is missing; the first error stops all threads."""
        threads = 1 if self.sampler.device.name == "cuda" else threads  # there the parallel work is within a call
        total = sum(self.work.values())
        with show(f"sampling {self.plan.name}", total) as report, ThreadPoolExecutor(threads, "sampling") as pool:
            try:
                self._share_out(pool, threads, report)
                report(total)
            except BaseException:
                self.stop.set()
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def _share_out(self, pool: ThreadPoolExecutor, threads: int, report: Report) -> None:
        look, waiting = 0.0, False
        while self.missing or self.calls:
            if time.monotonic() >= look:
                self._look()
                while len(self.calls) < threads and (chunks := self._claim()):
                    call = _Call(chunks)
                    self.calls[pool.submit(self._sample, call)] = call
                look = time.monotonic() + (LOOK_EVERY if len(self.calls) < threads else LOOK_BUSY)
                if self.missing and not self.calls and not waiting:
                    last = f"the last {len(self.missing)} chunks" if len(self.missing) > 1 else "the last chunk"
                    print(f"{self.path}: other workers are at {last}: waiting for them.", flush=True)
                waiting = not self.calls
            self.claims.beat()
            report(self._progress())
            if not self.calls:
                time.sleep(0.1 if self.missing else 0.0)
            # In short waits: Python acts on Ctrl-C when its main thread wakes up.
            for future in wait(self.calls, timeout=0.2, return_when=FIRST_COMPLETED).done:
                future.result()
                for chunk in self.calls.pop(future).chunks:
                    self.claims.release(chunk)
                look = 0.0

    def _look(self) -> None:
        done = done_chunks(self.path)
        self.missing = [chunk for chunk in self.work if chunk not in done]

    def _claim(self) -> list[Chunk]:
        """The next call's chunks, as many as keep the device busy, of the same settings; none if all have workers."""
        chunks: list[Chunk] = []
        settings, room = "", 0
        with disk_errors(self.path):
            numbers = self.claims.numbers()
            for chunk in self.missing:
                point, lanes = self.plan.points[chunk[0]], len(replicas_of(chunk, self.system, self.plan))
                fits = self.sampler.lanes_at_once(self.system, point, self.plan.samples)
                if chunks and (repr(self.sampler.settings(point)) != settings or min(room, fits) < lanes):
                    continue
                if chunk in self.claims.held or not self.claims.take(chunk, numbers.get(chunk)):
                    continue
                settings = settings or repr(self.sampler.settings(point))
                room = min(room if chunks else fits, fits) - lanes
                chunks.append(chunk)
                if room <= 0:
                    break
        return chunks

    def _sample(self, call: _Call) -> None:
        """Sample and write the chunks of a call."""

        def tick(work: float) -> None:
            if self.stop.is_set():
                raise _Stopped
            call.ticked += work

        for chunk, states in sample_chunks(self.system, self.sampler, self.plan, call.chunks, tick):
            if self.stop.is_set():
                raise _Stopped
            replicas = replicas_of(chunk, self.system, self.plan)
            with disk_errors(self.path):
                self.configurations[chunk[0], replicas.start : replicas.stop] = states

    def _progress(self) -> float:
        """Work done by anybody since this worker began, what its own calls have told of included."""
        missing = set(self.missing)
        done = sum(work for chunk, work in self.work.items() if chunk not in missing)
        for call in self.calls.values():
            written = sum(self.work[chunk] for chunk in call.chunks if chunk not in missing)
            most = sum(self.work[chunk] for chunk in call.chunks) - written
            done += min(max(call.ticked - written, 0.0), most)
        return done


def sample_chunks(
    system: System, sampler: Sampler, plan: Plan, chunks: list[Chunk], tick: Tick
) -> Iterator[tuple[Chunk, np.ndarray]]:
    """Chunks and their configurations, ``[replica, sample, species, x, y]``, conservation laws checked."""
    points = [plan.points[chunk[0]] for chunk in chunks]
    replicas = [replicas_of(chunk, system, plan) for chunk in chunks]
    lanes = [
        Lane(point, replica, plan.times(point))
        for point, block in zip(points, replicas, strict=True)
        for replica in block
    ]
    states = sampler.device.get(sampler.sample(system, lanes, plan.seed, plan.protocol.start, tick))
    expected = (len(lanes), plan.samples, len(system.species), *system.extents)
    if states.shape != expected or states.dtype != system.dtype:
        raise RuntimeError(
            f"the sampler gave {states.dtype} {states.shape}, not {system.dtype} {expected}, at {points}"
        )
    ends = np.cumsum([len(block) for block in replicas])
    for chunk, point, part in zip(chunks, points, np.split(states, ends[:-1]), strict=True):
        system.check(part, point)
        yield chunk, part
