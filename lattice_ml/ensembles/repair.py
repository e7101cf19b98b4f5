"""Repairing a store: find what is broken, and make just that anew, to the same bits."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from lattice_ml.ensembles.claims import Claims, living
from lattice_ml.ensembles.generate import available_cores, chunk_work, generate, sample_chunks
from lattice_ml.ensembles.integrity import Array, decode, has_checksum
from lattice_ml.ensembles.layout import Chunk, all_chunks, object_name, replicas_of
from lattice_ml.ensembles.plan import Plan
from lattice_ml.ensembles.progress import show
from lattice_ml.ensembles.restore import Restoration, restoration
from lattice_ml.ensembles.store import done_chunks
from lattice_ml.ground.atomic import disk_errors, lock, remove_partials
from lattice_ml.ground.errors import UserError
from lattice_ml.ground.files import write_file
from lattice_ml.systems.base import System
from lattice_ml.systems.sampler import Sampler

NAMED = 6
"""Broken objects that are named one by one."""


def repair(system: System, sampler: Sampler, plan: Plan, path: str | Path, threads: int | None = None) -> None:
    """Read everything that the store at ``path`` holds, write anew what is broken, and sample what is then missing.

    A chunk is broken if it fails its checksum, cannot be decompressed or breaks a conservation law. It is sampled to
    the same bits; metadata and coordinates are written as the plan says, and what else they said is kept. Where the
    attributes have lost a part of system, plan or sampler, a chunk that is whole must prove that this command is the
    one that made the store: it is sampled once more and must have the same bits. Nothing is written to a sound store.

    Raises ``UserError`` if there is no store, if it was made by another command or version, or while others sample into
    it.
    """
    path = Path(path)
    for point in plan.points:
        system.validate(point)
        sampler.validate(system, point, plan.times(point))
    if not done_chunks(path) and not (path / "zarr.json").exists():
        raise UserError(f"there is no ensemble at {path} to repair: leave out repair=true to sample it.")
    threads = threads or available_cores()
    with _alone(path) as claims:
        found = restoration(path, system, sampler, plan)
        faults = _broken_chunks(system, plan, path, found.configurations, threads, claims)
        sound = sorted(done_chunks(path).intersection(all_chunks(system, plan)) - faults.keys())
        if found.lost and sound:
            _require_proof(system, sampler, plan, path, found, min(sound, key=lambda c: chunk_work(c, system, plan)))
        if not has_checksum(found.configurations):
            print(f"{path}: its chunks have no checksums, so a wrong count that keeps every law is not found.")
        broken = dict.fromkeys(found.files, "") | {
            f"configurations/{object_name(chunk)}": f" ({fault})" for chunk, fault in faults.items()
        }
        _tell(path, broken, len(sound))
        for key, content in found.files.items():
            write_file(path / key, content)
        for chunk in faults:
            (path / "configurations" / object_name(chunk)).unlink()
    if broken or len(sound) < len(all_chunks(system, plan)):
        generate(system, sampler, plan, path, threads)
    if broken:
        print(f"{path}: mended {_listed(list(broken))}; everything else is as it was.", flush=True)


@contextmanager
def _alone(path: Path) -> Iterator[Claims]:
    """Be the only worker in the store, whom others that come now see at work."""
    with lock(path), disk_errors(path):
        others = living(path)
        if others:
            raise UserError(
                f"{path} is being sampled ({', '.join(sorted(set(others)))}): give repair=true when that has ended."
            )
        remove_partials(path)
        claims = Claims(path)
    try:
        with disk_errors(path):
            yield claims
    finally:
        with disk_errors(path):
            claims.leave()


def _broken_chunks(
    system: System, plan: Plan, path: Path, array: Array, threads: int, claims: Claims
) -> dict[Chunk, str]:
    """What is wrong with each chunk that is there and broken, in a few words."""
    chunks = sorted(done_chunks(path).intersection(all_chunks(system, plan)))

    def fault(chunk: Chunk) -> str | None:
        try:
            states = _read(path, chunk, array)[: len(replicas_of(chunk, system, plan))]
            system.check(states, plan.points[chunk[0]])
        except ValueError as error:
            return str(error)
        except RuntimeError:
            return "it breaks a conservation law"
        return None

    faults: dict[Chunk, str] = {}
    with show(f"checking {plan.name}", len(chunks)) as report, ThreadPoolExecutor(threads, "checking") as pool:
        try:
            for number, (chunk, wrong) in enumerate(zip(chunks, pool.map(fault, chunks), strict=True), 1):
                claims.beat()
                report(number)
                if wrong is not None:
                    faults[chunk] = wrong
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return faults


def _read(path: Path, chunk: Chunk, array: Array) -> np.ndarray:
    """A chunk's configurations ``[replica, sample, species, x, y]``; ``ValueError`` if its object is broken."""
    return decode((path / "configurations" / object_name(chunk)).read_bytes(), array)[0]


def _require_proof(system: System, sampler: Sampler, plan: Plan, path: Path, found: Restoration, chunk: Chunk) -> None:
    """Sample a chunk once more: it must be bit for bit what the store holds."""
    lost, name = _listed(found.lost), object_name(chunk)
    print(f"{path}/zarr.json has lost {lost}: sampling {name} once more to see whether it was made so.", flush=True)
    _, states = next(sample_chunks(system, sampler, plan, [chunk], lambda _: None))
    if not np.array_equal(states, _read(path, chunk, found.configurations)[: len(states)]):
        raise UserError(
            f"{path}/zarr.json has lost {lost}, and this command samples other bits than configurations/{name} holds: "
            "give the settings that the store was made with."
        )


def _tell(path: Path, broken: dict[str, str], sound: int) -> None:
    if broken:
        print(f"{path}: broken: {_listed([key + why for key, why in broken.items()])}.", flush=True)
    else:
        print(f"{path}: {sound} chunks, coordinates and metadata are sound, nothing is broken.", flush=True)


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
