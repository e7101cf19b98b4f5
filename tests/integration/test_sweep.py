"""sweep.py as it is typed: its mistakes, its workers, what it prints and what it leaves."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import optuna
import pytest

from lattice_ml.search.address import open_storage

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
STUB = [
    "search=toy", "trust=true", "heartbeat=0.5", "grace=5", "search.max_parameters=null",
    "overrides=['workflow._target_=stub_trial.Stub']",
]  # fmt: skip
ENVIRONMENT = {"PYTHONPATH": str(HERE), "COLUMNS": "200", "OMP_NUM_THREADS": "1"}


def trials(folder, study="toy"):
    storage = open_storage(str(folder / "runs" / study / "study" / "study.journal"), study)
    return optuna.load_study(study_name=study, storage=storage.backend).trials


@pytest.fixture
def sweep(forked, tmp_path):
    """``sweep("n_trials=3", SECONDS_EACH="1")``: the stubbed command in ``tmp_path``, to its end."""
    return lambda *words, **said: forked("sweep.py", *STUB, *words, folder=tmp_path, **ENVIRONMENT, **said)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "no search is named: give search=<one of "),
        (["search=toi"], "did you mean search=toy?"),
        (["search=toy", "n_trials=0"], "n_trials = 0"),
        (["search=toy", "study=a/b"], "study = 'a/b'"),
        (["search=toy", "grace=20"], "give grace=<at least 30>"),
        (["search=toy", "search.pruner=best"], "give search.pruner=<one of none, median, hyperband>"),
        (["search=toy", "search.objectives=[validation,parameters]"], "give search.pruner=none"),
        (["search=toy", "search.objectives=[time]"], "search.objectives"),
        (["search=toy", "storage=mysql://me@host/db"], "give a path, journal:///path, sqlite:///path or postgresql://"),
        (["search=toy", "+worker=4"], "did you mean workers?"),
        (["search=toy", "+search.spaces={}"], "did you mean search.space?"),
        (["search=toy", "+search.space.tasks={choice:[1,2]}"], "there is no setting 'tasks'"),
        (["search=toy", "+search.space.a={float:[2,1]}"], "space"),
        (["search=toy", "overrides=['trainer.devices=2']"], "give workers=<n>"),
        (["search=toy", "overrides=['task.lr=-1']"], "task.lr = -1"),
        (["search=toy", "overrides=['task.lr=fast']"], "task.lr = 'fast'"),
        (["search=toy", "overrides=['+task.speed=1']"], "has no setting 'speed'"),
        (["search=toy", "overrides=['workflow._target_=os.system']"], "workflow._target_ = 'os.system' is not built"),
        (["search=toy", "overrides=['workflow._target_=stub_trial.Stub']"], "'stub_trial.Stub' is not built"),
        (
            ["search=toy", "overrides=['workflow._target_=lattice_ml.workflows.workflow.Workflow']"],
            "Workflow has no trial: give a workflow that can be searched, e.g. workflow=compare_nets",
        ),
        (["search=toy", "overrides=['trust=true']"], "trust is said on the command line alone"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_sentence_and_leaves_nothing(words, said, forked, tmp_path):
    ended = forked("sweep.py", *words, folder=tmp_path)
    assert ended.returncode == 2, ended.stderr
    assert ended.stderr.startswith("error: ")
    assert len(ended.stderr.splitlines()) == 1
    assert re.search(said if "|" in said else re.escape(said), ended.stderr), ended.stderr
    assert not list(tmp_path.rglob("trial-*"))


def test_a_search_from_its_beginning_to_its_end(sweep, tmp_path):
    """Trials end in every way; each is told; the finished command does nothing but tell again; more may be wanted."""
    ways = {"NAN_ABOVE": "0.012", "ERROR_ABOVE": "0.008"}
    ended = sweep("n_trials=6", "seed=3", **ways)
    assert ended.returncode == 0, ended.stderr
    found = trials(tmp_path)
    counted = [trial for trial in found if "infeasible" not in trial.user_attrs]
    assert len(counted) == 6
    for trial in found:
        assert f"\ntrial {trial.number} " in f"\n{ended.stdout}"
        if "infeasible" in trial.user_attrs:
            assert trial.params["task.lr"] > 0.02
            assert trial.state.name == "PRUNED"
    reasons = [trial.user_attrs["reason"] for trial in counted if trial.state.name == "FAIL"]
    assert set(reasons) == {
        "val/loss is nan at epoch 0",
        "RuntimeError: CUDA out of memory. Tried to allocate everything",
    }
    failed = next(trial for trial in counted if "CUDA" in trial.user_attrs.get("reason", ""))
    assert "Traceback" in (tmp_path / f"runs/toy/trial-{failed.number:04d}/error.txt").read_text()
    best = min((trial for trial in counted if trial.state.name == "COMPLETE"), key=lambda trial: trial.value)
    assert f"trial {best.number} again:\npython train.py experiment=flux_toy " in ended.stdout
    assert f" task.lr={best.params['task.lr']:.4g} " in ended.stdout

    begun = time.monotonic()
    again = sweep("n_trials=6", "seed=3", **ways)
    assert again.returncode == 0
    assert ended.stdout.endswith(again.stdout)
    assert len(trials(tmp_path)) == len(found)
    assert time.monotonic() - begun < 60

    other = sweep("n_trials=6", "seed=4")
    assert other.returncode == 2
    assert "was begun with another seed: say study=<another name>" in other.stderr
    other = sweep("n_trials=6", "seed=3", f"storage={tmp_path}/other.journal")
    assert other.returncode == 2
    assert "of a study that" in other.stderr

    more = sweep("n_trials=7", "seed=3", SECONDS_EACH="0")
    assert more.returncode == 0
    assert sum("infeasible" not in trial.user_attrs for trial in trials(tmp_path)) == 7


@pytest.mark.slow
def test_a_single_worker_draws_the_same_again(sweep, tmp_path):
    assert sweep("n_trials=4", "study=one").returncode == 0
    assert sweep("n_trials=4", "study=two").returncode == 0
    one, two = trials(tmp_path, "one"), trials(tmp_path, "two")
    assert [trial.params for trial in one] == [trial.params for trial in two]
    assert [trial.values for trial in one] == [trial.values for trial in two]


@pytest.mark.slow
def test_two_objectives_end_in_a_front(sweep, tmp_path):
    words = ["search.objectives=[validation,parameters]", "search.pruner=none"]
    for sampler in ("tpe", "nsga2"):
        ended = sweep(f"study={sampler}", "n_trials=12", f"search.sampler={sampler}", *words, SECONDS_EACH="0")
        assert ended.returncode == 0, ended.stderr
        front = {int(number) for number in re.findall(r"^trial (\d+) again:", ended.stdout, re.MULTILINE)}
        complete = [trial for trial in trials(tmp_path, sampler) if trial.state.name == "COMPLETE"]
        assert len(complete) == 12
        beaten = {
            a.number for a in complete for b in complete
            if a.values != b.values and all(x <= y for x, y in zip(b.values, a.values, strict=True))
        }  # fmt: skip
        assert front == {trial.number for trial in complete} - beaten


def test_the_same_mistake_again_and_again_ends_the_search(sweep, tmp_path):
    ended = sweep("n_trials=30", ERROR_ABOVE="0")
    assert ended.returncode == 2
    assert "10 trials in a row failed, with the words: RuntimeError: CUDA out of memory." in ended.stderr
    assert sum(trial.state.name == "FAIL" for trial in trials(tmp_path)) == 10


class Leader:
    """sweep.py with workers=n in the background."""

    def __init__(self, folder, *words, **environment):
        self.folder = folder
        self.log = folder / "said"
        self.process = subprocess.Popen(
            [sys.executable, str(ROOT / "sweep.py"), *STUB, *words], cwd=folder, stdout=self.log.open("ab"),
            stderr=subprocess.STDOUT, env={**os.environ, **ENVIRONMENT, **environment},
        )  # fmt: skip

    def members(self):
        """The processes that this leader started."""
        path = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        return [int(number) for number in path.read_text().split()]

    def until(self, condition, seconds=120):
        ends = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < ends, self.log.read_text()
            time.sleep(0.1)

    def epochs(self):
        return [path.read_text() for path in sorted(self.folder.glob("runs/toy/trial-*/epochs"))]

    def owners(self):
        return {int(line.split()[1]) for text in self.epochs() for line in text.splitlines()}


@pytest.mark.slow
def test_a_crew_ends_its_study_though_its_members_are_killed(tmp_path):
    leader = Leader(tmp_path, "n_trials=6", "workers=2", "search.pruner=none", SECONDS_EACH="4")
    for _ in range(3):
        before = leader.owners()
        leader.until(lambda before=before: set(leader.members()) & (leader.owners() - before))
        os.kill((set(leader.members()) & leader.owners()).pop(), signal.SIGKILL)
    assert leader.process.wait(300) == 0, leader.log.read_text()
    counted = [trial for trial in trials(tmp_path) if "infeasible" not in trial.user_attrs]
    assert [trial.state.name for trial in counted] == ["COMPLETE"] * 6
    assert len(leader.epochs()) == 6
    for text in leader.epochs():
        assert [int(line.split()[0]) for line in text.splitlines()] == list(range(5))
    assert "again:\npython train.py" in leader.log.read_text()


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_members_do_not_outlive_their_leader(number, tmp_path):
    leader = Leader(tmp_path, "n_trials=2", "workers=2", SECONDS_EACH="60")
    leader.until(lambda: len(leader.epochs()) == 2 or leader.process.poll() is not None)
    members = leader.members()
    assert len(members) == 2
    leader.process.send_signal(number)
    assert leader.process.wait(90) == (-number if number == signal.SIGKILL else 130)
    leader.until(lambda: not any(Path(f"/proc/{member}").exists() for member in members), 60)
    assert {trial.state.name for trial in trials(tmp_path) if "infeasible" not in trial.user_attrs} == {"WAITING"}


@pytest.mark.slow
def test_a_members_mistake_ends_the_crew_with_its_sentence(tmp_path):
    leader = Leader(tmp_path, "n_trials=40", "workers=2", ERROR_ABOVE="0")
    assert leader.process.wait(200) == 2
    assert "error: 10 trials in a row failed" in leader.log.read_text()
