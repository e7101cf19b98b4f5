"""A store's files: every object whole or absent, and one process at a time that creates it or joins its workers.

zarr's own ``LocalStore`` writes to a temporary file and renames it since 3.1, and wrote in place before; here a file
is also flushed to the disk before it gets its name, so that a name never stands for less than its whole content.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

from zarr.core.buffer import Buffer
from zarr.storage import LocalStore

from lattice_ml.ground import files
from lattice_ml.ground.errors import UserError
from lattice_ml.ground.files import PARTIAL, write_file

LOCK = ".lattice_ml.lock"
"""Held by the process that creates a store or joins its workers; marks a folder as ours to create a store in."""
PATIENCE = 60.0
"""Seconds to wait for the lock: whoever holds it writes a few small files."""


class AtomicStore(LocalStore):
    """zarr's folder store, with every object written by ``write_file``."""

    async def set(self, key: str, value: Buffer) -> None:
        await asyncio.to_thread(self.set_sync, key, value)

    def set_sync(self, key: str, value: Buffer) -> None:
        write_file(self.root / key, value.to_bytes())


def remove_partials(path: Path) -> None:
    """Remove what killed writers left in a store; only for the holder of its lock, where no worker lives."""
    for folder, _, names in os.walk(path):  # which does not mind a folder that is removed at the same time
        for name in names:
            if name.startswith(".") and name.endswith(PARTIAL):
                Path(folder, name).unlink(missing_ok=True)


def disk_errors(path: Path) -> contextlib.AbstractContextManager[None]:
    """Turn what the disk refuses into a ``UserError`` that names the store and the cure."""
    return files.disk_errors(path, "paths.stores")


@contextlib.contextmanager
def lock(path: Path) -> Iterator[None]:
    """Be the only process that creates the store at ``path`` or joins its workers; waits for one that does.

    Raises ``UserError`` if that takes longer than ``PATIENCE`` or the lock cannot be written.
    """
    taken = (
        f"another process has held {path / LOCK} for a minute: wait until it is done, or end it, and give the same "
        "command again."
    )
    given_up = time.monotonic() + PATIENCE
    with contextlib.ExitStack() as held:
        while True:
            try:
                with disk_errors(path):
                    held.enter_context(files.lock(path / LOCK, taken))
                break
            except UserError as error:
                if str(error) != taken or time.monotonic() > given_up:
                    raise
                time.sleep(0.05)
        yield
