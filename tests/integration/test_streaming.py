"""Training on what does not fit: the whole job within its memory, and the resident set of a process that streams."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_from_an_empty_folder_to_the_report_within_a_memory_that_is_too_small_for_the_ensemble(tmp_path: Path) -> None:
    """432 configurations, 615 KiB as one byte a count and 770 KiB with what reading takes, in 734 KiB."""
    words = [
        *("experiment=aim_toy", "logger=csv", "callbacks.progress=null", "data.batch_size=8", "data.memory=0.0007"),
        *("ensemble.name=small", "ensemble.replicas=48", "ensemble.samples=1", "survey.name=small_survey"),
        *("survey.replicas=1", "survey.samples=1", "survey.protocol.waiting=50"),
    ]
    command = [sys.executable, str(ROOT / "train.py"), *words]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=900)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "leaves room to embed 126 of 432 configurations" in ended.stdout
    assert "measuring the ensemble" in ended.stdout
    results = json.loads((tmp_path / "runs/aim_toy/001/results.json").read_text())
    assert results["metrics"]["test_accuracy"]["n"] == 9 * 10


@pytest.mark.slow
def test_the_resident_set_grows_by_the_memory_that_is_given_and_not_with_the_ensemble(tmp_path: Path) -> None:
    """1 GiB of configurations of L = 256, uncompressed; beside what is counted, malloc keeps some of what was freed."""
    words = ["--size", "1", "--memory", "0.25", "--threads", "1", "--rounds", "1", "--batches", "2"]
    command = [sys.executable, str(ROOT / "benchmarks/streaming.py"), *words, "--folder", str(tmp_path)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=900)
    assert ended.returncode == 0, ended.stderr
    peak = json.loads(ended.stdout.splitlines()[-1])["peak_gib"]
    assert 0.1 < peak["streamed"] < 0.25 + 0.15
    assert peak["resident"] > 0.5
