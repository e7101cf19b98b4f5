"""An experiment at toy size, run by the command that a user would type."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def run_experiment(folder: Path, name: str) -> Path:
    """``python train.py experiment=<name> logger=csv``, started in ``folder``: the folder of the finished run."""
    ended = subprocess.run(
        [sys.executable, str(ROOT / "train.py"), f"experiment={name}", "logger=csv"],
        cwd=folder, text=True, timeout=900, env={**os.environ, "COLUMNS": "120"}, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stdout
    return folder / "runs" / name / "001"
