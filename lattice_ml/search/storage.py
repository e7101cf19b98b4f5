"""What a study is kept in, and the mutual exclusion of those who decide about it.

Optuna's storages make single writes whole, but a decision ("fewer than n_trials were begun, so begin one") reads and
writes several times. ``Storage.decide`` lets one process at a time decide. The exclusion is a lock of the kernel
(flock) or of the database session (advisory lock): both end with the process that holds it, however it ends, and no
clock can take it from one that lives.
"""

from __future__ import annotations

import errno
import fcntl
import random
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Protocol, TypeVar

from lattice_ml.ground.errors import UserError

if TYPE_CHECKING:
    from optuna.storages import BaseStorage

T = TypeVar("T")

PATIENCE = 1800.0
"""Seconds for which a database that does not answer is asked again: it may be restarted under a running study."""
TELL = 60.0
"""Seconds after which a wait is told about."""
UNSUPPORTED = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS)


class Mutex(Protocol):
    """Held by one process at a time, on all machines that reach the study."""

    def try_acquire(self) -> bool: ...
    def release(self) -> None: ...


class Storage:
    """Optuna's storage, the decisions about it, and its address as it may be shown."""

    def __init__(self, backend: BaseStorage, mutex: Mutex, place: str) -> None:
        self.backend, self.place = backend, place
        self._mutex = mutex

    def decide(self, decision: Callable[[], T]) -> T:
        """Call ``decision()`` while no other process decides; again, where the database was lost on the way.

        It must therefore begin by reading what is so, and leave nothing half said that a second call would not mend. It
        may be cut off between any two writes by a kill.
        """
        started = time.monotonic()
        while True:
            try:
                with held(self._mutex, self.place):
                    return decision()
            except Exception as error:
                if not _is_outage(error) or time.monotonic() - started > PATIENCE:
                    raise
            print(f"{self.place} does not answer: asking again.", file=sys.stderr, flush=True)
            pause(1, 5)

    @contextmanager
    def unless_lost(self) -> Iterator[None]:
        """Leave out what is within, or the rest of it, where the database does not answer."""
        try:
            yield
        except Exception as error:
            if not _is_outage(error):
                raise


@contextmanager
def held(mutex: Mutex, place: str) -> Iterator[None]:
    """Hold the mutex, asking for it ever more seldom: in turn, for as long as it takes."""
    asked, longest = time.monotonic(), 0.002
    while not mutex.try_acquire():
        pause(longest / 3, longest)
        longest = min(2 * longest, 0.15)
        if time.monotonic() - asked > TELL:
            print(f"waiting for the worker that is deciding at {place}; has it been stopped?", file=sys.stderr)
            asked = time.monotonic()
    try:
        yield
    finally:
        mutex.release()


def pause(shortest: float, longest: float) -> None:
    """Wait some seconds, not as long as others who began to wait at the same time."""
    time.sleep(random.uniform(shortest, longest))  # noqa: S311 no secret


class FileMutex:
    """An exclusive flock on a file of its own; works on NFS and between the threads of a process too."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: IO[bytes] | None = None

    def try_acquire(self) -> bool:
        if self._file is not None:
            return True  # Ctrl-C came before it could be released
        file = self.path.open("ab")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            return False
        except OSError as error:
            file.close()
            if error.errno in UNSUPPORTED:
                raise UserError(
                    f"the file system of {self.path.parent} has no locks, which workers need: give storage=<a path "
                    "elsewhere> or storage=postgresql://user@host/database."
                ) from error
            raise
        self._file = file
        return True

    def release(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


class LockLost(Exception):
    """The database session that held the lock has ended in the middle of a decision."""


def _is_outage(error: Exception) -> bool:
    """Was the database lost, rather than told something wrong?

    Where Optuna asks once more in another way, in the transaction that was lost, that is what is left to be told.
    """
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import InterfaceError, OperationalError, PendingRollbackError, TimeoutError

    cause = error.__cause__ if isinstance(error, StorageInternalError) else error
    return isinstance(cause, LockLost | OperationalError | InterfaceError | PendingRollbackError | TimeoutError)
