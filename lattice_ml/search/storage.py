"""Where a study lives: a journal file, an SQLite file or a PostgreSQL database, each with its mutual exclusion.

Optuna's storages make single writes whole, but a decision ("fewer than n_trials were begun, so begin one") reads and
writes several times. ``Storage.decide`` lets one process at a time decide. The exclusion is a lock of the kernel
(flock) or of the database session (advisory lock): both end with the process that holds it, however it ends, and no
clock can take it from one that lives.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import importlib.util
import os
import random
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol, TypeVar

from lattice_ml.errors import UserError
from lattice_ml.files import disk_errors
from lattice_ml.redaction import redact

if TYPE_CHECKING:
    from optuna.storages import BaseStorage
    from sqlalchemy import URL, Engine

T = TypeVar("T")

PATIENCE = 1800.0
"""Seconds for which a database that does not answer is asked again: it may be restarted under a running study."""
TELL = 60.0
"""Seconds after which a wait is told about."""
UNSUPPORTED = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS)
BEGINS = b'{"op_code":'
"""The first bytes of a journal; one of which a kill left less than a line has a part of them."""
KNOWN = "a path, journal:///path, sqlite:///path or postgresql://user@host/database"


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
                with _held(self._mutex, self.place):
                    return decision()
            except Exception as error:
                if not _is_outage(error) or time.monotonic() - started > PATIENCE:
                    raise
            print(f"{self.place} does not answer: asking again.", file=sys.stderr, flush=True)
            _pause(1, 5)

    @contextmanager
    def unless_lost(self) -> Iterator[None]:
        """Leave out what is within, or the rest of it, where the database does not answer."""
        try:
            yield
        except Exception as error:
            if not _is_outage(error):
                raise


@contextmanager
def _held(mutex: Mutex, place: str) -> Iterator[None]:
    """Hold the mutex, asking for it ever more seldom: in turn, for as long as it takes."""
    asked, pause = time.monotonic(), 0.002
    while not mutex.try_acquire():
        _pause(0.5 * pause, 1.5 * pause)
        pause = min(2 * pause, 0.1)
        if time.monotonic() - asked > TELL:
            print(f"waiting for the worker that is deciding at {place}; has it been stopped?", file=sys.stderr)
            asked = time.monotonic()
    try:
        yield
    finally:
        mutex.release()


def _pause(shortest: float, longest: float) -> None:
    """Wait some seconds, not as long as others who began to wait at the same time."""
    time.sleep(random.uniform(shortest, longest))  # noqa: S311 no secret


def open_storage(address: str, study: str) -> Storage:
    """The storage of this address, made if it is new, and the decisions on this study.

    Raises ``UserError`` on an address of another kind and on one that cannot be reached or written.
    """
    scheme, separator, rest = address.partition("://")
    if not separator:
        return _open_journal(Path(address))
    if scheme == "journal":
        return _open_journal(Path(rest))
    if scheme.partition("+")[0] == "sqlite":
        return _open_sqlite(address)
    if scheme.partition("+")[0] in ("postgresql", "postgres"):
        return _open_postgresql(address, study)
    raise UserError(f"storage = {redact(address)} is of a kind that sweeps do not use: give {KNOWN}.")


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


class JournalLock:
    """What a journal's writer holds while it appends a line; Optuna's own would outlive a killed holder.

    Who acquires it also cuts off the beginning of a line that a kill or a full disk left at the end: the next line
    would be appended to it, and no line after that could be read.
    """

    def __init__(self, journal: Path) -> None:
        self.journal = journal
        self._mutex = FileMutex(journal.with_name(f".{journal.name}.appending"))

    def acquire(self) -> bool:
        while not self._mutex.try_acquire():
            _pause(0.0005, 0.003)
        with self.journal.open("rb+") as file:
            end = file.seek(0, os.SEEK_END)
            if end and _byte(file, end - 1) != b"\n":
                file.seek(0)
                file.truncate(file.read().rfind(b"\n") + 1)
        return True

    def release(self) -> None:
        self._mutex.release()


def _byte(file: IO[bytes], position: int) -> bytes:
    file.seek(position)
    return file.read(1)


def _open_journal(path: Path) -> Storage:
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    if path.is_dir():
        raise UserError(f"storage = {path} is a folder: give the path of a file, or none.")
    foreign = UserError(f"storage = {path} is no journal of Optuna: give the path of a new file, or none.")
    with disk_errors(path, "storage"):
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab+") as file:
            file.seek(0)
            if not BEGINS.startswith(file.read(len(BEGINS))):
                raise foreign
        lock: Any = JournalLock(path)  # it is no subclass of Optuna's, which is private
        try:
            backend = JournalStorage(JournalFileBackend(str(path), lock_obj=lock))
        except (ValueError, KeyError, TypeError, AssertionError):
            raise foreign from None
    return Storage(backend, FileMutex(path.with_name(f".{path.name}.deciding")), str(path))


def _open_sqlite(address: str) -> Storage:
    from optuna.storages import RDBStorage, get_storage
    from sqlalchemy import make_url

    database = _understood(make_url, address).database
    if not database or database == ":memory:" or database.startswith("file:"):
        raise UserError(f"storage = {address} is no file that workers could share: give sqlite:///path.")
    path = Path(database)
    with disk_errors(path, "storage"):
        path.parent.mkdir(parents=True, exist_ok=True)
        mutex = FileMutex(path.with_name(f".{path.name}.deciding"))
        with _held(mutex, address), _database_errors(address):  # two that make the tables at once would fail
            backend = RDBStorage(address, engine_kwargs={"connect_args": {"timeout": 120}})
    return Storage(get_storage(backend), mutex, address)


class LockLost(Exception):
    """The database session that held the lock has ended in the middle of a decision."""


class SessionMutex:
    """An advisory lock of PostgreSQL, held by the one session in which everything of this process is written.

    Were lock and writes in different sessions, the lock could be lost and the writes still be made. The engine must
    therefore have a pool of a single connection; if that is lost during a decision no other takes its place.
    """

    def __init__(self, engine: Engine, name: str) -> None:
        from sqlalchemy import event

        self._engine = engine
        self._key = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)
        self._deciding = False
        event.listen(engine, "connect", self._refuse)

    def try_acquire(self) -> bool:
        self._deciding = self._ask("SELECT pg_try_advisory_lock(:key)", key=self._key)
        return self._deciding

    def release(self) -> None:
        self._deciding = False
        try:
            self._ask("SELECT pg_advisory_unlock_all()")
        except BaseException as error:
            self._engine.dispose()  # the session's end is the lock's
            if not isinstance(error, Exception):
                raise

    def _ask(self, question: str, **values: Any) -> bool:
        from sqlalchemy import text

        with self._engine.connect() as connection:
            return bool(connection.scalar(text(question), values))

    def _refuse(self, *_: Any) -> None:
        if self._deciding:
            raise LockLost


def _open_postgresql(address: str, study: str) -> Storage:
    from optuna.storages import RDBStorage, get_storage
    from sqlalchemy import create_engine, make_url
    from sqlalchemy.pool import NullPool

    url = _with_driver(_understood(make_url, address.replace("postgres://", "postgresql://", 1)))
    whole = url.render_as_string(hide_password=False).replace("{", "{{").replace("}", "}}")  # Optuna formats it
    place = redact(address)
    arguments: dict[str, Any] = {}
    if url.drivername in ("postgresql+psycopg", "postgresql+psycopg2"):
        # A session whose machine was lost ends, with its lock, after a minute instead of hours; text is text even in a
        # database without an encoding.
        wanted = "tcp_keepalives_idle=30 tcp_keepalives_interval=10 tcp_keepalives_count=3 client_encoding=UTF8"
        given = url.query.get("options", "")
        options = [given if isinstance(given, str) else "", *(f"-c {setting}" for setting in wanted.split())]
        arguments = {"connect_args": {"options": " ".join(filter(None, options))}}
    with _database_errors(place):
        making = create_engine(url, pool_size=1, max_overflow=0, **arguments)
        with _held(SessionMutex(making, "lattice_ml"), place):  # two that make the tables at once would fail
            RDBStorage(whole, engine_kwargs={**arguments, "poolclass": NullPool}).engine.dispose()
        making.dispose()
        single = {**arguments, "pool_size": 1, "max_overflow": 0, "pool_timeout": 600}
        backend = RDBStorage(whole, engine_kwargs=single, skip_compatibility_check=True, skip_table_creation=True)
    return Storage(get_storage(backend), SessionMutex(backend.engine, f"lattice_ml {study}"), place)


def _with_driver(url: URL) -> URL:
    """The address with a driver that is installed, unless it names one."""
    if "+" in url.drivername:
        return url
    for driver in ("psycopg", "psycopg2"):
        if importlib.util.find_spec(driver):
            return url.set(drivername=f"postgresql+{driver}")
    raise UserError("no driver of PostgreSQL is installed: type pip install -e '.[postgres]'.")


def _understood(make_url: Callable[[str], URL], address: str) -> URL:
    from sqlalchemy.exc import ArgumentError

    try:
        return make_url(address)
    except (ArgumentError, ValueError):
        raise UserError(f"storage = {redact(address)} is no address of a database: give {KNOWN}.") from None


@contextmanager
def _database_errors(place: str) -> Iterator[None]:
    """What a database or its driver says at the beginning, in one sentence."""
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except ImportError as error:
        raise UserError(f"the driver of {place} is not installed: type pip install -e '.[postgres]'.") from error
    except (SQLAlchemyError, StorageInternalError) as error:
        cause = error.__cause__ or error
        said = next((line.strip() for line in str(getattr(cause, "orig", None) or cause).splitlines()), "no word")
        raise UserError(f"the database {place} cannot be used: {redact(said).rstrip('.')}.") from error
    except RuntimeError as error:  # the tables of another version
        raise UserError(f"the database {place} cannot be used: {redact(str(error)).splitlines()[0]}") from error


def _is_outage(error: Exception) -> bool:
    """Was the database lost, rather than told something wrong?"""
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import InterfaceError, OperationalError, TimeoutError

    cause = error.__cause__ if isinstance(error, StorageInternalError) else error
    return isinstance(cause, LockLost | OperationalError | InterfaceError | TimeoutError)
