"""A study ends with its trials, each finished once, whoever is killed, stopped or cut off, on every storage."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import optuna
import pytest

from lattice_ml.search.address import open_storage
from lattice_ml.search.claims import ClaimLost, Claims, Pace
from lattice_ml.search.outcome import OUTCOME, Infeasible, Outcome
from lattice_ml.search.owners import OWNER
from lattice_ml.search.sampling import build_sampler
from lattice_ml.search.study import open_study
from lattice_ml.search.worker import work

HERE = Path(__file__).parent
WORKER = "import json, sys; from test_sweep_workers import worker; worker(**json.loads(sys.argv[1]))"
EPOCHS = 5


def draw(trial):
    return [f"x={trial.suggest_float('x', -1.0, 1.0)}", f"n={trial.suggest_int('n', 1, 8)}"]


def open_claims(address, folder, n_trials, heartbeat=0.2, grace=2.0, retries=3):
    storage = open_storage(address, "kills")
    study = open_study(storage, "kills", {"space": "x"}, 1, optuna.pruners.NopPruner(), Path(folder))
    pace = Pace(heartbeat, grace, retries)
    return Claims(study, storage, n_trials, draw, lambda number: build_sampler("tpe", 0, number), pace)


def worker(address, folder, n_trials, seconds, **pace):
    """What a worker process does: epochs that take their time, each with one line in the trial's file.

    The line is the checkpoint and the witness at once: one write at the end of the file, whole or not there.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where the tests run in the background
    claims = open_claims(address, folder, n_trials, **pace)

    def attempt(claim):
        x, n = (float(word.partition("=")[2]) for word in claim.overrides)
        if n == 8:
            raise Infeasible("eight is too many.")
        run = Path(folder) / f"trial-{claim.number:04d}"
        run.mkdir(exist_ok=True)
        done = len((run / "epochs").read_text().splitlines()) if (run / "epochs").exists() else 0
        with (Path(folder) / "attempts").open("a") as file:
            file.write(f"{claim.number} {os.getpid()}\n")
        for epoch in range(done, EPOCHS):
            time.sleep(seconds / EPOCHS)
            assert not claims.report(claim, epoch, x * x / (1 + epoch))
            if claim.lost.is_set():
                raise ClaimLost
            with (run / "epochs").open("a") as file:
                file.write(f"{epoch} {os.getpid()}\n")
        return Outcome(validation=x * x, parameters=int(n))

    try:
        work(claims, attempt, ["validation"], lambda number: Path(folder) / f"trial-{number:04d}")
    except KeyboardInterrupt:
        sys.exit(130)


class Crew:
    """Worker processes on one study."""

    def __init__(self, address, folder, n_trials, seconds=1.0, **pace):
        self.folder, self.n_trials = folder, n_trials
        self.arguments = {"address": address, "folder": str(folder), "n_trials": n_trials, "seconds": seconds, **pace}
        self.processes, self.killed = [], 0
        folder.mkdir(exist_ok=True)

    def start(self, **changed):
        words = [sys.executable, "-c", WORKER, json.dumps({**self.arguments, **changed})]
        log = (self.folder / "log").open("ab")
        process = subprocess.Popen(words, cwd=HERE, stdout=log, stderr=log)
        self.processes.append(process)
        return process

    def claims(self):
        return open_claims(self.arguments["address"], self.folder, self.n_trials)

    def running(self):
        """The process number of the owner of each running trial."""
        trials = self.claims().study.get_trials(states=(optuna.trial.TrialState.RUNNING,))
        return {trial.number: trial.user_attrs[OWNER]["pid"] for trial in trials}

    def attempts(self):
        path = self.folder / "attempts"
        return [tuple(map(int, line.split())) for line in path.read_text().splitlines()] if path.exists() else []

    def until(self, condition, seconds=60):
        ends = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < ends, (self.folder / "log").read_text()
            time.sleep(0.05)

    def kill_for(self, seconds, every, workers, seed=0):
        """Kill one of the workers now and then, at random moments, and start another in its place."""
        chance = random.Random(seed)
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            time.sleep(chance.uniform(0.5, 1.5) * every)
            alive = [process for process in self.processes if process.poll() is None]
            if alive:
                chance.choice(alive).kill()
                self.killed += 1
            while sum(process.poll() is None for process in self.processes) < workers:
                self.start()

    def finish(self, seconds=120):
        for process in self.processes:
            code = process.wait(seconds)
            assert code in (0, -signal.SIGKILL, 130), (self.folder / "log").read_text()

    def check(self):
        """Exactly n_trials are finished, nothing is left, and every epoch of each was done once, in order."""
        trials = self.claims().study.get_trials()
        counted = [trial for trial in trials if "infeasible" not in trial.user_attrs]
        assert Counter(trial.state.name for trial in counted) == {"COMPLETE": self.n_trials}
        assert [trial.number for trial in trials] == list(range(len(trials)))
        for trial in counted:
            lines = (self.folder / f"trial-{trial.number:04d}" / "epochs").read_text().splitlines()
            assert [int(line.split()[0]) for line in lines] == list(range(EPOCHS))
            assert Outcome(**trial.user_attrs[OUTCOME]).validation == trial.value == trial.params["x"] ** 2
        assert {number for number, _ in self.attempts()} == {trial.number for trial in counted}
        return counted


@pytest.fixture(params=["journal", "postgresql", pytest.param("sqlite", marks=pytest.mark.slow)])
def address(request, tmp_path):
    """A fresh storage of each kind."""
    if request.param == "postgresql":
        server = request.getfixturevalue("postgres")
        name = f"db{os.getpid()}_{time.monotonic_ns()}"
        subprocess.run([sys.executable, "-c", CREATE, server.address(), name], check=True)
        return server.address(name)
    return f"sqlite:///{tmp_path}/study.db" if request.param == "sqlite" else str(tmp_path / "study.journal")


CREATE = """
import sys, psycopg
psycopg.connect(sys.argv[1], autocommit=True).execute(f"CREATE DATABASE {sys.argv[2]}")
"""


def test_workers_that_are_killed_lose_nothing_and_do_nothing_twice(address, tmp_path):
    crew = Crew(address, tmp_path / "runs", n_trials=12, seconds=1.0)
    for _ in range(3):
        crew.start()
    crew.kill_for(7.0, every=1.2, workers=3)
    crew.finish()
    crew.check()
    assert crew.killed >= 3


def journal(tmp_path):
    return str(tmp_path / "study.journal")


def test_ctrl_c_puts_the_trial_back_at_once(tmp_path):
    crew = Crew(journal(tmp_path), tmp_path / "runs", n_trials=1, seconds=1.5)
    process = crew.start()
    crew.until(lambda: (crew.folder / "trial-0000" / "epochs").exists())
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 130
    (trial,) = crew.claims().study.get_trials()
    assert trial.state.name == "WAITING"
    assert "lost" not in trial.user_attrs
    crew.start()
    crew.finish()
    crew.check()


def test_a_worker_that_was_only_stopped_comes_back_to_nothing(tmp_path):
    crew = Crew(journal(tmp_path), tmp_path / "runs", n_trials=2, seconds=1.0, grace=1.0)
    stopped = crew.start()
    crew.until(lambda: (crew.folder / "trial-0000" / "epochs").exists())
    stopped.send_signal(signal.SIGSTOP)
    heir = crew.start()
    assert heir.wait(60) == 0
    trials = crew.check()
    stopped.send_signal(signal.SIGCONT)
    crew.finish()
    assert [trial.datetime_complete for trial in crew.check()] == [trial.datetime_complete for trial in trials]
    assert (0, heir.pid) in crew.attempts()


def test_more_trials_may_be_asked_for_while_others_work(tmp_path):
    crew = Crew(journal(tmp_path), tmp_path / "runs", n_trials=5, seconds=0.4)
    crew.start(n_trials=2)
    crew.start(n_trials=5)
    crew.finish()
    crew.check()


@pytest.mark.slow
def test_a_database_that_is_restarted_costs_nothing(postgres, tmp_path):
    name = f"restarted{time.monotonic_ns()}"
    subprocess.run([sys.executable, "-c", CREATE, postgres.address(), name], check=True)
    crew = Crew(postgres.address(name), tmp_path / "runs", n_trials=6, seconds=2.0, grace=5.0)
    for _ in range(2):
        crew.start()
    for _ in range(2):
        crew.until(lambda: len(crew.attempts()) >= 2)
        postgres.stop()
        time.sleep(3)
        postgres.start()
        time.sleep(3)
    crew.finish()
    crew.check()
    assert len(crew.attempts()) == 6


@pytest.mark.slow
@pytest.mark.parametrize("address", ["journal", "postgresql"], indirect=True)
def test_four_workers_for_a_minute_one_of_them_killed_every_few_seconds(address, tmp_path):
    crew = Crew(address, tmp_path / "runs", n_trials=60, seconds=4.0)
    for _ in range(4):
        crew.start()
    crew.kill_for(60.0, every=3.0, workers=4)
    crew.finish()
    trials = crew.check()
    taken_up_again = Counter(number for number, _ in crew.attempts())
    print(f"{crew.killed} kills, {len(trials)} finished trials, {len(crew.attempts())} attempts")
    assert crew.killed >= 10
    assert max(taken_up_again.values()) > 1
