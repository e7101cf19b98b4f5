"""A system of one's own with its own kernel, written as a new user would: three-state Potts in examples/potts."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
from toy_experiment import train

EXAMPLE = Path(__file__).parents[2] / "examples" / "potts"
T_C = 1 / math.log(1 + math.sqrt(3))
"""Of three states on the infinite square lattice, 0.9950: R. J. Baxter, J. Phys. C 6, L445 (1973)."""


def test_it_is_short() -> None:
    files = [path for path in EXAMPLE.rglob("*") if path.suffix in (".py", ".yaml")]
    assert len(files) == 3
    assert sum(len(path.read_text().splitlines()) for path in files) < 120


@pytest.mark.slow
def test_its_phases_are_found_without_labels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(EXAMPLE), prepend=":")
    train(tmp_path, "--config-dir", str(EXAMPLE / "conf"), "experiment=potts", "trust=true", "logger=csv")
    results = json.loads((tmp_path / "runs" / "potts" / "001" / "results.json").read_text())
    assert results["labels"]["clusters"] >= 4  # three colours and none
    assert results["labels"]["groups"] <= 3  # the permutations join the colours
    found = {row["method"]: row for row in [*results["boundaries"], *results["labels"]["transitions"]]}
    for method in ("cnn", "umap"):
        value = found[method].get("value", found[method].get("T"))
        assert abs(value - T_C) < 0.02, found
