"""Transitions without labels as a user asks for them, at toy size, and what is told in one sentence."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from toy_experiment import run_experiment


@pytest.mark.slow
def test_the_toy_experiment_reads_both_indicators_and_the_truth(tmp_path: Path):
    home = run_experiment(tmp_path, "aim_confusion_toy")
    assert (home / "report.html").is_file()
    results = json.loads((home / "results.json").read_text())
    assert {(row["transition"], row["method"]) for row in results["boundaries"]} == {
        (transition, method) for transition in ("L|L+G", "L+G|G") for method in ("divergence", "confusion", "band")
    }
    assert results["protocol"]["ensemble"]["tori"] == "81x9"
    assert "order" in results["independence"]["aim_toy"]
    with np.load(home / "figures" / "label_free.npz") as arrays:
        assert arrays["predicted"].shape == (2, len(arrays["control"]))
        # What so small nets say means little; it is a mean of temperatures all the same.
        assert ((arrays["predicted"] > arrays["control"].min()) & (arrays["predicted"] < arrays["control"].max())).all()
        assert set(arrays["other_method"].astype(str)) == {"truth"}


def test_mistakes_are_told_in_one_sentence(forked: Callable[..., Any], tmp_path: Path):
    for words, cure in (
        (("ensemble=aim_boundaries",), "give one, e.g. ensemble.grid.rho0="),
        (("ensemble@survey=aim_boundaries",), "leave out the survey"),
        (("committee.l2=[0,1]",), "one committee.l2"),
        (("+task.l2=0.1",), "give committee.l2=[0.1]"),
        (("committee.compare=nowhere",), "holds no boundaries of a finished run"),
    ):
        ended = forked("train.py", "experiment=aim_confusion", *words, folder=tmp_path)
        assert ended.returncode == 2, ended.stderr
        assert ended.stderr.startswith("error: ")
        assert cure in ended.stderr, ended.stderr
