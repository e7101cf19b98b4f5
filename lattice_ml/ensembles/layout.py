"""The layout of a store: shapes, chunks and every byte of metadata. ``docs/store.md`` says the same in words.

``configurations`` is ``[point, replica, sample, species, x, y]`` of the system's dtype in chunks of one point and a
block of replicas; everything else is a coordinate of a few numbers.
"""

from __future__ import annotations

import itertools
import math
import subprocess
import warnings
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from zarr.codecs import BloscCodec, Crc32cCodec
from zarr.storage import MemoryStore

import lattice_ml
from lattice_ml.ensembles.plan import Plan
from lattice_ml.systems.base import Sampler, System

KIND, VERSION = "lattice_ml.ensemble", 1
DIMENSIONS = ("point", "replica", "sample", "species", "x", "y")
LARGEST_BLOCK = 8
LARGEST_CHUNK = 2**28
"""Bytes of an uncompressed chunk; Blosc ends at 2**31, and a reader holds a whole chunk in memory."""
VERDICT = "equilibration.json"
"""Beside the arrays: what ``equilibration`` found."""
KEYS = {"name": "default", "separator": "."}
"""Objects of an array lie flat beside its metadata: ``c.3.0.0.0.0.0``."""

Chunk = tuple[int, int]
"""Position in the grid of chunks: point, replica block."""


def object_name(chunk: Chunk) -> str:
    """Name of a chunk's object among those of ``configurations``; that it exists means that the chunk is done."""
    return f"c.{chunk[0]}.{chunk[1]}.0.0.0.0"


def replica_bytes(system: System, plan: Plan) -> int:
    """Bytes of the samples of one replica at one point, uncompressed (2 per count)."""
    return np.dtype(system.dtype).itemsize * plan.samples * len(system.species) * math.prod(system.extents)


def replica_block(system: System, plan: Plan) -> int:
    """Replicas in a chunk: all of them up to 8, fewer where a chunk would pass 256 MiB uncompressed."""
    return max(1, min(plan.replicas, LARGEST_BLOCK, LARGEST_CHUNK // replica_bytes(system, plan)))


def replicas_of(chunk: Chunk, system: System, plan: Plan) -> range:
    """The replica numbers in a chunk."""
    block = replica_block(system, plan)
    return range(chunk[1] * block, min((chunk[1] + 1) * block, plan.replicas))


def all_chunks(system: System, plan: Plan) -> list[Chunk]:
    """Every chunk of the ensemble, in the order of the plan."""
    blocks = math.ceil(plan.replicas / replica_block(system, plan))
    return list(itertools.product(range(len(plan.points)), range(blocks)))


def identity(system: System, sampler: Sampler, plan: Plan) -> dict[str, Any]:
    """What fixes the bits of an ensemble, in the order in which differences are told."""
    planned = {key: value for key, value in plan.attributes().items() if key != "name"}
    return {
        "system": system.parameters(),
        "plan": planned,
        "sampler": [sampler.settings(point) for point in plan.points],
    }


def empty_ensemble(system: System, sampler: Sampler, plan: Plan) -> Iterator[tuple[str, bytes]]:
    """Names and contents of every file of an ensemble without configurations, the root's ``zarr.json`` last."""
    memory: dict[str, Any] = {}
    group = zarr.create_group(MemoryStore(memory), zarr_format=3)
    group.attrs.update(
        {
            "schema": f"{KIND}/{VERSION}",
            **identity(system, sampler, plan),
            "plan": plan.attributes(),
            "package_version": lattice_ml.__version__,
            "commit": source_commit(),
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
        }
    )
    sizes = (len(plan.points), plan.replicas, plan.samples, len(system.species), *system.extents)
    group.create_array(
        "configurations",
        shape=sizes,
        chunks=(1, replica_block(system, plan), *sizes[2:]),
        dtype=system.dtype,
        # Measured on Poisson counts at rho0 = 3 and 8: 2.5 and 3.5 bits a count, at some 0.3 GB/s.
        # The checksum is of the compressed bytes: what is broken is found before it is decompressed.
        compressors=[BloscCodec(cname="zstd", clevel=3, shuffle="bitshuffle"), Crc32cCodec()],
        chunk_key_encoding=KEYS,  # pyright: ignore[reportArgumentType]
        dimension_names=DIMENSIONS,
        attributes={
            "long_name": "number of each species on a site",
            "coordinates": " ".join([*plan.parameters, "time"]),
        },
    )
    times = np.array([plan.times(point) for point in plan.points], dtype=np.float64)
    since = {"long_name": "time since the start state", "units": system.time_unit}
    _coordinate(group, "time", times, ("point", "sample"), **since)
    for name in plan.parameters:
        values = np.array([point[name] for point in plan.points], dtype=np.float64)
        _coordinate(group, name, values, ("point",), long_name="control parameter")
    _coordinate(group, "replica", np.arange(plan.replicas, dtype=np.int32), ("replica",))
    _coordinate(group, "sample", np.arange(plan.samples, dtype=np.int32), ("sample",))
    # Names as CF flags: strings are not part of the Zarr v3 specification yet.
    numbers = np.arange(len(system.species), dtype=np.uint8)
    flags = {"flag_values": numbers.tolist(), "flag_meanings": " ".join(system.species)}
    _coordinate(group, "species", numbers, ("species",), **flags)
    with warnings.catch_warnings():  # consolidated metadata are an extension; xarray looks for them first
        warnings.simplefilter("ignore")
        zarr.consolidate_metadata(group.store, zarr_format=3)
    for key in sorted(memory, key=lambda key: (key == "zarr.json", key)):
        yield key, memory[key].to_bytes()


def _coordinate(
    group: zarr.Group, name: str, values: np.ndarray, dimensions: tuple[str, ...], **attributes: Any
) -> None:
    """Add a coordinate in one uncompressed chunk with its checksum."""
    array = group.create_array(
        name,
        shape=values.shape,
        chunks=values.shape,
        dtype=values.dtype,
        compressors=[Crc32cCodec()],
        chunk_key_encoding=KEYS,  # pyright: ignore[reportArgumentType]
        dimension_names=dimensions,
        attributes=attributes,
        config={"write_empty_chunks": True},
    )
    array[...] = values


def source_commit() -> str:
    """The git commit of the checkout that the package runs from, ``-dirty`` if edited since; else "unknown"."""
    root = Path(lattice_ml.__file__).resolve().parents[1]
    if not (root / ".git").exists():
        return "unknown"
    command = ["git", "-C", str(root), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)  # noqa: S603 - fixed words
        return found.stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return "unknown"
