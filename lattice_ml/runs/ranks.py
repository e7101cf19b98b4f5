"""Several processes train one net: rank 0 leads the run, the others wait until there is something to train on.

The leader alone samples, names the phases, writes and reports. A follower needs to know one thing, the run's folder,
and to know it only when the labels lie there. Lightning starts a node's followers itself, when the training begins:
they find the folder in the environment. Processes that a launcher starts all at once (srun, torchrun, one command a
node) ask the leader over TCP, at the address of the training and a port of our own.
"""

from __future__ import annotations

import ctypes
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from lattice_ml.ground.errors import UserError

if TYPE_CHECKING:
    from lightning import Trainer

FOLDER = "LATTICE_ML_RUN_FOLDER"
"""Environment variable: the run that a follower belongs to."""

CONNECT = timedelta(minutes=10)
"""How long a follower tries to reach a leader that may still be starting."""

WAIT = timedelta(days=30)
"""How long it then waits while the leader samples; it ends at once when the leader does."""

PR_SET_PDEATHSIG = 1  # linux/prctl.h


@contextmanager
def leading(trainer: Trainer) -> Iterator[Callable[[Path], None]]:
    """Of the leader: answer the followers' question with the folder that the yielded function is called with."""
    if not _answers(trainer):
        yield lambda folder: os.environ.__setitem__(FOLDER, str(folder.absolute()))
        return
    from torch.distributed import TCPStore  # pyright: ignore[reportPrivateImportUsage]

    host, port = _address(trainer)
    try:
        store = TCPStore(host, port, is_master=True, wait_for_workers=False)
    except RuntimeError as error:
        raise UserError(
            f"port {port} of {host}, where the other processes ask for the run, cannot be opened: give another "
            "MASTER_PORT (ours is 10000 away from it)."
        ) from error

    def announce(folder: Path) -> None:
        os.environ[FOLDER] = str(folder.absolute())
        store.set(FOLDER, str(folder.absolute()))

    yield announce


def leaders_folder(trainer: Trainer) -> Path:
    """Of a follower: the run's folder, once the leader has everything that training needs.

    Raises ``UserError`` if there is no leader, or if it ends before that.
    """
    if FOLDER in os.environ:
        _die_with_parent()
        return Path(os.environ[FOLDER])
    from torch.distributed import TCPStore  # pyright: ignore[reportPrivateImportUsage]

    host, port = _address(trainer)
    try:
        store = TCPStore(host, port, is_master=False, timeout=CONNECT)
        store.wait([FOLDER], WAIT)
        folder = store.get(FOLDER).decode()
    except RuntimeError as error:
        raise UserError(
            f"rank {trainer.global_rank} has lost the leader of the run at {host}: what it said stands in the log of "
            "rank 0, and the same command on all nodes goes on."
        ) from error
    os.environ[FOLDER] = folder  # for the followers that Lightning starts on this node
    return Path(folder)


def _answers(trainer: Trainer) -> bool:
    """Are there followers that the leader's Lightning does not start itself?"""
    environment = getattr(trainer.strategy, "cluster_environment", None)
    started = environment is not None and environment.creates_processes_externally
    return trainer.world_size > 1 and (started or trainer.num_nodes > 1)


def _address(trainer: Trainer) -> tuple[str, int]:
    environment = trainer.strategy.cluster_environment  # type: ignore[attr-defined]
    port = environment.main_port
    return environment.main_address, port + 10_000 if port + 10_000 < 2**16 else port - 10_000


def _die_with_parent() -> None:
    """A follower that Lightning started ends with its leader, however that ends: alone it would wait on (Linux)."""
    if hasattr(ctypes.CDLL(None), "prctl"):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
