"""Addresses, exclusion, and what a kill or a full disk leaves at the end of a journal."""

import multiprocessing
import os
import signal
import threading
import time
from pathlib import Path

import optuna
import pytest

from lattice_ml.ground.errors import UserError
from lattice_ml.search.address import open_storage
from lattice_ml.search.storage import FileMutex, LockLost


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("mysql://me@host/db", "storage = mysql://me@host/db is of a kind"),
        ("redis://host", "is of a kind"),
        ("mysql://me:secret@host/db", r"mysql://me:\*\*\*@host"),
        ("sqlite://", "no file that workers could share"),
        ("sqlite:///:memory:", "no file that workers could share"),
        ("postgresql://me:secret@127.0.0.1:1/db", r"postgresql://me:\*\*\*@127\.0\.0\.1:1/db cannot be used: "),
        ("postgresql+nodriver://me@127.0.0.1/db", "cannot be used|is not installed"),
        ("postgresql://me@host:port/db", "is no address of a database"),
        (".", "is a folder"),
    ],
)  # fmt: skip
def test_what_is_no_storage_is_one_sentence(address, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=said) as caught:
        open_storage(address, "s")
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", ["hello\n", "hello", '{"op_code":99}\n{}\n', "[1]\n", "{}"])
def test_a_file_that_is_no_journal_is_left_alone(content, tmp_path):
    path = tmp_path / "notes"
    path.write_text(content)
    with pytest.raises(UserError, match="is no journal of Optuna"):
        open_storage(str(path), "s")
    assert path.read_text() == content


@pytest.mark.parametrize("form", ["{}/a/study.journal", "journal://{}/a/study.journal", "sqlite:///{}/a/study.db"])
def test_a_new_place_is_made(form, tmp_path):
    storage = open_storage(form.format(tmp_path), "s")
    optuna.create_study(storage=storage.backend, study_name="s")
    assert len(optuna.load_study(study_name="s", storage=open_storage(form.format(tmp_path), "s").backend).trials) == 0


@pytest.mark.parametrize("torn", ['{"op_code":4,"worker_id":"a', "x", '{"op_code":8}{'])
def test_a_line_that_was_cut_off_does_not_spoil_the_journal(torn, tmp_path):
    path = tmp_path / "study.journal"
    storage = open_storage(str(path), "s")
    study = optuna.create_study(storage=storage.backend, study_name="s")
    study.set_user_attr("a", 1)
    with path.open("a") as file:
        file.write(torn)
    study.set_user_attr("b", 2)  # who had it open
    again = optuna.load_study(study_name="s", storage=open_storage(str(path), "s").backend)
    again.set_user_attr("c", 3)
    assert again.user_attrs == study.user_attrs == {"a": 1, "b": 2, "c": 3}
    assert torn not in path.read_text()


def test_a_journal_of_which_nothing_but_a_torn_line_is_there(tmp_path):
    path = tmp_path / "study.journal"
    path.write_text('{"op_code":0,"work')
    study = optuna.create_study(storage=open_storage(str(path), "s").backend, study_name="s")
    assert study.trials == []


def test_optunas_own_lock_file_is_not_ours(tmp_path):
    """optuna-dashboard takes ``<journal>.lock``, and removes one that is in its way for 30 seconds."""
    path = tmp_path / "study.journal"
    optuna.create_study(storage=open_storage(str(path), "s").backend, study_name="s")
    assert not (tmp_path / "study.journal.lock").exists()


def hold(path, ready):
    mutex = FileMutex(path)
    assert mutex.try_acquire()
    ready.set()
    time.sleep(60)


def test_the_lock_of_a_killed_process_is_free_at_once(tmp_path):
    context = multiprocessing.get_context("spawn")
    ready = context.Event()
    process = context.Process(target=hold, args=(tmp_path / "lock", ready))
    process.start()
    assert ready.wait(60)
    mutex = FileMutex(tmp_path / "lock")
    assert not mutex.try_acquire()
    assert process.pid
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert mutex.try_acquire()
    assert mutex.try_acquire()  # Ctrl-C came before it was released
    mutex.release()
    mutex.release()


@pytest.mark.parametrize("kind", ["journal", "sqlite", "postgresql"])
def test_one_decision_at_a_time(kind, tmp_path, request):
    if kind == "postgresql":
        address = request.getfixturevalue("postgres").address()
    else:
        address = {"journal": f"{tmp_path}/j", "sqlite": f"sqlite:///{tmp_path}/db"}[kind]
    counter = tmp_path / "counter"
    counter.write_text("0")

    def count():
        number = int(counter.read_text())
        time.sleep(0.002)
        counter.write_text(str(number + 1))

    def decide():
        storage = open_storage(address, "s")
        for _ in range(10):
            storage.decide(count)

    threads = [threading.Thread(target=decide) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counter.read_text() == "30"


def test_a_full_disk_is_one_sentence(tmp_path, monkeypatch):
    def full(*words, **settings):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "mkdir", full)
    with pytest.raises(UserError, match="the disk is full"):
        open_storage(str(tmp_path / "a" / "j"), "s")


def test_a_file_system_without_locks_is_one_sentence(tmp_path, monkeypatch):
    def unsupported(*words):
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr("fcntl.flock", unsupported)
    with pytest.raises(UserError, match="has no locks"):
        open_storage(str(tmp_path / "j"), "s").decide(lambda: None)


def test_a_decision_is_made_again_when_the_database_comes_back(postgres, monkeypatch):
    monkeypatch.setattr("lattice_ml.search.storage.pause", lambda shortest, longest: time.sleep(0.05))
    storage = open_storage(postgres.address(), "s")
    calls = []

    def decision():
        calls.append(len(calls))
        if len(calls) == 1:
            postgres.stop()
            threading.Timer(0.5, postgres.start).start()
        return optuna.create_study(storage=storage.backend, study_name=f"outage{time.time()}").study_name

    assert storage.decide(decision).startswith("outage")
    assert len(calls) > 1


def test_no_second_session_writes_in_a_decision_whose_lock_is_gone(postgres, monkeypatch):
    """The lock was the first session's: a write in a new one could be made beside another worker's decision."""
    monkeypatch.setattr("lattice_ml.search.storage.PATIENCE", 0.0)
    storage = open_storage(postgres.address(), "s")
    name = f"lost{time.time()}"

    def decision():
        postgres.stop()
        postgres.start()
        for _ in range(2):  # the first finds the session gone, the second would open a new one
            try:
                optuna.create_study(storage=storage.backend, study_name=name)
            except Exception as error:
                last = error
        raise last

    with pytest.raises(LockLost):
        storage.decide(decision)
    with pytest.raises(KeyError):
        storage.backend.get_study_id_from_name(name)


def test_a_transaction_that_ended_with_its_database_is_an_outage() -> None:
    """Optuna catches what the server's end raises, and asks again within the transaction that is no more."""
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import IntegrityError, PendingRollbackError

    from lattice_ml.search.storage import _is_outage

    def of_optuna(cause: Exception) -> Exception:
        error = StorageInternalError("An exception is raised during the commit.")
        error.__cause__ = cause
        return error

    assert _is_outage(of_optuna(PendingRollbackError("Can't reconnect until invalid transaction is rolled back.")))
    assert not _is_outage(of_optuna(IntegrityError("INSERT", {}, Exception("told something wrong"))))
