"""Checkpoints that others wrote run nothing, and nothing in the source would run what is in a file."""

from __future__ import annotations

import ast
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from lightning.pytorch.trainer.connectors.checkpoint_connector import _CheckpointConnector
from traps import Malice

from lattice_ml.ground.errors import UserError
from lattice_ml.nets.phase_cnn import PhaseCNN
from lattice_ml.systems.active_ising.physics import ActiveIsing

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(params=["torch.save", "pickle"])
def malicious(request, tmp_path: Path, mark: Path) -> Path:
    path = tmp_path / "malicious.ckpt"
    payload = {"state_dict": {}, "epoch": 3, "hyper_parameters": Malice(f"touch {mark}")}
    if request.param == "pickle":
        path.write_bytes(pickle.dumps(payload))
    else:
        torch.save(payload, path)
    return path


def test_a_malicious_checkpoint_would_run(malicious: Path, mark: Path) -> None:
    if malicious.read_bytes()[:2] == b"PK":
        torch.load(malicious, weights_only=False)
    else:
        pickle.loads(malicious.read_bytes())
    assert mark.exists()


def test_a_run_does_not_resume_from_a_malicious_checkpoint(malicious: Path, mark: Path, tmp_path: Path) -> None:
    from lattice_ml.workflows.phase_diagram.training import resume_point

    system = ActiveIsing((9, 9))
    checkpoints = tmp_path / "checkpoints"
    checkpoints.mkdir()
    for name in ("last.ckpt", "best.ckpt"):
        (checkpoints / name).write_bytes(malicious.read_bytes())
    assert resume_point(checkpoints, PhaseCNN(2, (9, 9), 3), system) is None
    assert not mark.exists()


def test_a_malicious_checkpoint_is_not_loaded(malicious: Path, mark: Path) -> None:
    from lattice_ml.tasks.classify_phase import load_classifier

    system = ActiveIsing((9, 9))
    with pytest.raises(UserError, match="cannot be read as a checkpoint"):
        load_classifier(malicious, PhaseCNN(2, (9, 9), 3), system)
    assert not mark.exists()


@pytest.mark.slow
def test_a_malicious_checkpoint_to_start_from_is_refused(malicious: Path, mark: Path, tmp_path: Path) -> None:
    words = ["experiment=aim_toy", f"ckpt_path={malicious}", "logger=csv", f"paths.runs={tmp_path}/r"]
    ended = subprocess.run(
        [sys.executable, str(ROOT / "train.py"), *words, f"paths.stores={tmp_path}/s"],
        capture_output=True, text=True, timeout=120, cwd=tmp_path,
    )  # fmt: skip
    assert ended.returncode == 2, ended.stderr
    assert len(ended.stderr.strip().splitlines()) == 1, ended.stderr
    assert "cannot be read as a checkpoint" in ended.stderr
    assert not mark.exists()
    assert not (tmp_path / "r").exists()


def test_every_reader_of_checkpoints_asks_for_weights_only() -> None:
    """torch.load and what loads a checkpoint in Lightning says weights_only=True, wherever it is called."""
    assert "weights_only" in _CheckpointConnector._restore_modules_and_callbacks.__code__.co_varnames
    calls = []
    for path in (ROOT / "lattice_ml").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                owner = ast.unparse(node.func.value)
                loads = node.func.attr == "load" and owner in ("torch", "pickle", "joblib", "dill")
                lightning = node.func.attr == "load_from_checkpoint" or "ckpt_path" in [k.arg for k in node.keywords]
                if loads or lightning or owner in ("pickle", "cloudpickle", "marshal", "shelve"):
                    calls.append((path.name, node.lineno, {k.arg: ast.unparse(k.value) for k in node.keywords}))
    assert len(calls) >= 2
    assert [call for call in calls if call[2].get("weights_only") != "True"] == []


def test_yaml_is_safe_loaded_and_arrays_hold_no_objects() -> None:
    for path in [*(ROOT / "lattice_ml").rglob("*.py"), ROOT / "train.py", ROOT / "sample.py"]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                name = ast.unparse(node.func)
                assert name not in ("eval", "exec", "yaml.full_load", "yaml.unsafe_load"), path
                # a loader that is chosen at run time is one of the two safe ones: ruff's S506 sees to the rest
                assert name != "yaml.load" or "noqa: S506" in path.read_text().splitlines()[node.lineno - 1], path
                if name in ("np.load", "numpy.load"):
                    assert {k.arg: ast.unparse(k.value) for k in node.keywords}.get("allow_pickle") == "False", path
