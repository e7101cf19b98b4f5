"""Writing that survives kill -9, a full disk and a second writer."""

from __future__ import annotations

import contextlib
import errno
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

from lattice_ml.ground.errors import UserError

PARTIAL = ".partial"
"""Ends the name of a file that is still being written, or that a killed process left behind."""


class Taken(UserError):
    """Another process holds the lock file."""


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


@contextlib.contextmanager
def lock(path: Path, taken: str) -> Iterator[None]:
    """Hold the lock file at ``path``; ``Taken(taken)``, a ``UserError``, if another process does.

    The kernel drops the lock when its holder dies, however it dies. On a file system without locks it holds nobody
    back.
    """
    import fcntl

    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Taken(taken) from None
        except OSError as error:
            if error.errno not in (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EBADF):
                raise
        yield


@contextlib.contextmanager
def disk_errors(path: Path, setting: str) -> Iterator[None]:
    """Turn what the disk refuses into a ``UserError`` that names the place and the setting that moves it."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise UserError(
                f"the disk is full: {path} could not be written any further, so free some space and give the same "
                "command again, which goes on from what is already there."
            ) from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST, errno.ENAMETOOLONG):
            raise UserError(
                f"{path} cannot be written ({os.strerror(error.errno).lower()}): give a folder that can, "
                f"with {setting}=..."
            ) from error
        raise
