"""Processes that sample into one store end, whoever is killed, in the store of one, with no chunk done twice."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from lattice_ml.ensembles.claims import FOLDER
from lattice_ml.ensembles.generate import generate
from lattice_ml.ensembles.plan import Protocol, plan_grid
from lattice_ml.ensembles.store import done_chunks, open_ensemble
from lattice_ml.kernels.device import Cpu
from lattice_ml.systems.active_ising.physics import ActiveIsing

HERE = Path(__file__).parent
WORKER = """
import sys
from test_sampling_workers import worker
worker(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), float(sys.argv[5]))
"""


class LoggedSampler:
    """Particles thrown on the torus, each (seed, point, replica) from its own stream, slowly, and with a line in a
    common log for every chunk begun: what is tried here is who samples what, not the physics."""

    def __init__(self, log, seconds=0.0, at_once=1):
        self.log, self.seconds, self.at_once, self.device = log, seconds, at_once, Cpu()

    def validate(self, system, point, times):
        pass

    def lanes_at_once(self, system, point, readouts):
        return self.at_once

    def settings(self, point):
        return {"algorithm": "thrown", "version": 1}

    def sample(self, system, lanes, seed, start, tick):
        if self.log:
            for name in sorted({f"{lane.point['T']:g}" for lane in lanes}):
                with open(self.log, "a") as file:  # one write of a short line at the end of the file: it stays whole
                    file.write(f"{os.getpid()} {name}\n")
        out = np.zeros((len(lanes), len(lanes[0].times), 2, *system.extents), dtype=np.uint16)
        for lane, (point, replica, times) in enumerate(lanes):
            for sample in range(len(times)):
                random = np.random.default_rng([seed, round(100 * point["T"]), replica, sample])
                sites = random.integers(out[lane, sample].size, size=system.particles(point))
                out[lane, sample] = np.bincount(sites, minlength=out[lane, sample].size).reshape(2, *system.extents)
        ends = time.monotonic() + self.seconds
        while time.monotonic() < ends:
            time.sleep(0.01)
            tick(0.1)
        return out


def campaign(path, chunks, sampler, threads=1):
    plan = plan_grid("shared", {"T": f"0.01:{chunks / 100}:0.01", "rho0": [3.0]}, 2, 2, 5, Protocol(waiting=1.0))
    generate(ActiveIsing(extents=(9, 3)), sampler, plan, path, threads=threads)


def worker(path, log, chunks, at_once, seconds):
    """What a worker process does; Ctrl-C ends it as it ends the entry scripts."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where the tests run in the background
    try:
        campaign(path, chunks, LoggedSampler(log, seconds, at_once))
    except KeyboardInterrupt:
        sys.exit(130)


class Crew:
    """Worker processes on one store and the log of what they began."""

    def __init__(self, folder, chunks, at_once=1, seconds=0.15):
        self.path, self.log = folder / "shared.zarr", folder / "log"
        self.chunks, self.at_once, self.seconds = chunks, at_once, seconds
        self.killed, self.workers = [], []
        self.log.touch()

    def start(self, *within):
        command = [*within, sys.executable, "-c", WORKER, self.path, self.log, self.chunks, self.at_once, self.seconds]
        process = subprocess.Popen([str(word) for word in command], cwd=HERE, stdout=subprocess.PIPE, text=True)
        self.workers.append(process)
        return process

    def begun(self):
        """(pid, chunk) of every sampling that was begun; a line that is being written is left out."""
        lines = self.log.read_text().split("\n")[:-1]
        return [(int(pid), name) for pid, name in map(str.split, lines)]

    def kill(self, process, number=signal.SIGKILL):
        process.send_signal(number)
        self.killed.append(process.pid)

    def finish(self):
        """Wait for all; say what the survivors said."""
        said = {}
        try:
            for process in self.workers:
                said[process.pid] = process.communicate(timeout=60)[0]
        finally:
            for process in self.workers:
                process.kill()
        for process in self.workers:
            assert process.returncode == 0 or process.pid in self.killed
        return {pid: text for pid, text in said.items() if pid not in self.killed}

    def check(self, folder):
        """The store is that of one worker, and a chunk was begun more often than once only if who began it died."""
        campaign(folder / "alone.zarr", self.chunks, LoggedSampler(None))
        for name in ("configurations", "time", "T"):
            alone, shared = (open_ensemble(folder / f"{kind}.zarr")[name].values for kind in ("alone", "shared"))
            np.testing.assert_array_equal(alone, shared)
        attributes = [json.loads((folder / f"{kind}.zarr/zarr.json").read_text()) for kind in ("alone", "shared")]
        assert attributes[0]["attributes"]["plan"] == attributes[1]["attributes"]["plan"]
        begun = self.begun()
        survivors = Counter(name for pid, name in begun if pid not in self.killed)
        assert max(survivors.values()) == 1
        assert len({name for _, name in begun}) == self.chunks
        # A worker that was killed had one call in flight at most, and that one was begun again by one other.
        assert len(begun) - self.chunks <= len(self.killed) * max(1, self.at_once // 2)
        assert not (self.path / FOLDER).exists()
        assert not list(self.path.rglob("*.partial"))


def wait_for(reached, seconds=60.0):
    ends = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < ends
        time.sleep(0.005)


def test_workers_share_a_store_and_take_over_from_the_killed(tmp_path):
    crew = Crew(tmp_path, chunks=24)
    for _ in range(4):
        crew.start()
    wait_for(lambda: len({pid for pid, _ in crew.begun()}) == 4 and len(done_chunks(crew.path)) >= 6)
    crew.kill(crew.workers[0])
    crew.kill(crew.workers[1])
    said = crew.finish()
    assert len(said) == 2
    assert all("sampling shared: done in" in text for text in said.values())
    crew.check(tmp_path)


def test_a_call_of_many_chunks_is_claimed_and_taken_over_together(tmp_path):
    crew = Crew(tmp_path, chunks=12, at_once=6, seconds=0.5)  # three chunks of two replicas to a call
    for _ in range(3):
        crew.start()
    wait_for(lambda: len({pid for pid, _ in crew.begun()}) >= 2)
    victim = crew.begun()[-1][0]
    crew.kill(next(process for process in crew.workers if process.pid == victim))
    crew.finish()
    calls = Counter(pid for pid, _ in crew.begun())
    assert all(number % 3 == 0 for number in calls.values())
    crew.check(tmp_path)


def test_ctrl_c_frees_the_chunks_of_a_worker(tmp_path):
    crew = Crew(tmp_path, chunks=6, seconds=0.5)
    crew.start()
    wait_for(lambda: len(crew.begun()) == 2)
    first = crew.workers[0]
    crew.kill(first, signal.SIGINT)
    assert first.wait(10) == 130
    assert not (crew.path / FOLDER).exists()
    crew.seconds = 0.0
    crew.start()
    crew.finish()
    crew.check(tmp_path)


ABROAD = """
from lattice_ml.ensembles import claims
claims.HEARTBEAT, claims.STALE, claims.TRUST = 0.5, 5.0, 0.5
"""


@pytest.mark.slow
@pytest.mark.skipif(
    subprocess.run(["unshare", "--pid", "--fork", "true"], capture_output=True).returncode != 0,
    reason="needs the right to make a process-number space, which stands for another machine here",
)
@pytest.mark.parametrize("killed", [False, True])
def test_a_worker_whose_process_cannot_be_seen_is_judged_by_its_heartbeat(tmp_path, monkeypatch, killed):
    """Left alone for as long as it lives, longer than ``STALE``; taken over when its heartbeat has stopped."""
    monkeypatch.setitem(globals(), "WORKER", ABROAD + WORKER)
    crew = Crew(tmp_path, chunks=2, seconds=10.0)
    far = crew.start("unshare", "--pid", "--fork", "--kill-child")
    wait_for(lambda: len(crew.begun()) == 1)
    crew.seconds = 0.5
    crew.start()
    if killed:
        wait_for(lambda: len(crew.begun()) == 2)
        far.kill()
        crew.killed += [far.pid, 1]  # the number that the worker knows itself by
    said = crew.finish()
    assert "other workers are at the last chunk: waiting for them" in said[crew.workers[1].pid]
    assert len(crew.begun()) == 2 + killed
    crew.check(tmp_path)


@pytest.mark.slow
def test_eight_workers_under_random_kills_for_a_minute(tmp_path):
    crew = Crew(tmp_path, chunks=100, seconds=1.5)
    dice = random.Random(7)
    for _ in range(8):
        crew.start()
    ends = time.monotonic() + 60
    while time.monotonic() < ends and len(done_chunks(crew.path)) < 95:
        time.sleep(dice.uniform(0.3, 1.5))
        alive = [process for process in crew.workers if process.poll() is None]
        busy = {pid for pid, _ in crew.begun()}
        sampling = [process for process in alive if process.pid in busy]
        # Mostly in the midst of a chunk, now and then on the way there.
        victims = sampling if dice.random() < 0.8 else alive
        if len(sampling) > 2 and victims:
            crew.kill(dice.choice(victims))
        if len(alive) < 9:
            crew.start()
    crew.start()
    crew.finish()
    assert len(crew.killed) >= 8
    print(f"{len(crew.workers)} workers, {len(crew.killed)} killed, {len(crew.begun())} chunks begun of {crew.chunks}")
    assert len(crew.begun()) > crew.chunks + 3
    crew.check(tmp_path)
