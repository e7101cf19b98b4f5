"""Nets that were trained at several densities, asked where they look: at toy size, and what is told in one sentence."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from toy_experiment import run_experiment


@pytest.mark.slow
def test_every_strength_has_its_numbers_and_pictures(tmp_path: Path):
    home = run_experiment(tmp_path, "aim_paper_saliency_toy")
    results = json.loads((home / "results.json").read_text())
    assert set(results["saliency"]) == {"0.01", "0"}
    for strength in ("0.01", "0"):
        told = results["saliency"][strength]
        assert told["columns"]["n"] == 2
        assert told["randomised"]["error"] > 0  # every net has weights of its own to be held against
        # Three classes, of which the most frequent is no more than half of the scan.
        assert results["metrics"][f"accuracy_for_l2={strength}"]["value"] > 0.5
    names = {path.stem for path in (home / "figures").glob("*.png")}
    assert names >= {"saliency_nets", "kernels", "architecture", "training", "confusion"}
    assert (home / "report.html").is_file()


def test_mistakes_are_told_in_one_sentence(forked: Callable[..., Any], tmp_path: Path):
    for words, cure in (
        (("survey=null",), "give one, e.g. ensemble@survey=aim_rho3"),
        (("task=classify_phase",), "give task=classify_committee"),
        (("survey.extents=[81,18]",), "give survey.extents=[81, 9]"),
        (("ensemble=aim_toy", "survey.name=other", "ensemble.grid.rho0=[3]"), "another survey.seed"),
        (("ensemble.replicas=2",), "give at least three"),
    ):
        ended = forked("train.py", "experiment=aim_paper_saliency_toy", *words, folder=tmp_path)
        assert ended.returncode == 2, ended.stderr
        assert ended.stderr.startswith("error: ")
        assert cure in ended.stderr, ended.stderr
    assert not (tmp_path / "stores").exists()
