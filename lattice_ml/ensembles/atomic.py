"""Writing that survives kill -9, a full disk and a second writer.

zarr's own ``LocalStore`` writes to a temporary file and renames it since 3.1, and wrote in place before; here a file
is also flushed to the disk before it gets its name, so that a name never stands for less than its whole content.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

from zarr.core.buffer import Buffer
from zarr.storage import LocalStore

from lattice_ml.errors import UserError

LOCK = ".lattice_ml.lock"
"""Held by the process that writes into a store, and the mark of a folder that is ours to create a store in."""

PARTIAL = ".partial"
"""Ends the name of a file that is still being written, or that a killed process left behind."""


def write_file(path: Path, content: bytes) -> None:
    """Give ``path`` this content, all of it or none: temporary file, flush to disk, rename."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{uuid.uuid4().hex}{PARTIAL}")
    try:
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise


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


@contextlib.contextmanager
def lock(path: Path) -> Iterator[None]:
    """Be the only process that writes into the store at ``path``.

    The kernel drops the lock when its holder dies, however it dies. On a file system without locks it holds nobody
    back. Raises ``UserError`` if another process holds it, or if the store cannot be written.
    """
    import fcntl

    with disk_errors(path):
        file = (path / LOCK).open("a")
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(
                f"another process is sampling into {path}: wait until it is done, or give this ensemble a name of "
                "its own with ensemble.name=..."
            ) from None
        except OSError as error:
            if error.errno not in (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EBADF):
                raise
        yield


@contextlib.contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn what the disk refuses into a ``UserError`` that names the store and the cure."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise UserError(
                f"the disk is full: {path} could not be written any further, so free some space and give the same "
                "command again, which goes on from the chunks that are already there."
            ) from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST, errno.ENAMETOOLONG):
            raise UserError(
                f"{path} cannot be written ({os.strerror(error.errno).lower()}): give a folder that can, "
                "with paths.stores=..."
            ) from error
        raise
