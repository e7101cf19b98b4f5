"""EQ, ST and FL on a toy lattice, as a user compares them: what the run folder holds, and going on after a SIGKILL."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path

import numpy as np
import pytest
from toy_experiment import TRAIN, train

from lattice_ml.cli.config import open_run
from lattice_ml.ground.checkpoints import read_checkpoint
from lattice_ml.workflows.nets import CompareNets

TOY = ["experiment=flux_toy", "logger=csv", "+workflow.own_task.FL.lr=2e-3"]

NETS = ("EQ", "ST", "FL")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    folder = tmp_path_factory.mktemp("flux")
    return folder, train(folder, *TOY)


@pytest.fixture(scope="module")
def results(finished: tuple[Path, str]) -> dict:
    return json.loads((finished[0] / "runs/flux_toy/001/results.json").read_text())


def test_every_net_is_tested_on_every_lattice_that_it_takes(results: dict) -> None:
    rows = {(row["net"], row["samples"]): row for row in results["nets"]}
    assert set(rows) == {(net, samples) for net in NETS for samples in (100, 400)}
    for (net, _), row in rows.items():
        expected = ["8x4"] if net == "FL" else ["6x2", "8x4", "9x5", "all"]
        assert [test["lattice"] for test in row["tests"]] == expected
        for test in row["tests"]:
            members = test["mse"]["members"]
            assert len(members) == 3
            assert test["mse"]["median"] == sorted(members)[1]
            np.testing.assert_allclose(
                test["mse"]["mean"], (test["mse_n"]["mean"] + test["mse_phi2"]["mean"]) / 2, rtol=1e-5
            )


def test_what_is_reported_is_what_the_saved_scores_say(finished: tuple[Path, str], results: dict) -> None:
    row = next(row for row in results["nets"] if (row["net"], row["samples"]) == ("EQ", 400))
    with np.load(finished[0] / "runs/flux_toy/001/nets/EQ-400/evaluation.npz") as saved:
        own = saved["score.mse"][saved["torus"] == "9x5"]
    assert own.shape == (3, 3)  # points × members
    (test,) = (test for test in row["tests"] if test["lattice"] == "9x5")
    np.testing.assert_allclose(test["mse"]["members"], own.mean(axis=0))
    assert results["metrics"]["EQ mse on 9x5 (median)"]["value"] == pytest.approx(np.median(own.mean(axis=0)))


def test_the_hand_set_net_stands_on_the_floor(results: dict) -> None:
    assert [row["lattice"] for row in results["oracle"]] == ["6x2", "8x4", "9x5"]
    assert max(row["mse"] for row in results["oracle"]) < 1e-12  # (n, |phi|²) of order 1 to float32 rounding
    for row in results["oracle"]:
        assert results["metrics"][f"oracle mse on {row['lattice']}"]["value"] == row["mse"]


def test_nets_are_ranked_at_every_size_on_every_lattice(finished: tuple[Path, str], results: dict) -> None:
    ranked = {(row["samples"], row["lattice"]): row for row in results["ranking"]}
    assert set(ranked) == {(samples, lattice) for samples in (100, 400) for lattice in ("6x2", "8x4", "9x5")}
    medians = {
        row["net"]: next(test["mse"]["median"] for test in row["tests"] if test["lattice"] == "8x4")
        for row in results["nets"]
        if row["samples"] == 400
    }
    own = ranked[400, "8x4"]
    assert own["order"] == sorted(NETS, key=lambda net: medians[net])
    assert f"8x4, 400 samples: {own['order'][0]}, {own['order'][1]} (p = " in finished[1]


def test_the_protocol_says_which_algorithms_auto_took(results: dict) -> None:
    for part in ("ensemble", "survey"):
        taken = set(results["protocol"][part]["algorithms"].split(", "))
        assert taken
        assert taken <= {"hybrid", "worm"}


def test_a_net_may_have_settings_of_its_own(finished: tuple[Path, str]) -> None:
    last = finished[0] / "runs/flux_toy/001/nets"
    rates = {net: read_checkpoint(last / f"{net}-100/checkpoints/last.ckpt")["hyper_parameters"]["lr"] for net in NETS}
    assert rates == {"EQ": 1e-2, "ST": 1e-2, "FL": 2e-3}


def test_only_eq_is_equivariant(results: dict) -> None:
    error = results["equivariance_error"]
    assert error["EQ"] < 1e-5
    assert min(error["ST"], error["FL"]) > 1e-3


def test_pictures_and_report_are_there(finished: tuple[Path, str]) -> None:
    folder = finished[0] / "runs/flux_toy/001"
    expected = {
        *("lattice_sizes", "learning_curve", "chemical_potential", "generalisation", "equivariance", "distributions"),
    }
    assert {path.stem for path in (folder / "figures").glob("*.png")} == expected
    captions = json.loads((folder / "figures/captions.json").read_text())
    assert list(captions)[:2] == ["lattice_sizes", "learning_curve"]
    assert (folder / "report.html").read_text().count("<figure") == len(expected)
    assert finished[1].strip().splitlines()[-1].startswith("report: ")


def test_explanations_look_at_configurations_that_no_net_has_learned_from(finished: tuple[Path, str]) -> None:
    opened = open_run(finished[0] / "runs/flux_toy/001", stores=str(finished[0] / "stores"))
    found, workflow = opened.explained(), opened.workflow
    unseen = found.unseen()
    assert (unseen.sizes["x"], unseen.sizes["y"]) == found.system.extents
    assert isinstance(workflow, CompareNets)
    assert workflow.survey is not None
    assert unseen.attrs["plan"]["seed"] == workflow.survey.plan.seed != workflow.ensemble.plan.seed


@pytest.mark.slow
def test_a_killed_comparison_goes_on_to_the_same_nets(finished: tuple[Path, str], tmp_path: Path) -> None:
    stores = f"paths.stores={finished[0] / 'stores'}"
    begun = subprocess.Popen([*TRAIN, *TOY, stores], cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    waited = tmp_path / "runs/flux_toy/001/nets/ST-100/checkpoints/last.ckpt"
    deadline = time.monotonic() + 200
    while not waited.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    begun.send_signal(signal.SIGKILL)
    assert begun.wait() == -signal.SIGKILL
    assert not (tmp_path / "runs/flux_toy/001/report.html").exists()
    train(tmp_path, *TOY, stores)
    for net in ("EQ-100", "EQ-400", "ST-100", "ST-400", "FL-100", "FL-400"):
        paths = [folder / f"runs/flux_toy/001/nets/{net}/evaluation.npz" for folder in (finished[0], tmp_path)]
        with np.load(paths[0]) as whole, np.load(paths[1]) as resumed:
            for name in whole.files:
                np.testing.assert_array_equal(whole[name], resumed[name], err_msg=f"{net} {name}")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["experiment=flux_toy", "task=classify_phase"], "task=regress_observables"),
        (["experiment=flux_toy", "data=default"], "data=members"),
        (["experiment=flux_toy", "models=null", "model=phase_cnn"], "model=flux/eq"),
        (["experiment=flux_toy", "task=count_violations"], "ensemble=flux_counting_train"),
        (["experiment=flux_toy", "ensemble.seed=1"], "the same trajectories"),
        (["experiment=flux_toy", "survey.extents=[[6,2],[9,5]]"], "add it to survey.extents"),
        (["experiment=flux_toy", "+workflow.own_task.FLAT.lr=1e-3"], "names FLAT"),
        (["experiment=flux_toy", "+workflow.own_task.FL.rate=1e-3"], "has no setting 'rate'"),
        (["experiment=flux_detection", "models=null"], "give workflow.own_task=null"),
        (["experiment=flux_toy", "survey=null"], "give a survey"),
        (["experiment=flux_toy", "data.steps=[100]"], "a number of steps for each size"),
        (["experiment=flux_toy", "model@oracle=flux/st"], "not the layers of an oracle"),
        (["experiment=flux_toy", "model@oracle=phase_cnn"], "no list of layers"),
        (["experiment=flux_toy", "trainer.devices=2"], "one process"),
        (["experiment=flux_toy", "ckpt_path=x.ckpt"], "ckpt_path"),
        (["experiment=aim_toy", "model=flux/eq"], "model=phase_cnn"),
        (["experiment=aim_toy", "data=members"], "data=default"),
        (["experiment=aim_toy", "task=regress_observables"], "task=classify_phase"),
    ],
)
def test_what_does_not_fit_is_refused_in_one_sentence(forked, tmp_path: Path, words: list[str], said: str) -> None:
    ended = forked("train.py", *words, folder=tmp_path)
    assert ended.returncode == 2
    assert said in ended.stderr
    assert len(ended.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "stores").exists()


def test_a_training_set_larger_than_the_ensemble_is_refused_before_any_training(
    forked, finished: tuple[Path, str], tmp_path: Path
) -> None:
    stores = f"paths.stores={finished[0] / 'stores'}"
    ended = forked("train.py", "experiment=flux_toy", "data.sizes=[100,4000]", stores, folder=tmp_path)
    assert ended.returncode == 2
    assert "data.sizes asks for 4,000" in ended.stderr
    assert not list(tmp_path.rglob("*.ckpt"))
