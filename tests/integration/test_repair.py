"""``python sample.py repair=true``, and what a command says of a broken store without it."""

import subprocess
import sys
from pathlib import Path

import pytest

from lattice_ml.ensembles.generate import generate
from lattice_ml.ensembles.plan import Protocol, plan_grid
from lattice_ml.systems.ising.physics import Ising
from lattice_ml.systems.ising.sampler import IsingSampler

ROOT = Path(__file__).resolve().parents[2]
WORDS = [
    *("ensemble=ising", "ensemble.grid.T=[2.0,2.2,2.4]", "ensemble.extents=[6,6]", "ensemble.replicas=2"),
    *("ensemble.samples=2", "ensemble.protocol.waiting=4", "ensemble.protocol.spacing=2"),
    "ensemble.protocol.cold_spacing=2",
]


def sample(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "sample.py"), *WORDS, *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=100)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """What ``sample.py`` with these words writes."""
    path = tmp_path / "stores/ising-seed0.zarr"
    protocol = Protocol("ordered", waiting=4, spacing=2, cold_spacing=2, cold_below=0.0)
    generate(Ising((6, 6)), IsingSampler(), plan_grid("ising", {"T": [2.0, 2.2, 2.4]}, 2, 2, 0, protocol), path)
    return path


def test_repair_mends_what_is_broken_and_names_it(store: Path, tmp_path: Path) -> None:
    before = {file: file.read_bytes() for file in store.rglob("*") if file.is_file()}
    chunk = store / "configurations/c.1.0.0.0.0.0"
    chunk.write_bytes(chunk.read_bytes()[:-3])
    ended = sample(tmp_path, "repair=true")
    assert ended.returncode == 0, ended.stderr
    assert "broken: configurations/c.1.0.0.0.0.0 (its checksum is not that of its content)." in ended.stdout
    assert "mended configurations/c.1.0.0.0.0.0; everything else is as it was." in ended.stdout
    assert {file: file.read_bytes() for file in store.rglob("*") if file.is_file()} == before


@pytest.mark.slow
@pytest.mark.parametrize(("name", "says"), [("T/c.0", "T/c.0 is broken"), ("replica/c.0", "replica/c.0 is broken")])
def test_what_a_command_reads_and_is_broken_is_one_sentence(name: str, says: str, store: Path, tmp_path: Path) -> None:
    (store / name).write_bytes(b"")
    ended = sample(tmp_path)
    assert (ended.returncode, len(ended.stderr.strip().splitlines())) == (2, 1), ended.stderr
    assert says in ended.stderr
    assert "repair=true" in ended.stderr


@pytest.mark.slow
def test_repair_takes_no_shard(store: Path, tmp_path: Path) -> None:
    ended = sample(tmp_path, "repair=true", "shard=0/2")
    assert ended.returncode == 2
    assert "leave out shard=0/2" in ended.stderr
