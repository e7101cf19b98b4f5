"""Who has a trial: what is created, taken, put back and finished, and what remains of it when that is cut off."""

import itertools
import os
import threading
import time

import optuna
import pytest
from optuna.trial import TrialState

from lattice_ml.ground.errors import UserError
from lattice_ml.search.claims import LOST, Claims
from lattice_ml.search.outcome import INFEASIBLE, OVERRIDES, REASON
from lattice_ml.search.owners import BEAT, OWNER

DONE = TrialState.COMPLETE


def finish(claims: Claims, claim, value=0.5, **notes) -> bool:
    return claims.finish(claim, DONE, [value] * len(claims.study.directions), notes)


def test_a_study_gets_its_trials_and_no_more(worker, as_another):
    as_another(1, born=None)
    one = worker(n_trials=3)
    first = one.take()
    as_another(os.getpid())
    two = worker(n_trials=3)
    second = two.take()
    assert (first.number, second.number) == (0, 1)
    assert finish(two, second)
    assert finish(one, first)
    assert finish(two, two.take())
    assert one.take() is None
    assert one.are_all_finished()
    assert one.states == ["COMPLETE"] * 3


def test_a_process_that_asks_again_has_dropped_what_it_had(worker):
    one = worker()
    assert one.take().number == one.take().number == 0


def test_a_claim_knows_what_its_trial_drew(worker):
    one = worker()
    claim = one.take()
    trial = one.study.trials[0]
    assert claim.overrides == trial.user_attrs[OVERRIDES] == [f"x={trial.params['x']}", f"n={trial.params['n']}"]
    one.give_back(claim)
    assert worker().take().overrides == claim.overrides


def test_more_trials_can_be_asked_for_later(worker):
    one = worker(n_trials=1)
    finish(one, one.take())
    assert one.take() is None
    two = worker(n_trials=2)
    assert two.take().number == 1


def test_fewer_trials_leave_those_that_wait(worker):
    one = worker(n_trials=3)
    finish(one, one.take())
    one.give_back(one.take())
    assert worker(n_trials=1).take() is None


def test_infeasible_draws_do_not_count(worker):
    one = worker(n_trials=1)
    for _ in range(2):
        one.finish(one.take(), TrialState.PRUNED, None, {INFEASIBLE: "too large"})
    claim = one.take()
    assert claim.number == 2
    finish(one, claim)
    assert one.take() is None


def test_a_space_without_a_feasible_point_ends_the_search(worker):
    one = worker(n_trials=1)
    for _ in range(20):
        one.finish(one.take(), TrialState.PRUNED, None, {INFEASIBLE: "the net has too many parameters."})
    with pytest.raises(UserError, match=r"20 of 20 drawn .* too many parameters\. Give a larger"):
        one.take()


def test_a_trial_that_somebody_enqueued_is_taken_first_with_its_values(worker):
    one = worker()
    one.study.enqueue_trial({"x": 0.25, "n": 3})
    assert one.take().overrides == ["x=0.25", "n=3"]


def test_a_dead_process_loses_its_trial_at_once(worker, as_another):
    as_another()
    lost = worker().take()
    as_another(os.getpid())
    claim = worker(grace=1e6).take()
    assert (claim.number, claim.overrides) == (lost.number, lost.overrides)
    assert claim.owner != lost.owner


def test_a_living_process_keeps_its_trial(worker, as_another):
    as_another(1, born=None)
    worker().take()
    as_another(os.getpid())
    assert worker().take().number == 1


def test_a_worker_elsewhere_keeps_its_trial_while_its_heart_beats(worker, as_another):
    as_another(1, machine="elsewhere")
    far = worker(heartbeat=0.02)
    claim = far.take()
    as_another(os.getpid())
    here = worker(n_trials=1, heartbeat=0.02, grace=0.3)
    with far.beating(claim):
        taken = []
        looking = threading.Thread(target=lambda: taken.append(here.take()), daemon=True)
        looking.start()
        time.sleep(0.8)
        assert not taken
    looking.join(10)  # the heart has stopped
    assert taken[0].number == claim.number
    assert not far.is_mine(claim)
    assert claim.lost.is_set()


def test_a_trial_without_an_owner_is_put_back_when_it_stays_silent(worker):
    one = worker(n_trials=1, heartbeat=0.02, grace=0.1)
    one.study.ask()  # by somebody else's program
    assert one.take().number == 0


def test_the_result_of_one_that_was_only_stopped_is_dropped(worker, as_another, monkeypatch):
    as_another(1, born=None)
    stopped = worker()
    claim = stopped.take()
    as_another(os.getpid())
    monkeypatch.setattr("lattice_ml.search.claims.has_died", lambda owner: owner["pid"] == 1)
    other = worker()
    again = other.take()
    assert again.number == claim.number
    assert not finish(stopped, claim, 0.1)
    stopped.give_back(claim)
    assert stopped.states == ["RUNNING"]
    assert not stopped.report(claim, 0, 0.3)
    assert claim.lost.is_set()
    assert finish(other, again, 0.2)
    assert not finish(stopped, claim, 0.1)
    assert other.study.trials[0].value == 0.2


def test_an_answer_that_was_lost_does_not_undo_the_result(worker):
    one = worker()
    claim = one.take()
    assert finish(one, claim, 0.2)
    assert finish(one, claim, 0.3)
    assert one.study.trials[0].value == 0.2


def test_a_trial_that_kills_its_workers_fails(worker, as_another):
    as_another()
    for _ in range(4):
        assert worker(n_trials=1, retries=3).take().number == 0
    assert worker(n_trials=1, retries=3).take() is None
    trial = worker().study.trials[0]
    assert trial.state == TrialState.FAIL
    assert trial.user_attrs[REASON].startswith("lost 4 times")


def test_a_trial_that_comes_further_every_time_is_not_given_up(worker, as_another):
    as_another()
    for epoch in range(10):
        one = worker(n_trials=1, retries=1)
        one.report(one.take(), epoch, 1.0)
    assert worker().states == ["RUNNING"]


def test_giving_back_costs_no_try(worker):
    for _ in range(10):
        one = worker(n_trials=1, retries=0)
        one.give_back(one.take())
    assert LOST not in worker().study.trials[0].user_attrs


def test_a_busy_folder_is_left_alone_for_a_while(worker, monkeypatch):
    one = worker(n_trials=2)
    claim = one.take()
    one.give_back(claim, busy=True)
    second = one.take()
    assert second.number == 1
    finish(one, second)
    monkeypatch.setattr("lattice_ml.search.claims.BUSY", 0.0)
    one.give_back(claim, busy=True)
    assert one.take().number == 0


def test_the_pruner_hears_of_epochs(worker):
    one = worker(n_trials=9, pruner=optuna.pruners.ThresholdPruner(upper=1.0))
    claim = one.take()
    assert not one.report(claim, 0, 0.9)
    assert one.report(claim, 1, 1.1)
    one.finish(claim, TrialState.PRUNED, None, {})
    assert one.study.trials[0].value == 1.1
    assert one.study.trials[0].intermediate_values == {0: 0.9, 1: 1.1}


def test_two_objectives_are_not_pruned(worker):
    one = worker(n_trials=1, objectives=2, pruner=optuna.pruners.ThresholdPruner(upper=1.0))
    claim = one.take()
    assert not one.report(claim, 0, 1.1)
    assert finish(one, claim)
    assert one.study.trials[0].values == [0.5, 0.5]


def test_the_heartbeat_is_the_owners(worker):
    one = worker(heartbeat=0.02)
    claim = one.take()
    with one.beating(claim):
        time.sleep(0.3)
    owner, count = one.study.trials[0].user_attrs[BEAT]
    assert owner == claim.owner == one.study.trials[0].user_attrs[OWNER]["id"]
    assert count > 1


def test_a_single_worker_is_reproducible(tmp_path, worker):
    drawn = []
    for name in ("one", "two"):
        one = type(worker())(tmp_path / name / "j", tmp_path / name, n_trials=4)
        for _ in range(4):
            claim = one.take()
            drawn.append(claim.overrides)
            finish(one, claim)
    assert drawn[:4] == drawn[4:]
    assert len({tuple(words) for words in drawn}) == 4


class Killed(BaseException):
    """SIGKILL, as far as the storage can tell: nothing more is written."""


WRITES = (
    "create_new_trial",
    "set_trial_param",
    "set_trial_user_attr",
    "set_trial_state_values",
    "set_trial_intermediate_value",
)


def mortal(claims: Claims, life: int) -> None:
    """Let a worker die before its write number ``life``."""
    backend, count = claims.storage.backend, itertools.count()

    def wrapped(name):
        write = getattr(backend, name)

        def instead(*words, **settings):
            if next(count) >= life:
                raise Killed
            return write(*words, **settings)

        return instead

    for name in WRITES:
        setattr(backend, name, wrapped(name))


@pytest.mark.parametrize("how", ["fresh", "again", "reported"])
def test_cut_off_between_any_two_writes_nothing_is_lost_or_counted_twice(how, tmp_path, worker, as_another):
    as_another()
    survived = False
    for life in range(40):
        path = tmp_path / f"{how}-{life}"
        make = lambda: type(worker())(path / "j", path, n_trials=1, retries=100)  # noqa: B023, E731
        if how != "fresh":
            first = make()
            claim = first.take()
            if how == "reported":
                first.report(claim, 0, 0.7)
        doomed = make()
        mortal(doomed, life)
        try:
            claim = doomed.take()
            doomed.report(claim, 1, 0.6)
            survived = finish(doomed, claim, 0.25, seconds=1.0, outcome={"a": 1})
        except Killed:
            pass
        heir = make()
        claim = heir.take()
        assert (claim is None) == survived
        if claim:
            assert finish(heir, claim, 0.75, seconds=2.0)
        assert heir.take() is None
        (trial,) = heir.study.trials
        assert trial.state == TrialState.COMPLETE
        assert trial.value == (0.25 if survived else 0.75)
        assert set(trial.params) == {"x", "n"}
        assert trial.user_attrs[OVERRIDES] == [f"x={trial.params['x']}", f"n={trial.params['n']}"]
        if survived:
            return
    raise AssertionError("it never lived long enough")
