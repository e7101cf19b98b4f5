"""Every mistake at the command line ends in one sentence and exit code 2, before any work."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def places(folder: Path) -> list[str]:
    return [f"paths.runs={folder}/runs", f"paths.stores={folder}/stores"]


MISTAKES = [
    ("train.py", [], "give experiment=<name>"),
    ("train.py", ["experiment=aim_rho33"], "did you mean experiment=aim_rho3"),
    ("train.py", ["experiment=aim_quick", "ensemble.grid.T=[-0.3]"], "T = -0.3 is not a temperature"),
    ("train.py", ["experiment=aim_quick", "system.eps=1.5"], "-1 <= eps <= 1"),
    ("train.py", ["experiment=aim_quick", "ensemble.grid.rho0=[0.5]"], "nearest density that is one is rho0 = 0.500"),
    ("train.py", ["experiment=aim_quick", "ensemble.extents=[81,28]"], "multiples of 9"),
    ("train.py", ["experiment=aim_quick", "ensemble.grids.T=[0.3]"], "there is no setting 'ensemble.grids.T'"),
    ("train.py", ["experiment=flux_toy", "data.size=3"], "did you mean data.sizes?"),
    ("train.py", ["experiment=aim_quick", "sead=3"], "did you mean seed?"),
    ("train.py", ["experiment=aim_quick", "trainer.max_epochs=0"], "trainer.max_epochs = 0"),
    ("train.py", ["experiment=aim_quick", "data.split=[0.9,0.1,0.1]"], "data.split=[0.6,0.2,0.2]"),
    ("train.py", ["experiment=aim_quick", "ensemble.replicas=2"], "give at least three"),
    ("train.py", ["experiment=aim_quick", "survey.extents=[81,36]"], "survey.extents=[81, 27]"),
    ("train.py", ["experiment=aim_quick", "task.lr=-1"], "task.lr"),
    ("train.py", ["experiment=aim_quick", "ckpt_path=nowhere.ckpt"], "nowhere.ckpt"),
    ("train.py", ["experiment=aim_quick", "ensemble.grid.rho0=[2,3]"], "one scan in T"),
    ("train.py", ["experiment=aim_quick", "survey.grid.rho0=[3]"], "another survey.seed"),
    ("train.py", ["experiment=aim_quick", "survey.name=aim_quick"], "share one store"),
    ("train.py", ["experiment=aim_quick", "survey.replicas=0"], "survey.replicas = 0"),
    ("train.py", ["experiment=aim_quick", "callbacks.early_stopping.monitor=val/los"], "val/loss"),
    ("train.py", ["experiment=aim_quick", "trainer.precision=foo"], "trainer"),
    ("train.py", ["experiment=aim_quick", "phases.components=0"], "phases.components = 0"),
    ("train.py", ["experiment=aim_quick", "model.filters=-1"], "model.filters = -1"),
    ("train.py", ["experiment=aim_quick", "logger=null"], "give ~logger"),
    ("train.py", ["experiment=aim_quick", "name=2"], "name = 2"),
    ("sample.py", ["sampler.algorithm=random_sequential", "ensemble.grid.T=[0.05,0.3]"], "give T >= 0.1"),
    ("sample.py", ["system.D=1e-5"], "hop too rarely"),
    ("sample.py", ["ensemble=aim_rho4"], "did you mean ensemble=aim_rho3"),
    ("sample.py", ["ensemble.protocol.start=stripes"], "give one of band, ordered, random"),
    ("sample.py", ["ensemble.replicas=0"], "replicas"),
    ("sample.py", ["ensemble.grid.T=["], "cannot be read"),
    ("sample.py", ["shard=3/2"], "e.g. shard=0/8"),
    ("sample.py", ["repair=maybe"], "repair = 'maybe' will not do"),
    ("sample.py", ["repair=true"], "leave out repair=true"),
    ("train.py", ["experiment=aim_quick", "data.memory=0"], "data.memory = 0"),
    ("sample.py", ["ensemble.seed=-1"], "seed"),
]


@pytest.mark.parametrize(
    ("script", "overrides", "expected"), MISTAKES, ids=[" ".join(mistake[1]) or "nothing" for mistake in MISTAKES]
)
def test_one_sentence_and_exit_code_2(script: str, overrides: list[str], expected: str, tmp_path: Path, forked) -> None:
    ended = forked(script, *overrides, *places(tmp_path), folder=tmp_path)
    assert_one_sentence(ended, expected, tmp_path)


@pytest.mark.parametrize("script", ["train.py", "sample.py"])
def test_a_process_that_starts_cold_says_the_same(script: str, tmp_path: Path) -> None:
    overrides, expected = next(
        (overrides, expected) for name, overrides, expected in reversed(MISTAKES) if name == script
    )
    command = [sys.executable, str(ROOT / script), *overrides, *places(tmp_path)]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=120)
    assert_one_sentence(ended, expected, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("script", "overrides", "expected"), MISTAKES, ids=[" ".join(mistake[1]) or "nothing" for mistake in MISTAKES]
)
def test_every_one_of_them_cold(script: str, overrides: list[str], expected: str, tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / script), *overrides, *places(tmp_path)]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=120)
    assert_one_sentence(ended, expected, tmp_path)


def assert_one_sentence(ended: subprocess.CompletedProcess[str], expected: str, folder: Path) -> None:
    assert ended.returncode == 2, ended.stderr
    lines = ended.stderr.strip().splitlines()
    assert len(lines) == 1, ended.stderr
    assert lines[0].startswith("error: ")
    assert expected in lines[0]
    assert not (folder / "runs").exists(), "a mistake left a run folder behind"
    assert not (folder / "stores").exists(), "a mistake left a store behind"
