"""optuna-dashboard opens the study of a sweep: served on loopback, asked as its own page asks."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import optuna
import pytest

from lattice_ml.search.address import open_storage

PROGRAM = shutil.which("optuna-dashboard", path=str(Path(sys.executable).parent))


def ask(address: str) -> Any:
    with urllib.request.urlopen(address, timeout=10) as answer:
        return json.load(answer)


@pytest.mark.skipif(PROGRAM is None, reason="optuna-dashboard is not installed")
@pytest.mark.parametrize("storage", ["study.journal", "sqlite:///study.db"])
def test_the_dashboard_shows_the_trials_of_a_storage(tmp_path: Path, monkeypatch, storage: str) -> None:
    monkeypatch.chdir(tmp_path)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(study_name="toy", storage=open_storage(storage, "toy").backend)
    for number in range(3):
        trial = study.ask()
        trial.suggest_float("task.lr", 1e-3, 1e-1, log=True)
        trial.report(0.5, 0)
        study.tell(trial, 1.0 / (1 + number))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen(
        [str(PROGRAM), "--host", "127.0.0.1", "--port", str(port), storage], cwd=tmp_path,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        found, deadline = None, time.monotonic() + 60
        while found is None and time.monotonic() < deadline:
            try:
                found = ask(f"http://127.0.0.1:{port}/api/studies")["study_summaries"]
            except urllib.error.URLError:
                assert server.poll() is None, "it ended"
                time.sleep(0.1)
        assert found is not None
        assert [summary["study_name"] for summary in found] == ["toy"]
        shown = ask(f"http://127.0.0.1:{port}/api/studies/{found[0]['study_id']}?after=0")
        assert [trial["values"] for trial in shown["trials"]] == [[1.0], [0.5], [1 / 3]]
        assert shown["trials"][0]["params"][0]["name"] == "task.lr"
    finally:
        server.terminate()
        server.wait(timeout=20)
