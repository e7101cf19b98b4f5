"""Phases without labels as a user asks for them, at toy size: what the run leaves, and what is told in one sentence."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from toy_experiment import run_experiment


@pytest.mark.slow
def test_the_toy_experiment_ends_with_figures_numbers_and_both_kinds_of_boundary(tmp_path: Path):
    home = run_experiment(tmp_path, "aim_unsupervised_toy")
    found: dict[str, Any] = json.loads((home / "results.json").read_text())
    assert (home / "report.html").is_file()
    names = {path.stem for path in (home / "figures").glob("*.png")}
    assert names == set(json.loads((home / "figures" / "captions.json").read_text()))
    assert names >= {
        "pca", "shot_noise", "principal_planes", "principal_curves", "groups", "transitions", "configurations",
        "back_projection",
    }  # fmt: skip
    assert {(row["transition"], row["method"]) for row in found["boundaries"]} >= {
        ("L|L+G", "umap"), ("L|L+G", "band"), ("L+G|G", "umap"), ("L+G|G", "band"),
    }  # fmt: skip

    # Poisson's floor: density times sites over the trace, whatever the phases; the rest of it is what the raw matrix
    # leaves to thousands of components, so that no seven of them can hold all of the variance.
    first, *blocks = found["shares"]
    assert first["columns"] == 81 * 9
    assert 0.2 < first["shot_noise"] < 1 - first["linear"]["value"]
    assert first["linear"]["value"] < first["squared"]["value"] < 1
    missing = [1 - row["linear"]["value"] for row in (first, *blocks) if row["averaged over"] != "y"]
    assert missing == sorted(missing, reverse=True)
    slope = found["metrics"]["slope of |p1| per particle against the order parameter"]
    assert slope["value"] == pytest.approx(1, abs=0.02)
    assert len(found["resamplings"]) == 2
    with np.load(home / "figures" / "groups.npz") as arrays:
        assert len(arrays["umap"]) == 9 * 3 * 4


def test_mistakes_are_told_in_one_sentence(forked: Callable[..., Any], tmp_path: Path):
    for words, cure in (
        (("unsupervised.drawn=[0.3,0.5]",), "give one of each phase, L, L+G, G"),
        (("~unsupervised.groups.G",), "give a number of groups for each"),
        (("system=ising", "sampler=ising", "ensemble=ising_toy"), "give system=active_ising"),
    ):
        ended = forked("train.py", "experiment=aim_unsupervised_toy", "logger=csv", *words, folder=tmp_path)
        assert ended.returncode == 2
        assert ended.stderr.startswith("error: ")
        assert cure in ended.stderr
