"""A store's files: every object whole or absent, one writer at a time.

zarr's own ``LocalStore`` writes to a temporary file and renames it since 3.1, and wrote in place before; here a file
is also flushed to the disk before it gets its name, so that a name never stands for less than its whole content.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path

from zarr.core.buffer import Buffer
from zarr.storage import LocalStore

from lattice_ml import files
from lattice_ml.files import PARTIAL, write_file

LOCK = ".lattice_ml.lock"
"""Held by the process that writes into a store, and the mark of a folder that is ours to create a store in."""


class AtomicStore(LocalStore):
    """zarr's folder store, with every object written by ``write_file``."""

    async def set(self, key: str, value: Buffer) -> None:
        await asyncio.to_thread(self.set_sync, key, value)

    def set_sync(self, key: str, value: Buffer) -> None:
        write_file(self.root / key, value.to_bytes())


def remove_partials(path: Path) -> None:
    """Remove what killed writers left in a store; only for the holder of its lock."""
    for partial in path.rglob(f".*{PARTIAL}"):
        partial.unlink(missing_ok=True)


def disk_errors(path: Path) -> contextlib.AbstractContextManager[None]:
    """Turn what the disk refuses into a ``UserError`` that names the store and the cure."""
    return files.disk_errors(path, "paths.stores")


@contextlib.contextmanager
def lock(path: Path) -> Iterator[None]:
    """Be the only process that writes into the store at ``path``; ``UserError`` if another one does or it cannot be."""
    taken = (
        f"another process is sampling into {path}: wait until it is done, or give this ensemble a name of its own "
        "with ensemble.name=..."
    )
    with contextlib.ExitStack() as held:
        with disk_errors(path):
            held.enter_context(files.lock(path / LOCK, taken))
        yield
