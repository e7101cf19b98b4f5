"""``python sample.py shard=k/n``, one after the other and as the jobs of a job array."""

import importlib.util
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lattice_ml.ensembles.claims import FOLDER

ROOT = Path(__file__).resolve().parents[2]
SMALL = [
    "ensemble=ising",
    "ensemble.grid.T=[2.0,2.2,2.4]",
    "ensemble.extents=[6,6]",
    "ensemble.replicas=2",
    "ensemble.samples=2",
    "ensemble.protocol.waiting=4",
    "ensemble.protocol.spacing=2",
    "ensemble.protocol.cold_spacing=2",
]


def sample(folder, *arguments):
    command = [sys.executable, str(ROOT / "sample.py"), *arguments, *SMALL]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=100)


def test_shards_complete_the_ensemble_one_after_the_other(tmp_path):
    ended = sample(tmp_path, "-m", "shard=0/2,1/2")
    assert ended.returncode == 0, ended.stderr
    said = ended.stdout.splitlines()
    assert "shard 0/2 is complete; the store has 2 of its 3 chunks" in said
    assert "shard 1/2 is complete; the store has 3 of its 3 chunks" in said
    assert said[-1] == "stores/ising-seed0.zarr"


def test_what_is_no_shard_is_one_sentence(tmp_path):
    ended = sample(tmp_path, "shard=2/2")
    assert ended.returncode == 2
    assert "e.g. shard=0/8" in ended.stderr
    assert len(ended.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_the_end_of_a_batch_job_gives_back_what_was_claimed(tmp_path):
    command = [sys.executable, str(ROOT / "sample.py"), *SMALL, "ensemble.protocol.waiting=1e9"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
        claims, ends = tmp_path / "stores/ising-seed0.zarr" / FOLDER, time.monotonic() + 60
        while not list(claims.glob("*.0.0")):
            assert process.poll() is None
            assert time.monotonic() < ends
            time.sleep(0.1)
        time.sleep(5.0)  # into the sampler, which is compiled first
        process.terminate()
        assert "the same command goes on from here" in process.communicate(timeout=30)[1]
    assert process.returncode == 130
    assert not claims.exists()


@pytest.mark.slow
@pytest.mark.skipif(
    importlib.util.find_spec("submitit") is None, reason="needs the extra slurm: pip install 'lattice-ml[slurm]'"
)
def test_shards_are_the_jobs_of_submitit(tmp_path):
    ended = sample(tmp_path, "-m", "hydra/launcher=submitit_local", "shard=0/2,1/2", "hydra.launcher.timeout_min=2")
    assert ended.returncode == 0, ended.stderr
    logs = [log.read_text() for log in tmp_path.glob("runs/multirun/.submitit/*/*_log.out")]
    assert len(logs) == 2
    for number in (0, 1):
        assert sum(f"shard {number}/2 is complete" in log for log in logs) == 1
    assert os.path.isdir(tmp_path / "stores/ising-seed0.zarr")
    ended = sample(tmp_path)
    assert "all 3 chunks are there, nothing is left to sample" in ended.stdout
