"""A campaign samples what is missing, on any number of threads, and stops cleanly whatever stops it."""

import _thread
import dataclasses
import errno
import os
import shutil
import socket
import threading
import time
from collections import namedtuple
from concurrent.futures import Future
from itertools import chain

import numpy as np
import pytest

from lattice_ml.ensembles import generate as campaign
from lattice_ml.ensembles import progress
from lattice_ml.ensembles.claims import FOLDER, Claims
from lattice_ml.ensembles.generate import generate, sample_chunks
from lattice_ml.ensembles.layout import all_chunks
from lattice_ml.ensembles.shard import Shard
from lattice_ml.ensembles.store import done_chunks, open_configurations, open_ensemble, prepare_store
from lattice_ml.ground.atomic import lock


def bits(path):
    return open_ensemble(path)["configurations"].values


def test_any_number_of_threads_and_any_blocks_give_the_same_bits(tmp_path, system, sampler, plan, monkeypatch):
    generate(system, sampler, plan, tmp_path / "one", threads=1)
    generate(system, sampler, plan, tmp_path / "four", threads=4)
    monkeypatch.setattr("lattice_ml.ensembles.layout.LARGEST_BLOCK", 2)
    generate(system, sampler, plan, tmp_path / "blocks")
    assert len(done_chunks(tmp_path / "blocks")) == 12
    np.testing.assert_array_equal(bits(tmp_path / "one"), bits(tmp_path / "four"))
    np.testing.assert_array_equal(bits(tmp_path / "one"), bits(tmp_path / "blocks"))


@pytest.mark.parametrize("at_once", [4, 7, 1000])
def test_a_device_that_takes_many_lanes_at_once_gives_the_same_bits(tmp_path, system, sampler, plan, at_once):
    generate(system, sampler, plan, tmp_path / "one")
    many = dataclasses.replace(sampler, at_once=at_once, calls=[])
    generate(system, many, plan, tmp_path / "many")
    np.testing.assert_array_equal(bits(tmp_path / "one"), bits(tmp_path / "many"))
    assert sorted(len(replicas) for _, replicas in many.calls) == {4: [3] * 6, 7: [6] * 3, 1000: [18]}[at_once]


def test_only_missing_chunks_are_sampled(tmp_path, system, sampler, plan, capsys):
    generate(system, sampler, plan, tmp_path / "a", threads=1)
    whole = bits(tmp_path / "a")
    (tmp_path / "a" / "configurations" / "c.2.0.0.0.0.0").unlink()
    (tmp_path / "a" / "configurations" / ".c.2.0.0.0.0.0.x.partial").write_bytes(b"half")
    sampler.calls.clear()
    capsys.readouterr()
    generate(system, sampler, plan, tmp_path / "a", threads=1)
    assert sampler.calls == [(plan.points[2], [0, 1, 2])]
    assert "5 of 6 chunks are there, 1 to sample" in capsys.readouterr().out
    np.testing.assert_array_equal(bits(tmp_path / "a"), whole)
    assert not list((tmp_path / "a").rglob("*.partial"))
    generate(system, sampler, plan, tmp_path / "a", threads=1)
    assert len(sampler.calls) == 1
    assert "all 6 chunks are there, nothing is left" in capsys.readouterr().out


def test_a_complete_store_is_not_written_to(tmp_path, system, sampler, plan):
    generate(system, sampler, plan, tmp_path / "a", threads=1)
    with lock(tmp_path / "a"):  # as another process that reads and samples the same ensemble would
        generate(system, sampler, plan, tmp_path / "a", threads=1)


def test_a_chunk_that_another_worker_claims_is_left_to_it_and_waited_for(tmp_path, system, sampler, plan, capsys):
    path = tmp_path / "a"
    prepare_store(path, system, sampler, plan)
    other, states = Claims(path), {}
    for chunk, part in sample_chunks(system, sampler, plan, [(2, 0), (5, 0)], lambda _: None):
        assert other.take(chunk, None)
        states[chunk] = part
    sampler.calls.clear()

    def finish():
        while len(done_chunks(path)) < 4:
            time.sleep(0.01)
        time.sleep(0.2)
        configurations = open_configurations(path)
        for chunk, part in states.items():
            configurations[chunk[0], 0:3] = part
        other.leave()

    worker = threading.Thread(target=finish)
    worker.start()
    generate(system, sampler, plan, path, threads=2)
    worker.join()
    said = capsys.readouterr().out
    assert f"1 other worker at it ({socket.gethostname()})" in said
    assert said.count("other workers are at the last 2 chunks: waiting for them.") == 1
    assert sorted(plan.points.index(point) for point, _ in sampler.calls) == [0, 1, 3, 4]
    assert not (path / FOLDER).exists()
    generate(system, sampler, plan, tmp_path / "b")
    np.testing.assert_array_equal(bits(path), bits(tmp_path / "b"))


def test_a_chunk_that_another_worker_gives_back_is_sampled(tmp_path, system, sampler, plan):
    path = tmp_path / "a"
    prepare_store(path, system, sampler, plan)
    other = Claims(path)
    assert other.take((2, 0), None)
    leaving = threading.Timer(0.5, other.leave)
    leaving.start()
    generate(system, sampler, plan, path, threads=1)
    leaving.join()
    assert [plan.points.index(point) for point, _ in sampler.calls][-1] == 2
    assert len(sampler.calls) == 6


def test_a_store_without_configurations_is_not_written_anew_under_a_living_worker(
    tmp_path, system, sampler, plan, refused
):
    path = tmp_path / "a"
    prepare_store(path, system, sampler, plan)
    other, changed = Claims(path), dataclasses.replace(plan, seed=8)
    assert "seed = 7, not for 8" in refused(generate, system, sampler, changed, path)
    other.leave()
    generate(system, sampler, changed, path)
    assert open_ensemble(path).attrs["plan"]["seed"] == 8


def test_shards_divide_the_ensemble_between_them(tmp_path, system, sampler, plan, capsys):
    path = tmp_path / "a"
    sampled = []
    for number in range(4):
        sampler.calls.clear()
        generate(system, sampler, plan, path, threads=1, shard=Shard(number, 4))
        sampled.append([plan.points.index(point) for point, _ in sampler.calls])
    assert [len(chunks) for chunks in sampled] == [2, 2, 1, 1]
    assert sorted(chain.from_iterable(sampled)) == [0, 1, 2, 3, 4, 5]
    capsys.readouterr()
    generate(system, sampler, plan, path, threads=1, shard=Shard(1, 4))
    assert "a, shard 1/4: all 2 chunks are there" in capsys.readouterr().out
    generate(system, sampler, plan, tmp_path / "b")
    np.testing.assert_array_equal(bits(path), bits(tmp_path / "b"))


def test_progress_counts_what_other_workers_finish(tmp_path, system, sampler, plan, monkeypatch):
    path = tmp_path / "a"
    prepare_store(path, system, sampler, plan)
    chunks = all_chunks(system, plan)
    worker = campaign._Campaign(system, sampler, plan, path, chunks, Claims(path))
    total = sum(worker.work.values())
    mine = campaign._Call([(0, 0), (1, 0)], ticked=worker.work[0, 0] + 1.0)  # one is done, the other has begun
    worker.calls[Future()] = mine
    for chunk, part in sample_chunks(system, sampler, plan, [(0, 0), (3, 0)], lambda _: None):
        open_configurations(path)[chunk[0], 0:3] = part
    worker._look()
    assert worker._progress() == pytest.approx(worker.work[0, 0] + worker.work[3, 0] + 1.0)
    mine.ticked = 2 * total  # a sampler that overstates its work
    assert worker._progress() == pytest.approx(sum(worker.work[chunk] for chunk in [(0, 0), (1, 0), (3, 0)]))


def test_the_longest_chunks_come_first(tmp_path, system, sampler, plan):
    generate(system, sampler, plan, tmp_path / "a", threads=1)
    work = [system.work(point) * plan.times(point)[-1] for point, _ in sampler.calls]
    assert work == sorted(work, reverse=True)
    assert len(set(work)) > 1


def test_an_unphysical_point_is_refused_before_anything_is_written(tmp_path, system, sampler, plan, refused):
    cold = dataclasses.replace(plan, points=({"T": -0.3, "rho0": 3.0},))
    assert "T = -0.3" in refused(generate, system, sampler, cold, tmp_path / "a")
    assert not (tmp_path / "a").exists()


def test_a_small_disk_is_noticed_before_anything_is_written(tmp_path, system, sampler, plan, refused, monkeypatch):
    usage = namedtuple("usage", "total used free")
    needed = 6 * 3 * 2 * 2 * 18
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(0, 0, needed - 1))
    assert "MB are free" in refused(generate, system, sampler, plan, tmp_path / "stores" / "a")
    assert not (tmp_path / "stores").exists()
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(0, 0, needed))
    generate(system, sampler, plan, tmp_path / "stores" / "a")


def test_a_disk_that_fills_up_loses_the_chunk_in_flight_alone(tmp_path, system, sampler, plan, refused, monkeypatch):
    path = tmp_path / "a"
    fsync = os.fsync

    def full(number):
        if len(done_chunks(path)) >= 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        fsync(number)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        assert "disk is full" in refused(generate, system, sampler, plan, path, threads=2)
    assert 2 <= len(done_chunks(path)) <= 3  # the other thread's may have been on its way
    assert not list(path.rglob("*.partial"))
    generate(system, sampler, plan, path)
    generate(system, sampler, plan, tmp_path / "b")
    np.testing.assert_array_equal(bits(path), bits(tmp_path / "b"))


def test_states_that_lose_a_particle_are_never_written(tmp_path, system, sampler, plan, monkeypatch):
    honest = sampler.sample

    def leaky(*arguments):
        states = honest(*arguments)
        states[1, 0].flat[states[1, 0].argmax()] -= 1
        return states

    monkeypatch.setattr(sampler, "sample", leaky)
    with pytest.raises(RuntimeError, match="conserved"):
        generate(system, sampler, plan, tmp_path / "a", threads=2)
    assert done_chunks(tmp_path / "a") == set()


def test_states_of_another_shape_are_never_written(tmp_path, system, sampler, plan, monkeypatch):
    honest = sampler.sample
    monkeypatch.setattr(sampler, "sample", lambda *arguments: honest(*arguments).astype(np.int64))
    with pytest.raises(RuntimeError, match="not uint16"):
        generate(system, sampler, plan, tmp_path / "a", threads=1)


def test_ctrl_c_stops_every_thread_within_a_second(tmp_path, system, sampler, plan, monkeypatch):
    honest = sampler.sample
    entered = threading.Barrier(3)

    def endless(system, lanes, seed, start, tick):
        if lanes[0].point["T"] > 0.55:
            return honest(system, lanes, seed, start, tick)
        entered.wait(10)
        while True:
            time.sleep(0.1)
            tick(1.0)

    def interrupt():
        entered.wait(10)
        pressed.append(time.monotonic())
        _thread.interrupt_main()

    pressed = []
    monkeypatch.setattr(sampler, "sample", endless)
    # The two quick points first, so that they are there when the others are stopped.
    monkeypatch.setattr(campaign, "chunk_work", lambda chunk, system, plan: float(chunk[0]))
    threading.Thread(target=interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        generate(system, sampler, plan, tmp_path / "a", threads=2)
    assert time.monotonic() - pressed[0] < 1
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("sampling")]
    assert done_chunks(tmp_path / "a") == {(4, 0), (5, 0)}
    assert not (tmp_path / "a" / FOLDER).exists()  # nobody has to wait for what was in flight
    monkeypatch.setattr(sampler, "sample", honest)
    generate(system, sampler, plan, tmp_path / "a")


def test_progress_adds_up_to_the_whole_campaign(tmp_path, system, sampler, plan, monkeypatch, capsys):
    monkeypatch.setattr(progress, "LINE_EVERY", 0.0)
    generate(system, sampler, plan, tmp_path / "a", threads=2)
    lines = capsys.readouterr().out.splitlines()
    assert lines[-2].startswith("sampling toy: 100% done, 0 s left")
    assert lines[-1].startswith("sampling toy: done in")
    shares = [int(line.split(": ")[1].split("%")[0]) for line in lines[:-1]]
    assert shares == sorted(shares)


def test_a_terminal_gets_a_bar(tmp_path, system, sampler, plan, monkeypatch, capsys):
    monkeypatch.setattr(progress.sys.stdout, "isatty", lambda: True)
    generate(system, sampler, plan, tmp_path / "a", threads=2)
    assert "100%" in capsys.readouterr().out
