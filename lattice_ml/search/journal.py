"""A study in a journal file: no server, and as many workers as reach the file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import IO, Any

from lattice_ml.ground.errors import UserError
from lattice_ml.ground.files import disk_errors
from lattice_ml.search.storage import FileMutex, Storage, pause

BEGINS = b'{"op_code":'
"""The first bytes of a journal; one of which a kill left less than a line has a part of them."""


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
            pause(0.0005, 0.003)
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


def open_journal(path: Path) -> Storage:
    """The journal at ``path``, made if it is new. Raises ``UserError`` on a file of another kind."""
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
