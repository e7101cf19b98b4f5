"""Claims: which worker samples which chunk, among processes that share the store's file system and nothing else.

A worker is a process that samples into a store. It keeps a card in ``.lattice_ml.claims`` that says who it is, and a
claim is a hard link to that card, ``<point>.<block>.<number>``: made in one step, whole from its first moment, refused
where the name exists, on NFS too. The card's modification time is the heartbeat of all its claims.

A dead worker's claim is not removed but outnumbered: who takes its chunk over links the next number, which one process
alone can do. A finished chunk needs no claim; who claims one finds its object there and lets go.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import socket
import time
import uuid
from pathlib import Path

from lattice_ml.ensembles.layout import Chunk, object_name
from lattice_ml.ground.atomic import LOCK
from lattice_ml.ground.errors import UserError
from lattice_ml.ground.files import PARTIAL
from lattice_ml.ground.processes import birth, machine

FOLDER = ".lattice_ml.claims"
CARD = "worker."
HEARTBEAT = 30.0
"""Seconds between heartbeats."""
STALE = 300.0
"""Seconds without a heartbeat after which a worker on another machine is taken for dead: ten heartbeats, and well above
the minute for which an NFS client may show an old time."""
TRUST = 2.0
"""Seconds for which a claim that was found alive is not looked at again."""


class Claims:
    """This process's claims in the store at ``path``; it is a worker there until ``leave``.

    Not for several threads at once. Raises ``OSError`` where nothing can be written.
    """

    def __init__(self, path: Path) -> None:
        self.folder = path / FOLDER
        self.held: dict[Chunk, Path] = {}
        self._path = path
        self._content = _card()
        self._card = self.folder / f"{CARD}{json.loads(self._content)['id']}"
        self._trusted: dict[str, float] = {}
        self._beaten = time.monotonic()
        self._enrol()

    def numbers(self) -> dict[Chunk, int]:
        """The highest number of a claim on each chunk that has any."""
        self._enrol()
        newest: dict[Chunk, int] = {}
        for name in os.listdir(self.folder):
            claim = _parse(name)
            if claim:
                newest[claim[0]] = max(claim[1], newest.get(claim[0], 0))
        return newest

    def take(self, chunk: Chunk, number: int | None) -> bool:
        """Claim a chunk whose newest claim has this number; False if it is done, or a living worker's."""
        if number is not None and self._lives(chunk, number):
            return False
        claim = self.folder / _name(chunk, 0 if number is None else number + 1)
        if not self._link(claim):
            return False
        self.held[chunk] = claim
        configurations = self._path / "configurations"
        if (configurations / object_name(chunk)).exists():  # since the caller looked
            self.release(chunk)
            return False
        if number is not None:  # a dead worker may have been writing it, and nobody else is
            for partial in configurations.glob(f".{object_name(chunk)}.*{PARTIAL}"):
                partial.unlink(missing_ok=True)
        return True

    def release(self, chunk: Chunk) -> None:
        """Give a chunk back, done or not."""
        self.held.pop(chunk).unlink(missing_ok=True)

    def beat(self) -> None:
        """Show that this worker lives, every ``HEARTBEAT`` seconds; cheap in between."""
        if time.monotonic() - self._beaten < HEARTBEAT:
            return
        self._beaten = time.monotonic()
        for path in (self._card, *self.held.values()):  # one file, unless the file system has no hard links
            with contextlib.suppress(FileNotFoundError):
                os.utime(path)

    def leave(self) -> None:
        """Give back what is held and be no worker any more; remove what the dead left that nobody needs."""
        for chunk in list(self.held):
            self.release(chunk)
        self._card.unlink(missing_ok=True)
        with contextlib.suppress(FileNotFoundError):  # another one left at the same time and was quicker
            for name in os.listdir(self.folder):
                claim, path = _parse(name), self.folder / name
                done = claim and (self._path / "configurations" / object_name(claim[0])).exists()
                if done or (name.startswith(CARD) and not _is_alive(path, self._path)):
                    path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # others are at work, or a dead worker's chunks are missing
            self.folder.rmdir()

    def _enrol(self) -> None:
        """Put the card there: at the beginning, and where others cleared it away because they took us for dead."""
        while not self._card.exists():
            try:
                self.folder.mkdir(exist_ok=True)
            except FileNotFoundError:
                raise UserError(f"{self._path} was removed while it was sampled: give the command again.") from None
            with contextlib.suppress(FileNotFoundError):  # the last worker but us has just removed the empty folder
                _write_new(self._card, self._content)

    def _lives(self, chunk: Chunk, number: int) -> bool:
        """Whether the claim's worker lives; a claim that changes under our eyes counts as alive until the next look."""
        name = _name(chunk, number)
        if self._trusted.get(name, 0.0) < time.monotonic():
            if not _is_alive(self.folder / name, self._path):
                return False
            self._trusted[name] = time.monotonic() + TRUST
        return True

    def _link(self, claim: Path) -> bool:
        """Give the card another name; False if the name exists."""
        try:
            os.link(self._card, claim)
        except FileExistsError:
            # NFS repeats a request whose answer was lost, and then refuses what it has done.
            return _read(claim) == self._content
        except OSError as error:
            if error.errno not in (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK):
                raise
            return _write_new(claim, self._content)  # no hard links here
        return True


def living(path: Path) -> list[str]:
    """The machines of the living workers in the store at ``path``, one entry each."""
    try:
        names = [name for name in os.listdir(path / FOLDER) if name.startswith(CARD)]
    except FileNotFoundError:
        return []
    alive = [card for name in names if _is_alive(card := path / FOLDER / name, path)]
    return sorted(_identity(_read(card)).get("host", "another machine") for card in alive)


def _card() -> bytes:
    """Who this worker is; ``id`` is new in every campaign."""
    pid = os.getpid()
    identity = {"id": uuid.uuid4().hex, "host": socket.gethostname(), "machine": machine(), "pid": pid}
    return json.dumps(identity | {"born": birth(pid)}).encode()


def _is_alive(path: Path, store: Path) -> bool:
    """Whether the worker of this card or claim lives: on this machine its process, elsewhere its heartbeat, tells."""
    content = _read(path)
    if content is None:
        return True
    identity = _identity(content)
    if identity.get("machine") == machine() and isinstance(identity.get("pid"), int):
        born = birth(identity["pid"])
        if born is None:
            return False
        if born and identity.get("born"):
            return born == identity["born"]
    try:
        # The file system's clock on both sides: those of two machines may differ.
        (store / LOCK).touch()
        return (store / LOCK).stat().st_mtime - path.stat().st_mtime < STALE
    except FileNotFoundError:
        return True


def _name(chunk: Chunk, number: int) -> str:
    return f"{chunk[0]}.{chunk[1]}.{number}"


def _parse(name: str) -> tuple[Chunk, int] | None:
    """Chunk and number of a claim; None for other files."""
    parts = name.split(".")
    if len(parts) != 3 or not all(part.isascii() and part.isdigit() for part in parts):
        return None
    return (int(parts[0]), int(parts[1])), int(parts[2])


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _identity(content: bytes | None) -> dict:
    """What a card says; nothing where its writer was killed before it was whole."""
    try:
        identity = json.loads(content or b"")
    except ValueError:
        return {}
    return identity if isinstance(identity, dict) else {}


def _write_new(path: Path, content: bytes) -> bool:
    """Create a file that must not exist; False if it does."""
    try:
        with path.open("xb") as file:
            file.write(content)
    except FileExistsError:
        return False
    return True
