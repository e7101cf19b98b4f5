"""Where a study lives: a journal file, an SQLite file or a PostgreSQL database, by its address."""

from __future__ import annotations

from pathlib import Path

from lattice_ml.ground.errors import UserError
from lattice_ml.ground.redaction import redact
from lattice_ml.search.databases import KNOWN, open_postgresql, open_sqlite
from lattice_ml.search.journal import open_journal
from lattice_ml.search.storage import Storage


def open_storage(address: str, study: str) -> Storage:
    """The storage of this address, made if it is new, and the decisions on this study.

    Raises ``UserError`` on an address of another kind and on one that cannot be reached or written.
    """
    scheme, separator, rest = address.partition("://")
    if not separator:
        return open_journal(Path(address))
    if scheme == "journal":
        return open_journal(Path(rest))
    if scheme.partition("+")[0] == "sqlite":
        return open_sqlite(address)
    if scheme.partition("+")[0] in ("postgresql", "postgres"):
        return open_postgresql(address, study)
    raise UserError(f"storage = {redact(address)} is of a kind that sweeps do not use: give {KNOWN}.")
