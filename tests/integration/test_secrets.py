"""No secret lands in a run folder, a log or a report: a real run is searched for what it must not hold."""

from __future__ import annotations

import itertools
import subprocess
import sys
from pathlib import Path

import pytest

from lattice_ml.ground.redaction import redact, redacted, secrets_of_environment

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgresql://lars:secret@db.org:5432/x", "postgresql://lars:***@db.org:5432/x"),
        ("mysql+pymysql://u:p%40s@h/x?a=b", "mysql+pymysql://u:***@h/x?a=b"),
        ("redis://:secret@h", "redis://:***@h"),
        ("postgresql://u:a@b/c@h/x", "postgresql://u:***@h/x"),
        ("two postgresql://u:p@h/x and redis://v:q@i", "two postgresql://u:***@h/x and redis://v:***@i"),
        ("https://ghp_0123456789012345678901234567@github.com/x", "https://***@github.com/x"),
        ("s3://bucket/x?token=abc&region=eu", "s3://bucket/x?token=***&region=eu"),
        ("sqlite:///study.db", "sqlite:///study.db"),
        ("https://hydra.cc:443/docs#a", "https://hydra.cc:443/docs#a"),
        ("lars@db.org", "lars@db.org"),
    ],
)
def test_passwords_in_addresses_are_hidden(text: str, shown: str) -> None:
    assert redact(text) == shown
    assert redact(shown) == shown, "what is redacted once is redacted"


def test_secret_variables_of_the_environment_are_hidden_and_others_are_not(monkeypatch) -> None:
    key = "f0123456789abcdef0123456789abcdef0123456"
    monkeypatch.setenv("WANDB_API_KEY", key)
    monkeypatch.setenv("MY_DB_PASSWORD", "hunter2hunter2")
    monkeypatch.setenv("SOME_KEY", "short")
    monkeypatch.setenv("KEYBOARD", "qwertzuiop")
    assert {key, "hunter2hunter2"} <= set(secrets_of_environment())
    assert redact(f"key {key}, pw hunter2hunter2, short, qwertzuiop") == "key ***, pw ***, short, qwertzuiop"
    record = {"name": key, "nested": [{"a": "x://u:pw@h", key: 1}], "n": 3}
    assert redacted(record) == {"name": "***", "nested": [{"a": "x://u:***@h", "***": 1}], "n": 3}


def test_a_run_leaves_no_secret_behind(toy: tuple[Path, str], secrets: dict[str, str]) -> None:
    """Run folder, stores, W&B's files, report, and what was printed."""
    folder, printed = toy
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert {"config.yaml", "results.json", "report.html", "printed.txt"} <= {path.name for path in files}
    for path, secret in itertools.product(files, secrets.values()):
        content = path.read_bytes()
        assert secret.encode() not in content, f"{secret} stands in {path}"
    for secret in secrets.values():
        assert secret not in printed


def test_what_is_hidden_is_still_told(toy_run: Path) -> None:
    """The address without its password stays, so the test above looked where the secrets would have stood."""
    (board,) = (toy_run / "wandb").rglob("*.wandb")
    files = {name: (toy_run / name).read_bytes() for name in ("config.yaml", "report.html")} | {
        "wandb": board.read_bytes()
    }
    # TensorBoard writes several files, the configuration into one of them, and a folder lists them in any order.
    events = [path.read_bytes() for path in (toy_run / "tensorboard").rglob("events*")]
    files |= {"tensorboard": b"".join(events)} if events else {}
    for name, content in files.items():
        assert b"postgresql://lars:***@db.org/x?token=***" in content, name


def test_a_mistake_does_not_print_the_password(secrets: dict[str, str]) -> None:
    password = secrets["password"]
    words = ["experiment=aim_toy", f"task.lr='postgresql://u:{password}@h/x'"]
    ended = subprocess.run([sys.executable, "train.py", *words], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 2
    assert "task.lr = 'postgresql://u:***@h/x' will not do" in ended.stderr
    assert password not in ended.stderr + ended.stdout
