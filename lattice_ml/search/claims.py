"""Which worker has which trial: so that each is finished once, whoever is killed, stopped or cut off, and when.

A trial is one of Optuna's from its first draw to its end; putting it back (RUNNING -> WAITING) keeps its number, its
parameters and its run folder, where the next worker finds its checkpoint. Every step that depends on what others do is
one decision (``Storage.decide``), and each decision can be cut off between any two writes:

- a trial is created with its owner in one write, so that it never runs without one;
- a waiting trial gets its owner first and runs then; cut off between, it still waits;
- a lost trial is noted as lost by that owner first, a note that may be made twice, and waits then;
- a result is noted first and the trial ends then; cut off between, it runs, with a dead owner, and is put back.

A worker that was only stopped and comes back is no longer the owner: its result is dropped (``finish`` is False).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lattice_ml.ground.errors import UserError
from lattice_ml.search.outcome import INFEASIBLE, OVERRIDES, REASON
from lattice_ml.search.owners import BEAT, OWNER, Observer, has_died, identify, is_this_process

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial, TrialState

    from lattice_ml.search.storage import Storage

LOST = "lost"
"""User attribute of a trial: the owners that were lost since its last finished epoch, and that epoch."""
BARREN = 20
"""A study ends when it drew this many infeasible points for each trial it should have."""
BUSY = 10.0
"""Seconds after which a trial is tried again whose run folder a stopped worker still holds."""


class ClaimLost(Exception):
    """The trial is another worker's by now: this one was taken for dead."""


@dataclass(frozen=True)
class Pace:
    """How workers hear of each other's death.

    heartbeat: seconds between two beats. grace: seconds of silence after which a worker on another machine counts as
    dead. retries: how often a trial is taken up again without having come any further.
    """

    heartbeat: float = 15.0
    grace: float = 120.0
    retries: int = 3


@dataclass(frozen=True)
class Claim:
    """One trial in the hands of this process."""

    trial_id: int
    number: int
    owner: str
    overrides: list[str]
    lost: threading.Event = field(default_factory=threading.Event, compare=False)
    """Set when it was noticed that the trial is somebody else's by now."""


class Claims:
    """This process's dealings with the study's trials.

    n_trials: how many trials the study shall have, those of all workers together. draw: from a trial to its overrides;
    called once for each trial. sampler: Optuna's sampler for the trial of this number.
    """

    def __init__(
        self,
        study: optuna.Study,
        storage: Storage,
        n_trials: int,
        draw: Callable[[optuna.Trial], list[str]],
        sampler: Callable[[int], optuna.samplers.BaseSampler],
        pace: Pace,
    ) -> None:
        self.study, self.n_trials, self.pace = study, n_trials, pace
        self.storage, self._draw, self._sampler = storage, draw, sampler
        self._id = storage.backend.get_study_id_from_name(study.study_name)
        self._observer = Observer(pace.heartbeat)
        self._busy: dict[int, float] = {}

    def are_all_finished(self) -> bool:
        """Has the study the trials that it shall have?"""
        return self.count_finished() >= self.n_trials

    def count_finished(self) -> int:
        """How many of the trials that count are finished."""
        return self._finished(self.study.get_trials(deepcopy=False))

    def take(self, waiting: Callable[[list[FrozenTrial]], None] = lambda unfinished: None) -> Claim | None:
        """The next trial; None when all are finished.

        While there is none to take but some are unfinished it waits, since they may be put back, and calls
        ``waiting(unfinished)`` now and then. Raises ``UserError`` if the space has hardly a feasible point.
        """
        while True:
            found = self.storage.decide(self._next)
            if isinstance(found, Claim):
                return found
            if not found:
                return None
            waiting(found)
            time.sleep(min(1.0, self.pace.heartbeat / 2))

    def finish(self, claim: Claim, state: TrialState, values: list[float] | None, notes: Mapping[str, Any]) -> bool:
        """End the trial with its values and notes (user attributes); False if it is somebody else's by now.

        Optuna gives a pruned trial its last reported value.
        """
        from optuna.trial import TrialState

        def decision() -> bool:
            trial = self.storage.backend.get_trial(claim.trial_id)
            if trial.user_attrs.get(OWNER, {}).get("id") != claim.owner:
                return False
            if trial.state.is_finished():
                return True  # the answer of the database to an earlier call was lost
            if trial.state != TrialState.RUNNING:
                return False  # put back, and nobody has taken it yet
            for key, value in notes.items():
                self.storage.backend.set_trial_user_attr(claim.trial_id, key, value)
            self.study.tell(claim.number, values, state)
            return True

        return self.storage.decide(decision)

    def give_back(self, claim: Claim, busy: bool = False) -> None:
        """Let the trial wait for another worker, at once; busy: this process shall leave it alone for a while."""
        from optuna.trial import TrialState

        def decision() -> None:
            if self.is_mine(claim):
                self.storage.backend.set_trial_state_values(claim.trial_id, TrialState.WAITING)

        if busy:
            self._busy[claim.number] = time.monotonic() + BUSY
        self.storage.decide(decision)

    def is_mine(self, claim: Claim) -> bool:
        """Does this process still have the trial?"""
        from optuna.trial import TrialState

        trial = self.storage.backend.get_trial(claim.trial_id)
        mine = trial.state == TrialState.RUNNING and trial.user_attrs.get(OWNER, {}).get("id") == claim.owner
        if not mine:
            claim.lost.set()
        return mine

    def report(self, claim: Claim, step: int, value: float) -> bool:
        """Keep the score of an epoch; True if the study's pruner thinks that the trial will come to nothing.

        Sets ``claim.lost`` where the trial is somebody else's by now. No word while the database does not answer:
        training goes on.
        """
        from optuna.exceptions import UpdateFinishedTrialError

        with self.storage.unless_lost():
            try:
                if not self.is_mine(claim):
                    return False
                self.storage.backend.set_trial_intermediate_value(claim.trial_id, step, value)
            except UpdateFinishedTrialError:
                claim.lost.set()
                return False
            if len(self.study.directions) == 1:  # Optuna prunes for one objective only
                return self.study.pruner.prune(self.study, self.storage.backend.get_trial(claim.trial_id))
        return False

    @contextmanager
    def beating(self, claim: Claim) -> Iterator[None]:
        """Within, a thread shows that this worker lives, and watches the others."""
        stop = threading.Event()

        def beat() -> None:
            count = 0
            while not stop.wait(self.pace.heartbeat):
                with suppress(Exception):  # a database that does not answer now may do so at the next beat
                    if not self.is_mine(claim):
                        return
                    count += 1
                    self.storage.backend.set_trial_user_attr(claim.trial_id, BEAT, [claim.owner, count])
                    self._observer.look(self._running(self.study.get_trials(deepcopy=False)))

        thread = threading.Thread(target=beat, name="heartbeat", daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join(self.pace.heartbeat)

    def _next(self) -> Claim | list[FrozenTrial]:
        """A trial that waits, one that is put back, or a new one; else those that others have not finished yet."""
        from optuna.trial import TrialState, create_trial

        trials = self.study.get_trials(deepcopy=False)
        running = self._running(trials)
        self._observer.look(running)
        if stale := [trial for trial in running if self._is_stale(trial)]:
            for trial in stale:
                self._put_back(trial)
            trials = self.study.get_trials(deepcopy=False)
        barren = [trial.user_attrs[INFEASIBLE] for trial in trials if INFEASIBLE in trial.user_attrs]
        if self._finished(trials) >= self.n_trials:
            return []
        for trial in trials:
            if trial.state == TrialState.WAITING and self._busy.get(trial.number, 0.0) < time.monotonic():
                trial_id = self._trial_id(trial.number)
                owner = identify()
                self.storage.backend.set_trial_user_attr(trial_id, OWNER, owner)
                self.storage.backend.set_trial_state_values(trial_id, TrialState.RUNNING)
                return self._claim(trial_id, owner["id"])
        if len(trials) - len(barren) < self.n_trials:
            if len(barren) >= BARREN * self.n_trials:
                raise UserError(
                    f"{len(barren)} of {len(trials)} drawn points could not be trained, the last because {barren[-1]}"
                    f"{'' if barren[-1].endswith('.') else '.'} Give a larger search.max_parameters or a smaller space."
                )
            owner = identify()
            template = create_trial(state=TrialState.RUNNING, user_attrs={OWNER: owner})
            return self._claim(self.storage.backend.create_new_trial(self._id, template), owner["id"])
        return [trial for trial in trials if not trial.state.is_finished()]

    def _claim(self, trial_id: int, owner: str) -> Claim:
        """The claim on a trial that has this owner by now, with what it draws if it has not drawn yet."""
        import optuna

        frozen = self.storage.backend.get_trial(trial_id)
        overrides = frozen.user_attrs.get(OVERRIDES)
        if overrides is None:
            self.study.sampler = self._sampler(frozen.number)
            overrides = self._draw(optuna.Trial(self.study, trial_id))
            self.storage.backend.set_trial_user_attr(trial_id, OVERRIDES, overrides)
        return Claim(trial_id, frozen.number, owner, list(overrides))

    @staticmethod
    def _finished(trials: list[FrozenTrial]) -> int:
        """How many trials count."""
        return sum(trial.state.is_finished() and INFEASIBLE not in trial.user_attrs for trial in trials)

    @staticmethod
    def _running(trials: list[FrozenTrial]) -> list[FrozenTrial]:
        from optuna.trial import TrialState

        return [trial for trial in trials if trial.state == TrialState.RUNNING]

    def _is_stale(self, trial: FrozenTrial) -> bool:
        """Has a running trial no owner that lives? This process has none while it looks for one."""
        owner = trial.user_attrs.get(OWNER, {})
        return has_died(owner) or is_this_process(owner) or self._observer.silence(trial) > self.pace.grace

    def _put_back(self, trial: FrozenTrial) -> None:
        """Let a lost trial wait for the next worker, or fail if it was lost too often at the same epoch."""
        from optuna.trial import TrialState

        trial_id = self._trial_id(trial.number)
        before = trial.user_attrs.get(LOST, {})
        owners = before.get("owners", []) if before.get("epoch") == trial.last_step else []
        owners = list(dict.fromkeys([*owners, trial.user_attrs.get(OWNER, {}).get("id")]))
        backend = self.storage.backend
        backend.set_trial_user_attr(trial_id, LOST, {"owners": owners, "epoch": trial.last_step})
        if len(owners) > self.pace.retries:
            reason = f"lost {len(owners)} times: the worker was killed or out of memory"
            backend.set_trial_user_attr(trial_id, REASON, reason)
            backend.set_trial_state_values(trial_id, TrialState.FAIL)
        else:
            backend.set_trial_state_values(trial_id, TrialState.WAITING)

    def _trial_id(self, number: int) -> int:
        return self.storage.backend.get_trial_id_from_study_id_trial_number(self._id, number)
