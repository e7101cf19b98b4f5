"""How the ways in which a trial ends reach the study."""

import errno
import json

import optuna
import pytest

from lattice_ml.ground.errors import UserError
from lattice_ml.ground.files import Taken
from lattice_ml.search.claims import ClaimLost
from lattice_ml.search.outcome import Infeasible, Outcome, outcome_of
from lattice_ml.search.worker import work

FOUND = Outcome(validation=0.25, parameters=12, test=0.5, scores={"accuracy": 0.9})


def run(one, tmp_path, attempt, objectives=("validation",)):
    work(one, attempt, objectives, lambda number: tmp_path / f"trial-{number}")
    return one.study.trials


def failing(error):
    def attempt(claim):
        raise error

    return attempt


def test_what_was_found_is_kept(worker, tmp_path, capsys):
    trials = run(worker(n_trials=2), tmp_path, lambda claim: FOUND)
    assert [outcome_of(trial) for trial in trials] == [FOUND, FOUND]
    assert trials[0].values == [0.25]
    assert trials[0].user_attrs["seconds"] >= 0
    assert "trial 1  complete  0.25  test 0.5  with 12 parameters  in 0 s" in capsys.readouterr().out


def test_several_objectives(worker, tmp_path):
    (trial,) = run(worker(n_trials=1, objectives=2), tmp_path, lambda claim: FOUND, ("validation", "parameters"))
    assert trial.values == [0.25, 12.0]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (RuntimeError("CUDA out of memory.\nTried"), "RuntimeError: CUDA out of memory. Tried"),
        (MemoryError(), "MemoryError"),
        (UserError("give a smaller task.lr."), "give a smaller task.lr."),
        (ValueError("x" * 1000), "ValueError: " + "x" * 285 + "..."),
        (RuntimeError("postgresql://me:secret@host/db is down"), "RuntimeError: postgresql://me:***@host/db is down"),
    ],
)
def test_an_error_fails_its_trial_alone(error, reason, worker, tmp_path):
    (trial,) = run(worker(n_trials=1), tmp_path, failing(error))
    assert trial.state.name == "FAIL"
    assert trial.user_attrs["reason"] == reason
    said = (tmp_path / "trial-0" / "error.txt").read_text()
    assert "Traceback" in said
    assert "secret" not in said


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_an_outcome_that_is_no_number_fails(value, worker, tmp_path):
    (trial,) = run(worker(n_trials=1), tmp_path, lambda claim: Outcome(value, 3))
    assert trial.state.name == "FAIL"
    assert trial.user_attrs["reason"] == f"it ended with validation = {value:g}"


def test_pruned_and_infeasible_are_told_apart(worker, tmp_path, capsys):
    endings = iter([Infeasible("too large."), optuna.TrialPruned()])
    trials = run(worker(n_trials=1), tmp_path, lambda claim: failing(next(endings))(claim))
    assert [trial.state.name for trial in trials] == ["PRUNED", "PRUNED"]
    assert [trial.user_attrs.get("infeasible") for trial in trials] == ["too large.", None]
    assert "trial 0  infeasible: too large." in capsys.readouterr().out


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(143)])
def test_an_interrupted_trial_waits_for_the_next_worker(error, worker, tmp_path):
    one = worker()
    with pytest.raises(type(error)):
        run(one, tmp_path, failing(error))
    assert one.states == ["WAITING"]


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO])
def test_a_disk_that_takes_nothing_ends_the_worker_and_not_the_trial(number, worker, tmp_path):
    one = worker()
    error = UserError("the disk is full.")
    error.__cause__ = OSError(number, "no")
    with pytest.raises(UserError):
        run(one, tmp_path, failing(error))
    assert one.states == ["WAITING"]


def test_a_folder_that_a_stopped_worker_holds_is_left_for_later(worker, tmp_path):
    one = worker(n_trials=2)
    tried = []

    def attempt(claim):
        tried.append(claim.number)
        if tried == [0]:
            raise Taken("held.")
        one._busy.clear()  # ten seconds are over
        return FOUND

    run(one, tmp_path, attempt)
    assert tried == [0, 1, 0]
    assert one.states == ["COMPLETE", "COMPLETE"]


def test_a_trial_that_was_lost_is_neither_finished_nor_failed(worker, tmp_path, capsys):
    one = worker(n_trials=1)
    tried = []

    def attempt(claim):
        tried.append(claim.owner)
        if len(tried) == 1:
            one.give_back(claim)  # as another worker would
            raise ClaimLost
        return FOUND

    assert run(one, tmp_path, attempt)[0].state.name == "COMPLETE"
    assert len(set(tried)) == 2


def test_a_result_that_comes_too_late_is_dropped_and_found_again(worker, tmp_path, capsys):
    one = worker(n_trials=1)

    def attempt(claim):
        one.give_back(claim)  # as another worker would
        return FOUND

    (trial,) = run(one, tmp_path, attempt)  # the second attempt is none: the outcome lies in the folder
    assert "what was found here is dropped" in capsys.readouterr().out
    assert outcome_of(trial) == FOUND


def test_what_a_killed_worker_had_found_is_not_sought_again(worker, tmp_path):
    (tmp_path / "trial-0").mkdir()
    (tmp_path / "trial-0" / "outcome.json").write_text(json.dumps(FOUND.record()))
    (trial,) = run(worker(n_trials=1), tmp_path, failing(AssertionError()))
    assert outcome_of(trial) == FOUND


def test_the_same_failure_again_and_again_ends_the_worker(worker, tmp_path):
    one = worker(n_trials=30)
    with pytest.raises(UserError, match="10 trials in a row failed, with the words: OSError: no such device"):
        run(one, tmp_path, failing(OSError("no such device.")))
    assert one.states == ["FAIL"] * 10


def test_failures_of_several_kinds_do_not(worker, tmp_path):
    count = iter(range(100))
    one = worker(n_trials=15)
    assert len(run(one, tmp_path, lambda claim: failing(ValueError(str(next(count) % 2)))(claim))) == 15
