"""A finished run to write reports of."""

import json
import shutil

import numpy as np
import pytest
from report_page import RESULTS

from lattice_ml import figures
from lattice_ml.figures.phases import confusion, pca


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "0001"
    figures.save(
        folder / "figures",
        "pca",
        {"ratios": [0.5, 0.2], "profiles": np.eye(2, 9), "spread": np.zeros((2, 9))},
        pca.draw,
    )
    counts = {"counts": [[3, 1], [0, 4]], "phases": ["L", "G"]}
    for name in ("phase_diagram", "confusion", "uncaptioned"):
        figures.save(folder / "figures", name, counts, confusion.draw)
    captions = {
        "confusion": {"title": "Confusion", "caption": "Counts.", "alt": "A two by two matrix"},
        "pca": {"title": "Components", "caption": "Shares.", "alt": ""},
        "absent": {"title": "Never drawn", "caption": "", "alt": ""},
    }
    (folder / "figures" / "captions.json").write_text(json.dumps(captions))
    (folder / "results.json").write_text(json.dumps(RESULTS))
    (folder / "config.yaml").write_text("seed: 7\nsystem:\n  name: '<b>active</b>'\n")
    return folder


@pytest.fixture
def run(finished_run, tmp_path):
    """A copy that a test may spoil."""
    return shutil.copytree(finished_run, tmp_path / "aim_rho3" / "0001")
