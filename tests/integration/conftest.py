"""The toy experiment, run once by the command that a user would type, for every test that looks at what it leaves."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

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
