"""A chunk has one living worker at a time, and a dead one's goes to exactly one other."""

import errno
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from lattice_ml.ensembles import claims as module
from lattice_ml.ensembles.claims import FOLDER, STALE, Claims, living
from lattice_ml.ensembles.layout import object_name

CHUNK = (3, 1)
WORKER = """
import sys, time
from pathlib import Path
from lattice_ml.ensembles.claims import Claims
claims = Claims(Path(sys.argv[1]))
print(claims.take((3, 1), None), flush=True)
time.sleep(60)
"""


@pytest.fixture
def path(tmp_path):
    (tmp_path / "configurations").mkdir()
    return tmp_path


@pytest.fixture
def dead(path):
    """The claim of a worker that was killed with SIGKILL and whose parent has not noticed."""
    with subprocess.Popen([sys.executable, "-c", WORKER, str(path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "True\n"
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        yield process


def abroad(path, age):
    """Make every worker here one of another machine, heard of ``age`` seconds ago."""
    for file in (path / FOLDER).iterdir():
        card = json.loads(file.read_bytes()) | {"machine": "another", "host": "node2"}
        file.write_text(json.dumps(card))
        os.utime(file, (time.time() - age,) * 2)


def test_a_claim_excludes_others_until_it_is_given_back(path):
    one, two = Claims(path), Claims(path)
    assert one.take(CHUNK, None)
    assert not two.take(CHUNK, None)
    assert not two.take(CHUNK, two.numbers()[CHUNK])
    assert two.take((3, 0), None)
    one.release(CHUNK)
    assert two.numbers() == {(3, 0): 0}
    assert two.take(CHUNK, None)


def test_a_claim_is_a_link_to_its_worker_and_whole_from_its_first_moment(path):
    one = Claims(path)
    one.take(CHUNK, None)
    card = next((path / FOLDER).glob("worker.*"))
    assert (path / FOLDER / "3.1.0").samefile(card)
    assert json.loads(card.read_bytes())["pid"] == os.getpid()


def test_a_dead_process_on_this_machine_loses_its_chunk_at_once(path, dead):
    one = Claims(path)
    assert one.numbers() == {CHUNK: 0}
    assert living(path) == [module.socket.gethostname()]  # the dead one's card does not count
    assert one.take(CHUNK, 0)
    assert one.numbers() == {CHUNK: 1}


def test_another_process_under_the_number_of_a_dead_one_is_not_taken_for_it(path):
    one, two = Claims(path), Claims(path)
    one.take(CHUNK, None)
    claim = path / FOLDER / "3.1.0"
    card = json.loads(claim.read_bytes())
    assert not two.take(CHUNK, 0)
    claim.write_text(json.dumps(card | {"born": "1"}))
    two._trusted.clear()
    assert two.take(CHUNK, 0)


@pytest.mark.parametrize(("age", "taken"), [(STALE - 30, False), (STALE + 30, True)])
def test_a_worker_on_another_machine_is_dead_when_its_heartbeat_is_old(path, age, taken):
    Claims(path).take(CHUNK, None)
    abroad(path, age)
    assert (living(path) == []) == taken
    assert Claims(path).take(CHUNK, 0) == taken


def test_a_claim_that_says_nothing_is_judged_by_its_age(path):
    one = Claims(path)
    claim = path / FOLDER / "3.1.0"
    claim.touch()  # its writer was killed at the first byte, where there are no hard links
    assert not one.take(CHUNK, 0)
    old = claim.stat().st_mtime - STALE - 30
    os.utime(claim, (old, old))
    one._trusted.clear()
    assert one.take(CHUNK, 0)


def test_the_heartbeat_is_that_of_every_claim(path, monkeypatch):
    one = Claims(path)
    one.take(CHUNK, None)
    abroad(path, STALE + 30)
    assert living(path) == []
    one.beat()
    assert living(path) == []  # not yet due
    monkeypatch.setattr(module, "HEARTBEAT", 0.0)
    one.beat()
    assert living(path) == ["node2"]
    assert not Claims(path).take(CHUNK, 0)


def test_a_dead_workers_chunk_goes_to_one_of_many(path, dead):
    """16 workers that all saw the same dead claim, many times over."""
    workers = [Claims(path) for _ in range(16)]
    for number in range(30):
        together, won = threading.Barrier(16), []

        def race(worker, number=number, together=together, won=won):
            together.wait()
            if worker.take(CHUNK, number):
                won.append(worker)

        threads = [threading.Thread(target=race, args=[worker]) for worker in workers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(won) == 1
        del won[0].held[CHUNK]
        for worker in workers:
            worker._trusted.clear()
        newest = path / FOLDER / f"3.1.{number + 1}"  # the winner dies
        newest.unlink()
        os.link(path / FOLDER / "3.1.0", newest)


def test_who_looked_before_a_takeover_cannot_take_the_chunk_again(path, dead):
    slow, quick, third = Claims(path), Claims(path), Claims(path)
    seen = slow.numbers()[CHUNK]
    assert quick.take(CHUNK, seen)
    assert not slow.take(CHUNK, seen)
    (path / "configurations" / object_name(CHUNK)).touch()
    quick.release(CHUNK)
    assert not slow.take(CHUNK, seen)  # it could claim, and found the chunk done
    assert not third.take(CHUNK, None)
    assert slow.held == third.held == {}


def test_what_a_killed_writer_left_of_a_chunk_is_removed_by_who_takes_it_over(path, dead):
    (path / "configurations" / ".c.3.1.0.0.0.0.x.partial").touch()
    other = path / "configurations" / ".c.3.11.0.0.0.0.x.partial"  # a living worker is writing it
    other.touch()
    Claims(path).take(CHUNK, 0)
    assert list((path / "configurations").iterdir()) == [other]


def test_leaving_gives_everything_back_and_clears_away_what_nobody_needs(path, dead):
    one, two = Claims(path), Claims(path)
    two.take((0, 0), None)
    one.take(CHUNK, 0)
    one.leave()
    assert two.numbers() == {CHUNK: 0, (0, 0): 0}
    assert len(list((path / FOLDER).glob("worker.*"))) == 1  # the dead one's card went too
    (path / "configurations" / object_name(CHUNK)).touch()
    two.leave()
    assert not (path / FOLDER).exists()


def test_the_answer_that_a_network_lost_is_not_taken_for_anothers_claim(path, monkeypatch):
    one, link = Claims(path), os.link

    def repeated(*names):
        link(*names)
        link(*names)  # the client asks again and is refused

    monkeypatch.setattr(os, "link", repeated)
    assert one.take(CHUNK, None)
    assert not Claims(path).take(CHUNK, None)


def test_a_file_system_without_hard_links_will_do(path, monkeypatch):
    def link(*_):
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", link)
    monkeypatch.setattr(module, "HEARTBEAT", 0.0)
    one, two = Claims(path), Claims(path)
    assert one.take(CHUNK, None)
    assert not two.take(CHUNK, None)
    assert not two.take(CHUNK, 0)
    abroad(path, STALE + 30)
    one.beat()
    two._trusted.clear()
    assert not two.take(CHUNK, 0)
    abroad(path, STALE + 30)
    two._trusted.clear()
    assert two.take(CHUNK, 0)


def test_a_worker_that_was_taken_for_dead_and_cleared_away_goes_on(path):
    """As after a machine has slept, or the folder was removed by hand."""
    one = Claims(path)
    one.take(CHUNK, None)
    shutil.rmtree(path / FOLDER)
    one.beat()
    one.release(CHUNK)
    assert one.numbers() == {}
    assert one.take((0, 0), None)
    assert not Claims(path).take((0, 0), 0)


def test_a_store_that_is_removed_in_use_is_one_sentence(path, refused):
    one = Claims(path)
    one.take(CHUNK, None)
    shutil.rmtree(path)
    assert "was removed while it was sampled" in refused(one.numbers)
    one.leave()


def test_workers_that_leave_at_the_same_moment_do_not_mind_each_other(path):
    for _ in range(50):
        workers, together = [Claims(path) for _ in range(4)], threading.Barrier(4)
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda worker, together=together: (together.wait(), worker.leave()), workers))
        assert not (path / FOLDER).exists()
