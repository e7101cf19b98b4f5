"""One worker: take a trial, try it, say how it ended, until the study has all its trials."""

from __future__ import annotations

import errno
import json
import math
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lattice_ml.ground.errors import UserError
from lattice_ml.ground.files import Taken, write_file
from lattice_ml.ground.redaction import redact
from lattice_ml.search.claims import Claim, ClaimLost, Claims
from lattice_ml.search.outcome import INFEASIBLE, OUTCOME, REASON, SECONDS, Infeasible, Outcome
from lattice_ml.search.results import trial_line

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

FOUND = "outcome.json"
"""In a trial's run folder: what it found, for the case that its worker dies before the study knows."""
ERROR = "error.txt"
"""In a failed trial's run folder: the traceback."""
IN_A_ROW = 10
"""So many trials that fail for the same reason are no bad draws, but a mistake that the next one would make too."""
DISK = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.ESTALE)
"""Errors of the place where all trials are written, not of one trial."""
TELL = 60.0
"""Seconds between lines that say what a worker waits for."""


def work(
    claims: Claims, attempt: Callable[[Claim], Outcome], objectives: Sequence[str], folder: Callable[[int], Path]
) -> None:
    """Try trials until the study is finished.

    attempt: from a claim to what was found; it goes on where another worker was killed in it. folder: the run folder of
    the trial of this number. An exception of ``attempt`` fails its trial, with the reason kept and the traceback in the
    folder; what concerns all trials (a full disk, Ctrl-C) puts the trial back and is raised, as is a ``UserError``
    after ``IN_A_ROW`` failures for one reason.
    """
    failures: list[str] = []
    while claim := claims.take(_waiting()):
        started = time.monotonic()
        with claims.beating(claim):
            ending = _try(claims, claim, attempt, objectives, folder(claim.number))
            if ending is not None:
                state, values, notes = ending
                notes |= {SECONDS: round(time.monotonic() - started, 2)}
                told = claims.finish(claim, state, values, notes)
        if ending is None:
            continue
        if not told:
            print(f"trial {claim.number:>4}  is another worker's by now: what was found here is dropped.", flush=True)
            continue
        with claims.storage.unless_lost():
            print(trial_line(claims.study.trials[claim.number]), flush=True)
        if INFEASIBLE not in notes:
            failures = [*failures, notes[REASON]][-IN_A_ROW:] if REASON in notes else []
        if len(failures) == IN_A_ROW and len(set(failures)) == 1:
            raise UserError(
                f"{IN_A_ROW} trials in a row failed, with the words: {failures[0].rstrip('.')}. Mend that; the same "
                "command goes on with the next trials."
            )


def _try(
    claims: Claims, claim: Claim, attempt: Callable[[Claim], Outcome], objectives: Sequence[str], folder: Path
) -> tuple[Any, list[float] | None, dict[str, Any]] | None:
    """How the trial ended: Optuna's state, values, notes; None if it was not ended but put back, or is another's."""
    from optuna import TrialPruned
    from optuna.trial import TrialState

    try:
        outcome = _once(attempt, claim, folder)
        values = outcome.values(objectives)
    except (KeyboardInterrupt, SystemExit):
        claims.give_back(claim)
        raise
    except ClaimLost:
        return None
    except Taken:  # a worker that was stopped still holds the folder; it lets go when it goes on, or dies
        claims.give_back(claim, busy=True)
        return None
    except Infeasible as error:
        return TrialState.PRUNED, None, {INFEASIBLE: _one_line(error)}
    except TrialPruned:
        return TrialState.PRUNED, None, {}
    except Exception as error:
        if any(isinstance(link, OSError) and link.errno in DISK for link in _chain(error)):
            claims.give_back(claim)
            raise
        with suppress(OSError):
            write_file(folder / ERROR, redact("".join(traceback.format_exception(error))).encode())
        return TrialState.FAIL, None, {REASON: _one_line(error)}
    if not all(map(math.isfinite, values)):
        named = ", ".join(f"{name} = {value:g}" for name, value in zip(objectives, values, strict=True))
        return TrialState.FAIL, None, {REASON: f"it ended with {named}"}
    return TrialState.COMPLETE, values, {OUTCOME: outcome.record()}


def _once(attempt: Callable[[Claim], Outcome], claim: Claim, folder: Path) -> Outcome:
    """What the trial found, now or before its last worker died."""
    found = folder / FOUND
    if found.exists():
        return Outcome(**json.loads(found.read_text(encoding="utf-8")))
    outcome = attempt(claim)
    write_file(found, f"{json.dumps(outcome.record(), indent=2)}\n".encode())
    return outcome


def _waiting() -> Callable[[list[FrozenTrial]], None]:
    """Says now and then which trials of others are waited for."""
    said = time.monotonic() - TELL + 5

    def tell(unfinished: list[FrozenTrial]) -> None:
        nonlocal said
        if time.monotonic() - said > TELL:
            said = time.monotonic()
            print(f"waiting for {', '.join(map(_at_work, unfinished))}", flush=True)

    return tell


def _at_work(trial: FrozenTrial) -> str:
    owner = trial.user_attrs.get("owner", {})
    return f"trial {trial.number} (process {owner.get('pid', '?')} on {owner.get('host', '?')})"


def _one_line(error: BaseException) -> str:
    """What an error says, with its kind unless it is a sentence of ours."""
    said = redact(" ".join(str(error).split()))
    ours = type(error).__module__.startswith("lattice_ml.")
    whole = said if ours and said else f"{type(error).__name__}: {said}".rstrip(": ")
    return whole if len(whole) <= 300 else f"{whole[:297]}..."


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
