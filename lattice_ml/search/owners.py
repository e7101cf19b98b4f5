"""Who works on a trial, and whether it still does.

On one machine the process itself tells, at once. Elsewhere its heartbeat does: a counter that the owner raises and that
an observer watches by its own clock alone, so that no two clocks are ever compared.
"""

from __future__ import annotations

import os
import socket
import threading
import time
import uuid
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from lattice_ml.ground.processes import birth, machine

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

OWNER = "owner"
"""User attribute of a trial: who took it last. Its ``id`` is new with every taking."""
BEAT = "beat"
"""User attribute of a trial: ``[owner's id, counter]``."""


def identify() -> dict[str, Any]:
    """This process, about to take a trial."""
    pid = os.getpid()
    return {"id": uuid.uuid4().hex, "host": socket.gethostname(), "machine": machine(), "pid": pid, "born": birth(pid)}


def is_this_process(owner: Mapping[str, Any]) -> bool:
    """Was the trial taken by the process that asks?"""
    me = identify()
    return all(owner.get(key) == me[key] for key in ("machine", "pid", "born"))


def has_died(owner: Mapping[str, Any]) -> bool:
    """Is the owner a process of this machine that is gone? False where that cannot be told."""
    if owner.get("machine") != machine() or not isinstance(owner.get("pid"), int):
        return False
    born = birth(owner["pid"])
    return born is None or bool(born and owner.get("born") and born != owner["born"])


class Observer:
    """For how long the owners of running trials have been silent while this process looked.

    interval: seconds between two looks, at least; a longer gap (this process was stopped, or waited for a lock that
    another one held) counts as no more than that, as nobody could be heard in it. May be shared by threads.
    """

    def __init__(self, interval: float) -> None:
        self._interval = interval
        self._signs: dict[int, Any] = {}
        self._silent: dict[int, float] = {}
        self._looked = time.monotonic()
        self._lock = threading.Lock()

    def look(self, running: Iterable[FrozenTrial]) -> None:
        """Take note of every owner's heartbeat."""
        with self._lock:
            now = time.monotonic()
            passed, self._looked = min(now - self._looked, self._interval), now
            signs, silent = {}, {}
            for trial in running:
                sign = [trial.user_attrs.get(OWNER, {}).get("id"), trial.user_attrs.get(BEAT)]
                same = self._signs.get(trial.number) == sign
                signs[trial.number] = sign
                silent[trial.number] = self._silent[trial.number] + passed if same else 0.0
            self._signs, self._silent = signs, silent

    def silence(self, trial: FrozenTrial) -> float:
        """Seconds since the last sign of life of its owner, as far as they were watched."""
        with self._lock:
            return self._silent.get(trial.number, 0.0)
