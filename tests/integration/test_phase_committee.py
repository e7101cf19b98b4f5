"""Committees beside the truth on a toy torus, as a user runs them: the run folder, and going on after a SIGKILL."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from toy_experiment import ROOT, TRAIN, train

TOY = ["experiment=aim_boundaries_toy", "logger=csv", "name=toy"]
MEMBERS, L2 = 2, ("0.0001", "0.01")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder that it was started in, and what it printed."""
    folder = tmp_path_factory.mktemp("committee")
    return folder, train(folder, *TOY)


@pytest.fixture(scope="module")
def run_folder(finished: tuple[Path, str]) -> Path:
    return finished[0] / "runs/toy/001"


@pytest.fixture(scope="module")
def results(run_folder: Path) -> dict:
    return json.loads((run_folder / "results.json").read_text())


@pytest.mark.slow
def test_boundaries_are_those_of_the_nets_and_of_the_truth(results: dict) -> None:
    found = {(row["rho0"], row["transition"], row["method"]): row for row in results["boundaries"]}
    assert set(found) == {
        (rho0, transition, method)
        for rho0 in (2.0, 3.0)
        for transition in ("L|L+G", "L+G|G")
        for method in ("cnn", "band")
    }
    assert len(found) == len(results["boundaries"])
    assert [row["rho0"] for row in results["boundaries"]] == sorted(row["rho0"] for row in results["boundaries"])
    for row in results["boundaries"]:
        assert set(row) - {"reason"} == {"rho0", "transition", "control", "value", "T", "error", "method"}
        assert (row["control"], row["value"]) == ("T", row["T"])
        assert row["T"] is not None or row["error"] is None
        assert row["error"] is not None or row["reason"]
    truth = {place: row["T"] for place, row in found.items() if place[2] == "band"}
    for rho0 in (2.0, 3.0):
        assert 0.2 < truth[rho0, "L|L+G", "band"] < truth[rho0, "L+G|G", "band"] < 0.8


@pytest.mark.slow
def test_every_committee_is_told_member_by_member(results: dict, run_folder: Path) -> None:
    assert tuple(results["committees"]) == L2
    for l2, told in results["committees"].items():
        assert told["epochs"] == 10
        assert len(told["accuracy"]["members"]) == told["accuracy"]["n"] == told["physical"]["n"] == MEMBERS
        assert told["accuracy"]["value"] == pytest.approx(np.mean(told["accuracy"]["members"]))
        assert [row["trained"] for row in told["deviations"]] == [True, True, False, False]
        assert [(row["L"], row["rho0"]) for row in told["sizes"]] == [(81, 3.0)] * 2
        assert np.shape(told["members"]) == (MEMBERS, len(told["deviations"]))
        for k, row in enumerate(told["deviations"]):
            own = [member[k] for member in told["members"] if member[k] is not None]
            if row["found"] is not None:
                assert row["found"] == pytest.approx(np.mean(own))
                assert row["difference"] == pytest.approx(row["found"] - row["truth"])
        with np.load(run_folder / "committees" / f"l2={l2}" / "predictions.npz", allow_pickle=False) as saved:
            assert set(saved.files) == {"test", "survey on 81 x 9", "extrapolation on 81 x 18"}
            assert saved["test"].shape == (MEMBERS, 9, 1, 4, 3)
            assert saved["extrapolation on 81 x 18"].shape == (MEMBERS, 6, 1, 4, 3)
            for probability in saved.values():
                np.testing.assert_allclose(probability.sum(axis=-1), 1, atol=1e-5)


@pytest.mark.slow
def test_metrics_are_those_of_the_first_committee(results: dict) -> None:
    first, metrics = results["committees"][L2[0]], results["metrics"]
    assert metrics["l2"]["value"] == float(L2[0])
    assert metrics["test_accuracy"]["value"] == first["accuracy"]["value"]
    assert metrics["physical_nets"] == first["physical"]
    assert metrics["boundaries_missed"]["value"] == first["distance"]["missed"]
    assert metrics["boundaries_missed"]["n"] == 2  # the survey's: those of the training density are not counted
    assert metrics["mean_distance_to_truth"]["value"] == first["distance"]["value"]
    assert {"sample", "embed", "train", "compare", "explain", "report", "total"} == set(results["timings"])
    assert set(results["protocol"]) == {"ensemble", "survey", "extrapolation", "ensembles.slabs"}


@pytest.mark.slow
def test_pictures_checkpoints_and_report_are_there(finished: tuple[Path, str], run_folder: Path) -> None:
    names = {path.stem for path in (run_folder / "figures").glob("*.png")}
    own = {"boundary_check", "boundary_check_l2=0.01", "sizes", "physical_share", "probabilities", "training"}
    assert names >= own | {"embedding", "order_parameter", "confusion"}
    captions = json.loads((run_folder / "figures/captions.json").read_text())
    assert names == set(captions) == {path.stem for path in (run_folder / "figures").glob("*.npz")}
    assert list(captions)[:2] == ["boundary_check", "sizes"]
    page = (run_folder / "report.html").read_text()
    assert page.count("data:image/png;base64,") == len(names)
    assert not re.search(r"""(src|href)\s*=\s*["']?https?:""", page)
    for l2 in L2:
        for name in ("best", "last"):
            state = torch.load(run_folder / f"committees/l2={l2}/checkpoints/{name}.ckpt", weights_only=True)
            assert state["hyper_parameters"]["members"] == MEMBERS
            assert state["hyper_parameters"]["l2"] == float(l2)
    assert finished[1].strip().splitlines()[-1].startswith("report: ")


@pytest.mark.slow
def test_a_finished_run_is_explained_by_the_best_net_of_its_first_committee(
    finished: tuple[Path, str], run_folder: Path
) -> None:
    from lattice_ml.cli.config import open_run

    found = open_run(run_folder, str(finished[0] / "stores")).explained()
    assert (found.outputs, found.classes) == (("L", "L+G", "G"), True)
    state = torch.load(run_folder / f"committees/l2={L2[0]}/checkpoints/last.ckpt", weights_only=True)["state_dict"]
    best = int(state["best_loss"].argmin())
    for name, value in found.task.net.state_dict().items():
        assert torch.equal(value, state[f"best.nets.{best}.{name}"])
    assert torch.equal(found.task.unit, state["unit"])


@pytest.fixture(scope="module")
def died(finished: tuple[Path, str], run_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as a kill leaves it in the training of the second committee, after its epoch 4."""
    folder = tmp_path_factory.mktemp("died")
    (folder / "stores").symlink_to(finished[0] / "stores")
    stopped = folder / "runs/toy/001"
    shutil.copytree(run_folder, stopped)
    for name in ("results.json", "report.html"):
        (stopped / name).unlink()
    shutil.rmtree(stopped / "figures")
    second = stopped / f"committees/l2={L2[1]}"
    shutil.rmtree(second)
    ending = (
        "import os, signal, sys, runpy\n"
        "from lattice_ml.runs.history import History\n"
        "end = History.on_train_epoch_end\n"
        "def ended(self, trainer, module):\n"
        "    end(self, trainer, module)\n"
        "    if trainer.current_epoch == 5: os.kill(os.getpid(), signal.SIGKILL)\n"
        "History.on_train_epoch_end = ended\n"
        "sys.argv = sys.argv[1:]\n"
        "runpy.run_path(sys.argv[0], run_name='__main__')\n"
    )
    killed = subprocess.run(
        [sys.executable, "-c", ending, *TRAIN[1:], *TOY], cwd=folder, timeout=900, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])},
    )  # fmt: skip
    assert killed.returncode == -9, killed.stdout + killed.stderr
    assert (second / "checkpoints/last.ckpt").exists()
    assert not (second / "predictions.npz").exists()
    return folder


@pytest.mark.slow
def test_a_killed_run_goes_on_to_the_same_nets_and_asks_nobody_twice(
    died: Path, finished: tuple[Path, str], run_folder: Path, results: dict
) -> None:
    kept = died / f"runs/toy/001/committees/l2={L2[0]}/predictions.npz"
    before = kept.stat().st_mtime_ns
    printed = train(died, *TOY)
    assert f"going on from runs/toy/001/committees/l2={L2[1]}/checkpoints/last.ckpt, epoch 5" in printed
    assert kept.stat().st_mtime_ns == before
    assert printed.count("asking about test") == 1  # the second committee's: the first had been asked
    for l2 in L2:
        paths = [place / f"committees/l2={l2}/predictions.npz" for place in (run_folder, died / "runs/toy/001")]
        with np.load(paths[0]) as whole, np.load(paths[1]) as resumed:
            for name in whole.files:
                np.testing.assert_array_equal(whole[name], resumed[name], err_msg=f"{l2} {name}")
    again = json.loads((died / "runs/toy/001/results.json").read_text())
    for result in (again, results):
        for name in ("timings", "finished"):
            result.pop(name, None)
    assert again == results


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["task=classify_phase"], "task=classify_committee"),
        (["models={a: ${model}}"], "leave out models"),
        (["data=members"], "data=default or data=particles"),
        (["survey=null"], "give one, e.g. ensemble@survey=aim_boundaries"),
        (["ckpt_path=x.ckpt"], "leave out ckpt_path"),
        (["trainer.devices=2"], "trains in one process"),
        (["trainer=ddp", "trainer.devices=1"], "trains in one process"),
        (["ensemble.replicas=2"], "give at least three"),
        (["ensemble.grid.rho0=[2,3]"], "one scan in T"),
        (["survey.grid.rho0=[3]", "survey.grid.T=[0.2]"], "another survey.seed"),
        (["ensemble.extents=[81,10]", "model.cell=3"], "multiples of 3 of at least 12"),
        (["model=phase_cnn", "ensemble.extents=[81,10]", "~model.cell"], "multiples of 9"),
        (["committee.members=0"], "committee.members = 0"),
        (["committee.members=two"], "committee.members"),
        (["committee.l2=[-0.1]"], "committee.l2"),
        (["committee.l2=[]"], "committee.l2"),
        (["committee.l2=[0.01,0.01]"], "each strength once"),
        (["+committee.number=3"], "there is no setting 'committee.number'"),
        (["data.augment.steps.1.lowest=0"], "give 0 < lowest <= 1"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_does_not_fit_is_refused_in_one_sentence(forked, tmp_path: Path, words: list[str], said: str) -> None:
    refused(forked("train.py", "experiment=aim_boundaries_toy", *words, folder=tmp_path), said, tmp_path)


def test_an_experiment_without_a_committee_has_none(forked, tmp_path: Path) -> None:
    ended = forked("train.py", "experiment=aim_toy", "workflow=phase_committee", folder=tmp_path)
    refused(ended, "task=classify_committee", tmp_path)


def test_the_main_job_does_not_train_committees(forked, tmp_path: Path) -> None:
    ended = forked("train.py", "experiment=aim_toy", "task=classify_committee", folder=tmp_path)
    refused(ended, "task=classify_phase", tmp_path)


def refused(ended: subprocess.CompletedProcess[str], said: str, folder: Path) -> None:
    assert ended.returncode == 2, ended.stderr
    assert said in ended.stderr
    assert ended.stderr.startswith("error: ")
    assert len(ended.stderr.strip().splitlines()) == 1, ended.stderr
    assert not (folder / "stores").exists()
    assert not (folder / "runs").exists()
