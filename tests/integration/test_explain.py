"""White boxes beside a net, and explanations of a finished run, as a user asks for them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lattice_ml.cli.explain import explain
from lattice_ml.ground.errors import UserError

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory, toy: tuple[Path, str], toy_run: Path) -> tuple[Path, str]:
    """A copy of the finished toy run, and the setting that says where its stores lie."""
    run = tmp_path_factory.mktemp("explain") / "001"
    shutil.copytree(toy_run, run, ignore=shutil.ignore_patterns("wandb", "lightning_logs"))
    return run, f"stores={toy[0] / 'stores'}"


def test_attributions_of_a_finished_run_come_with_their_trust(copied: tuple[Path, str]) -> None:
    run, stores = copied
    explain([str(run), "method=attribution", "methods=[saliency,integrated_gradients]", "configurations=2", stores])
    room = run / "explain" / "attribution"
    told = json.loads((room / "results.json").read_text())["attribution"]
    assert set(told) == {"saliency", "integrated_gradients"}
    for row in told.values():
        assert 0 <= row["infidelity"]["value"] <= 1.5
        assert row["sensitivity"]["value"] > 0
        assert row["randomised"]["value"] < 0.9  # weights drawn anew look elsewhere
        assert list(row["cascade"]) == [
            f"net.{name}" for name in ("dense2", "dense1", "conv4", "conv3", "conv2", "conv1")
        ]
    assert told["integrated_gradients"]["completeness_error"]["value"] < 0.2
    assert (room / "report.html").exists()
    with np.load(room / "figures" / "gallery_1.npz") as drawn:
        assert drawn["maps"].shape == (2, 2, 81, 9)


def test_what_the_net_says_is_imitated_by_features(copied: tuple[Path, str]) -> None:
    run, stores = copied
    explain([str(run), "method=features", "kinds=[linear,tree]", "forests=1", "output=G", stores])
    results = json.loads((run / "explain" / "features" / "results.json").read_text())
    assert set(results["fidelity"]) == {"linear", "tree"}
    assert all(row["n"] == 12 and np.isfinite(row["value"]) for row in results["fidelity"].values())
    assert list(results["importances"]) == ["G"]
    for one in results["importances"].values():
        assert "noise" in {row["feature"] for row in one["features"]}


@pytest.mark.slow
def test_hidden_layers_are_laid_out_and_see_as_far_as_they_may(copied: tuple[Path, str]) -> None:
    run, stores = copied
    explain([str(run), "method=hidden", "colour=[order]", stores])
    results = json.loads((run / "explain" / "hidden" / "results.json").read_text())
    for field in results["receptive_fields"].values():
        assert all(own <= most for own, most in zip(field["measured"], field["arithmetic"], strict=True))
        assert field["beyond"] == 0
    assert list(results["maximal_activations"]) == list(results["receptive_fields"])
    with np.load(run / "explain" / "hidden" / "figures" / "filters.npz") as drawn:
        assert drawn["maps_0"].shape == (6, 5, 5)  # filters of the first convolution, where they see
    assert results["information"]["component 1"]["order"]["value"] > 0


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ([], "give one finished run"),
        (["nowhere", "method=attribution"], "nowhere is not a run folder"),
        (["{run}", "method=guess"], "method=guess is no explanation: give method=<one of attribution"),
        (["{run}", "method=attribution", "colour=red"], "has no setting 'colour'"),
        (["{run}", "method=attribution", "configurations=many"], "give a whole number"),
        (["{run}", "method=attribution", "configurations=0", "{stores}"], "give 1 to 64"),
        (["{run}", "method=attribution", "configurations=99", "{stores}"], "give 1 to 64"),
        (["{run}", "method=attribution", "output=S", "{stores}"], "has no output 'S': give output=<one of L, L+G, G>"),
        (["{run}", "method=hidden", "colour=[spin]", "{stores}"], "active_ising has no spin"),
        (["{run}", "method=attribution", "stores=/nowhere"], "/nowhere"),
    ],
)
def test_mistakes_are_told_in_one_sentence(copied: tuple[Path, str], words: list[str], sentence: str) -> None:
    run, stores = copied
    with pytest.raises(UserError) as error:
        explain([word.format(run=run, stores=stores) for word in words])
    assert sentence in str(error.value)
    assert "\n" not in str(error.value)


def test_an_unfinished_run_is_not_explained(tmp_path: Path, toy_run: Path) -> None:
    (tmp_path / "config.yaml").write_text((toy_run / "config.yaml").read_text())
    with pytest.raises(UserError, match="is not finished"):
        explain([str(tmp_path), "method=attribution"])


def train(folder: Path, *overrides: str) -> str:
    ended = subprocess.run(
        [sys.executable, str(ROOT / "train.py"), "logger=csv", *overrides], cwd=folder, text=True,
        env={**os.environ, "COLUMNS": "120"}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=600,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stdout
    return ended.stdout


@pytest.mark.slow
def test_white_boxes_learn_the_labels_of_a_net_and_stand_beside_it(toy: tuple[Path, str], tmp_path: Path) -> None:
    folder, _ = toy
    train(
        tmp_path, "experiment=aim_white_boxes_toy", "ensemble.name=toy", "survey.name=toy_survey",
        f"paths.stores={folder / 'stores'}", f"white_boxes.compare={folder / 'runs/toy/001'}", "white_boxes.forests=1",
    )  # fmt: skip
    run = tmp_path / "runs/aim_white_boxes_toy/001"
    results = json.loads((run / "results.json").read_text())
    methods = {"linear", "tree", "random_forest", "cnn"}
    assert {row["method"] for row in results["tests"]} == methods
    own = {row["method"]: row["accuracy"]["value"] for row in results["tests"] if row["part"] == "ensemble"}
    theirs = json.loads((folder / "runs/toy/001/results.json").read_text())["metrics"]["test_accuracy"]["value"]
    assert own["cnn"] == pytest.approx(theirs)  # the same held-out replicas with the same labels
    assert own["random_forest"] > 0.8
    assert set(results["importances"]) == {"L|L+G", "L+G|G"}
    assert {row["method"] for row in results["boundaries"]} >= methods
    assert (run / "figures/importance.png").exists()


@pytest.mark.slow
def test_field_strength_is_read_off_the_links_and_a_foreign_net_is_refused(tmp_path: Path, toy_run: Path) -> None:
    train(tmp_path, "experiment=flux_white_boxes_toy", "white_boxes.kinds=[linear,tree]", "white_boxes.forests=1")
    results = json.loads((tmp_path / "runs/flux_white_boxes_toy/001/results.json").read_text())
    rows = {(row["method"], row["part"], row["lattice"], row["mu"]): row["mse"] for row in results["tests"]}
    for key, mse in rows.items():
        if key[0] == "linear":
            # n is a sum of link shares, exactly; of f >= 8 the table keeps the share alone, so |phi|² is not exact.
            assert mse["n"]["value"] < 1e-6
            assert mse["phi2"]["value"] < 1e-3
    assert results["white_boxes"]["left_out"]["n"] == "it is the answer, n"
    ended = subprocess.run(
        [sys.executable, str(ROOT / "train.py"), "experiment=flux_white_boxes_toy", f"white_boxes.compare={toy_run}"],
        cwd=tmp_path, text=True, capture_output=True, timeout=200,
    )  # fmt: skip
    assert ended.returncode == 2
    assert "was trained on other configurations" in ended.stderr
