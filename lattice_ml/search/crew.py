"""Several workers on this machine: the same command in processes of their own, started again when they die.

The leader trains nothing. It prints a line for each finished trial, ends its workers when it is ended, and they end by
themselves when it is killed: their standard input is a pipe from it, which then closes.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from lattice_ml.ground.errors import UserError
from lattice_ml.search.claims import Claims
from lattice_ml.search.results import best_of, trial_line

MEMBER = "LATTICE_ML_CREW"
"""Environment variable of a worker that a leader started: the leader's process number."""
LOOK = 0.5
"""Seconds between two looks at the workers."""
REST = 2.0
"""Seconds before a dead worker is started again."""
DEFECTS = 5
"""So many workers that end by an error of ours, without a finished trial between them, end the sweep."""
CRASHES = (1, -signal.SIGSEGV, -signal.SIGABRT, -signal.SIGBUS, -signal.SIGILL, -signal.SIGFPE)
"""Exit codes that tell of such an error; a worker that somebody killed is started again as often as that happens."""
LEAVE = 60.0
"""Seconds that workers have to put their trials back before they are killed, which costs those nothing but time."""


def is_member() -> bool:
    """Was this process started by the leader of a crew?"""
    return MEMBER in os.environ


def follow_leader() -> None:
    """In a member: press Ctrl-C here when the leader is gone."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a leader in the background may have handed on "ignore"

    def wait() -> None:
        os.read(sys.stdin.fileno(), 1)  # nothing is ever written: it returns when the other end closes
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=wait, name="leader", daemon=True).start()


def lead(claims: Claims, workers: int, logs: Path, accelerated: bool) -> None:
    """Let so many workers finish the study's trials; logs: the folder for what they print.

    accelerated: they may train on GPUs, which are then shared out among them. Raises ``UserError`` with the sentence of
    a worker that ended with one, ``KeyboardInterrupt`` when all workers have put their trials back.
    """
    logs.mkdir(parents=True, exist_ok=True)
    names = [f"{socket.gethostname()}-{os.getpid()}-{k}.log" for k in range(workers)]
    crew = [_Worker(logs / name, _share(k, workers, accelerated)) for k, name in enumerate(names)]
    defects, finished = 0, False
    try:
        with _shown(claims) as show:
            while not finished:
                with claims.storage.unless_lost():
                    finished = claims.are_all_finished()
                    defects = 0 if show() else defects
                for worker in crew:
                    code = worker.look()
                    if code == 2:
                        raise UserError(worker.said())
                    defects += code in CRASHES
                if defects >= DEFECTS:
                    raise UserError(f"the workers stopped because of a defect: {logs} holds what they said.")
                time.sleep(0 if finished else LOOK)
            for worker in crew:
                worker.end(LEAVE)
    finally:
        for worker in crew:
            worker.send(signal.SIGINT)
        ends = time.monotonic() + LEAVE
        for worker in crew:
            worker.end(ends - time.monotonic())


class _Worker:
    """One worker's place, filled again when its process dies."""

    def __init__(self, log: Path, environment: dict[str, str]) -> None:
        self.log = log
        self._environment = environment
        self._died: float | None = None
        self._start()

    def look(self) -> int | None:
        """The exit code, once, of a process that has ended; the next one starts after a rest."""
        if self._died is not None:
            if time.monotonic() - self._died > REST:
                self._start()
            return None
        code = self._process.poll()
        if code is not None:
            self._died = time.monotonic()
        return code

    def said(self) -> str:
        """The sentence with which the process ended itself."""
        text = self.log.read_text(encoding="utf-8", errors="replace")
        found = re.findall(r"^error: (.+)$", text, re.MULTILINE)
        return found[-1] if found else f"a worker ended without a word: see {self.log}."

    def send(self, number: int) -> None:
        if self._process.poll() is None:
            self._process.send_signal(number)

    def end(self, seconds: float) -> None:
        """Wait for the end of the process, and kill it after so many seconds."""
        try:
            self._process.wait(max(0.0, seconds))
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _start(self) -> None:
        self._died = None
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 our own command line again
                [sys.executable, *sys.argv],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **self._environment},
                start_new_session=True,  # Ctrl-C on the terminal reaches the leader alone, which hands it on once
            )


def _share(k: int, workers: int, accelerated: bool) -> dict[str, str]:
    """The environment of the k-th of so many workers: its share of the cores, and one of several GPUs."""
    own = {MEMBER: str(os.getpid())}
    if "OMP_NUM_THREADS" not in os.environ:
        own["OMP_NUM_THREADS"] = str(max(1, len(os.sched_getaffinity(0)) // workers))
    if accelerated:
        visible = os.environ.get("CUDA_VISIBLE_DEVICES")
        devices = visible.split(",") if visible else [str(device) for device in range(_count_gpus())]
        if len(devices) > 1:
            own["CUDA_VISIBLE_DEVICES"] = devices[k % len(devices)]
    return own


def _count_gpus() -> int:
    import torch

    return torch.cuda.device_count()


@contextmanager
def _shown(claims: Claims) -> Iterator[Callable[[], bool]]:
    """Yields a function that prints a line for each newly finished trial and says whether there was one."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    console, study = Console(), claims.study
    seen = {trial.number for trial in study.get_trials(deepcopy=False) if trial.state.is_finished()}
    with Progress(*columns, console=console, disable=not console.is_terminal, speed_estimate_period=3600) as progress:
        task = progress.add_task(study.study_name, total=claims.n_trials)

        def show() -> bool:
            finished = [trial for trial in study.get_trials(deepcopy=False) if trial.state.is_finished()]
            new = [trial for trial in finished if trial.number not in seen]
            for trial in new:
                console.print(trial_line(trial), highlight=False, markup=False, soft_wrap=True)
            seen.update(trial.number for trial in new)
            best = best_of(study)
            said = f"{study.study_name}: best {best[0].values[0]:.4g}" if best else study.study_name
            progress.update(task, completed=claims.count_finished(), description=said)
            return bool(new)

        yield show
