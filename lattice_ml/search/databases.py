"""A study in an SQLite file or a PostgreSQL database, through SQLAlchemy."""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lattice_ml.ground.errors import UserError
from lattice_ml.ground.files import disk_errors
from lattice_ml.ground.redaction import redact
from lattice_ml.search.storage import FileMutex, LockLost, Storage, held

if TYPE_CHECKING:
    from sqlalchemy import URL, Engine

KNOWN = "a path, journal:///path, sqlite:///path or postgresql://user@host/database"
"""Addresses that a study can have, as they are told to the user."""


def open_sqlite(address: str) -> Storage:
    """The SQLite file of this address, made if it is new."""
    from optuna.storages import RDBStorage, get_storage
    from sqlalchemy import make_url

    database = _understood(make_url, address).database
    if not database or database == ":memory:" or database.startswith("file:"):
        raise UserError(f"storage = {address} is no file that workers could share: give sqlite:///path.")
    path = Path(database)
    with disk_errors(path, "storage"):
        path.parent.mkdir(parents=True, exist_ok=True)
        mutex = FileMutex(path.with_name(f".{path.name}.deciding"))
        with held(mutex, address), _database_errors(address):  # two that make the tables at once would fail
            backend = RDBStorage(address, engine_kwargs={"connect_args": {"timeout": 120}})
    return Storage(get_storage(backend), mutex, address)


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


def open_postgresql(address: str, study: str) -> Storage:
    """The PostgreSQL database of this address, and the decisions on the study of this name."""
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
        with held(SessionMutex(making, "lattice_ml"), place):  # two that make the tables at once would fail
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
