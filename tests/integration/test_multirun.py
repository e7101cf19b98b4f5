"""``python train.py -m``: several trainings as the jobs of submitit, here on this machine."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def test_trainings_are_the_jobs_of_submitit(tmp_path):
    pytest.importorskip("hydra_plugins.hydra_submitit_launcher", reason="needs the extra slurm")
    settings = [
        "experiment=flux_toy",
        "~models.ST",
        "~models.FL",
        "seed=0,1",
        "data.sizes=[100]",
        "trainer.max_epochs=1",
    ]
    launcher = ["hydra/launcher=submitit_local", "hydra.launcher.timeout_min=5"]
    command = [sys.executable, str(ROOT / "train.py"), "-m", *launcher, *settings, "logger=csv"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert ended.returncode == 0, ended.stderr
    found = [json.loads(path.read_text()) for path in tmp_path.glob("runs/flux_toy/*/results.json")]
    assert sorted(results["seed"] for results in found) == [0, 1]
    assert len(list(tmp_path.glob("runs/multirun/.submitit/*/*_log.out"))) == 2
