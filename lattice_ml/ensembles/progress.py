"""How far a campaign is: a bar on a terminal, a line now and then in a log file."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

LINE_EVERY = 10.0
"""Seconds between the lines that stand for the progress bar where the output is not a terminal."""

Report = Callable[[float], None]
"""Called with all the work that is done since the beginning, whoever did it."""


def show(label: str, total: float) -> AbstractContextManager[Report]:
    """Show how much of the ``total`` work is done, with an estimate of the time left."""
    return _bar(label, total) if sys.stdout.isatty() else _lines(label, total)


@contextmanager
def _bar(label: str, total: float) -> Iterator[Report]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    # The speed is averaged over minutes: points differ in cost.
    with Progress(*columns, speed_estimate_period=300) as progress:
        task = progress.add_task(label, total=total)
        yield lambda done: progress.update(task, completed=done)


@contextmanager
def _lines(label: str, total: float) -> Iterator[Report]:
    started = printed = time.monotonic()
    first: tuple[float, float] | None = None  # time and work of the first report, before which much is compiled

    def report(done: float) -> None:
        nonlocal printed, first
        now = time.monotonic()
        first = first or (now, done)
        if now - printed < LINE_EVERY or done <= first[1]:
            return
        printed = now
        left = (now - first[0]) * max(total - done, 0) / (done - first[1])
        print(f"{label}: {done / total:.0%} done, {left:.0f} s left", flush=True)

    yield report
    print(f"{label}: done in {time.monotonic() - started:.0f} s", flush=True)
