"""Whether a trial's owner is dead, and for how long it has been silent."""

import time
from types import SimpleNamespace

import pytest

from lattice_ml.search.owners import BEAT, OWNER, Observer, has_died, identify, is_this_process


def test_this_process_lives_and_is_known():
    me = identify()
    assert not has_died(me)
    assert is_this_process(me)
    assert me["id"] != identify()["id"]


@pytest.mark.parametrize(
    ("changed", "dead"),
    [
        ({"born": "1"}, True),  # its number belongs to another process now
        ({"machine": "elsewhere"}, False),  # not to be told from here
        ({"machine": "elsewhere", "born": "1"}, False),
        ({"pid": None}, False),
        ({"born": None}, False),
    ],
)
def test_what_can_be_told_from_here(changed, dead):
    owner = {**identify(), **changed}
    assert has_died(owner) == dead
    assert not is_this_process(owner)


def test_a_process_that_is_gone_is_dead(gone):
    assert has_died({**identify(), "pid": gone})


def test_a_trial_without_an_owner_has_no_dead_one():
    assert not has_died({})
    assert not is_this_process({})


def running(number, owner, beat):
    return SimpleNamespace(number=number, user_attrs={OWNER: {"id": owner}, BEAT: [owner, beat]})


@pytest.fixture
def clock(monkeypatch):
    now = SimpleNamespace(time=100.0)
    monkeypatch.setattr(time, "monotonic", lambda: now.time)
    return now


def test_silence_is_counted_from_the_last_sign(clock):
    observer = Observer(interval=10)
    for passed, beat, silent in [(0, 1, 0), (4, 1, 4), (4, 1, 8), (4, 2, 0), (4, 2, 4)]:
        clock.time += passed
        trial = running(3, "a", beat)
        observer.look([trial])
        assert observer.silence(trial) == silent


def test_a_new_owner_is_a_sign_of_life(clock):
    observer = Observer(interval=10)
    observer.look([running(3, "a", 1)])
    clock.time += 5
    observer.look([running(3, "b", 1)])
    assert observer.silence(running(3, "b", 1)) == 0


def test_a_gap_in_the_looking_is_not_silence(clock):
    """The observer was stopped for an hour, and all the others with it."""
    observer = Observer(interval=10)
    trial = running(3, "a", 1)
    observer.look([trial])
    clock.time += 3600
    observer.look([trial])
    assert observer.silence(trial) == 10


def test_a_trial_that_was_not_watched_is_not_silent():
    assert Observer(interval=10).silence(running(0, "a", 1)) == 0
