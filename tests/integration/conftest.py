"""The toy experiment, run once by the command that a user would type, for every test that looks at what it leaves."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hydra.core.global_hydra import GlobalHydra
from traps import TRAP

ROOT = Path(__file__).resolve().parents[2]
TOY = ["experiment=aim_toy", "name=toy", "ensemble.name=toy", "survey.name=toy_survey", "logger=all"]
SECRETS = {
    "password": "correct-horse/b@ttery",
    "token": "tok3n-of-the-store",
    "key": "0123456789abcdef0123456789abcdef01234567",
}
"""What the toy run is told and must not write down: a password with letters that an address should not hold, a token in
a query, and W&B's key, in the environment and by interpolation in the configuration."""
STORAGE = "+storage='postgresql://lars:{password}@db.org/x?token={token}#${{oc.env:WANDB_API_KEY}}'".format(**SECRETS)


@pytest.fixture(scope="session")
def secrets() -> dict[str, str]:
    """The secrets that the toy run was told."""
    return SECRETS


@pytest.fixture(scope="session")
def toy(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A finished run: the folder it was started in, and what it printed. The workers of one session share it."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    folder = shared / "toy"
    printed = folder / "printed.txt"
    with (shared / "toy.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # whoever comes second waits, and finds it done
        if not printed.exists():
            folder.mkdir(exist_ok=True)
            command = [sys.executable, str(ROOT / "train.py"), *TOY, STORAGE]
            environment = {**os.environ, "WANDB_MODE": "offline", "WANDB_API_KEY": SECRETS["key"], "COLUMNS": "120"}
            ended = subprocess.run(
                command, cwd=folder, env=environment, text=True, timeout=400, stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )  # fmt: skip
            assert ended.returncode == 0, ended.stdout
            printed.write_text(ended.stdout)
    return folder, printed.read_text()


@pytest.fixture(scope="session")
def toy_run(toy: tuple[Path, str]) -> Path:
    """The folder of the finished run."""
    return toy[0] / "runs" / "toy" / "001"


@pytest.fixture(scope="session")
def forked() -> Iterator[Callable[..., subprocess.CompletedProcess[str]]]:
    """A script in a process of its own that need not import anything: ``forked("train.py", *words, folder=tmp_path)``.

    For the many commands that end before their work begins, where importing is all that takes time.
    """
    command = [sys.executable, str(ROOT / "tests/integration/warm.py"), "imports"]
    server = subprocess.Popen(command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert server.stdin is not None
    assert server.stdout is not None
    assert server.stdout.readline() == "warm\n"

    def run(script: str, *words: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
        request = {"script": script, "arguments": words, "cwd": str(folder), "environment": environment, "kill": None}
        said = [folder / f".forked-{os.getpid()}.{stream}" for stream in ("out", "err")]
        request |= {"log": str(said[0]), "errors": str(said[1])}
        assert server.stdin is not None
        assert server.stdout is not None
        print(json.dumps(request), file=server.stdin, flush=True)
        code = int(server.stdout.readline())
        return subprocess.CompletedProcess([script, *words], code, *(path.read_text() for path in said))

    yield run
    server.stdin.close()
    server.wait(timeout=20)


@pytest.fixture
def mark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """What appears if a trap goes off; the module ``trap_of_test`` can be imported, and its import is one."""
    home = tmp_path / "modules"
    home.mkdir()
    (home / "trap_of_test.py").write_text(TRAP)
    monkeypatch.syspath_prepend(str(home))
    monkeypatch.setenv("MARK", str(tmp_path / "mark"))
    monkeypatch.setenv("EVIL", "trap_of_test.spring")
    monkeypatch.setenv("PYTHONPATH", str(home))
    monkeypatch.delitem(sys.modules, "trap_of_test", raising=False)
    yield tmp_path / "mark"
    sys.modules.pop("trap_of_test", None)
    GlobalHydra.instance().clear()
