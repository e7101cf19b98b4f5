"""An experiment at toy size, run by the command that a user would type."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


TRAIN = [sys.executable, str(ROOT / "train.py")]


def train(folder: Path, *words: str) -> str:
    """``python train.py <words>``, started in ``folder``: what it printed. It must end well."""
    ended = subprocess.run(
        [*TRAIN, *words], cwd=folder, text=True, timeout=1800, env={**os.environ, "COLUMNS": "120"},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stdout
    return ended.stdout


def run_experiment(folder: Path, name: str) -> Path:
    """``python train.py experiment=<name> logger=csv``, started in ``folder``: the folder of the finished run."""
    train(folder, f"experiment={name}", "logger=csv")
    return folder / "runs" / name / "001"
