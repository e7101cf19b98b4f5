"""Sampling that is killed with SIGKILL and started again ends in the same store, bit for bit."""

import json
import subprocess
import sys
import time

import numpy as np
import pytest
import zarr

from lattice_ml.ensembles.generate import generate
from lattice_ml.ensembles.plan import Protocol, plan_grid
from lattice_ml.ensembles.store import done_chunks, open_ensemble
from lattice_ml.systems.active_ising.physics import ActiveIsing
from lattice_ml.systems.active_ising.sampler import ActiveIsingSampler

POINTS = 8

CAMPAIGN = """
import sys
from test_sampling_restart import campaign
campaign(sys.argv[1], threads=int(sys.argv[2]))
"""


def campaign(path, threads):
    """A small torus and a few short trajectories: a second or two of work in all."""
    protocol = Protocol(start="band", waiting=1000.0, spacing=50.0, cold_spacing=100.0)
    grid = {"T": "0.25:0.95:0.1", "rho0": [3.0]}
    plan = plan_grid("restart", grid, replicas=2, samples=3, seed=11, protocol=protocol)
    generate(ActiveIsing(extents=(27, 9)), ActiveIsingSampler(), plan, path, threads=threads)


def start(path, threads):
    command = [sys.executable, "-c", CAMPAIGN, str(path), str(threads)]
    return subprocess.Popen(command, cwd=__file__.rpartition("/")[0], stdout=subprocess.PIPE, text=True)


def kill_when(process, reached):
    """SIGKILL the process as soon as ``reached()``; say whether it was still at work then."""
    while not reached() and process.poll() is None:
        time.sleep(0.002)
    process.kill()
    process.communicate()
    return process.returncode == -9


def content(path):
    """Every array of a store as bytes, and the attributes that say what is in it."""
    group = zarr.open_group(path, mode="r")
    arrays = {name: (array.dtype.str, array.shape, np.asarray(array[...]).tobytes()) for name, array in group.arrays()}
    attributes = json.loads((path / "zarr.json").read_text())["attributes"]
    return arrays, {key: value for key, value in attributes.items() if key != "created"}


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    path = tmp_path_factory.mktemp("uninterrupted") / "a.zarr"
    campaign(path, threads=1)
    return path


def test_two_threads_give_the_bits_of_one(uninterrupted, tmp_path):
    campaign(tmp_path / "a.zarr", threads=2)
    assert content(tmp_path / "a.zarr") == content(uninterrupted)


def test_a_killed_campaign_ends_in_the_same_store(uninterrupted, tmp_path):
    path = tmp_path / "a.zarr"
    moments = (
        path.exists,
        lambda: len(done_chunks(path)) >= 1,
        lambda: len(done_chunks(path)) >= 3,
    )
    killed = [kill_when(start(path, threads=1 + number % 2), moment) for number, moment in enumerate(moments)]
    assert all(killed)
    found = len(done_chunks(path))
    assert 3 <= found < POINTS
    last = start(path, threads=2)
    said, _ = last.communicate(timeout=60)
    assert last.returncode == 0
    assert f"{found} of {POINTS} chunks are there" in said
    assert not list(path.rglob("*.partial"))
    assert content(path) == content(uninterrupted)
    assert open_ensemble(path).sizes["point"] == POINTS
