"""Stores that others wrote run nothing."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest

from lattice_ml.ground.errors import UserError
from lattice_ml.systems.active_ising.physics import ActiveIsing


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of two points, half of it sampled: one chunk of two is there."""
    import numpy as np

    from lattice_ml.ensembles.store import open_configurations, prepare_store

    path = tmp_path_factory.mktemp("stores") / "half.zarr"
    prepare_store(path, *campaign())
    open_configurations(path)[0] = np.ones((3, 1, 2, 9, 9), dtype=np.uint16)
    return path


def campaign():
    from lattice_ml.ensembles.plan import Protocol, plan_grid
    from lattice_ml.systems.active_ising.sampler import ActiveIsingSampler

    plan = plan_grid("half", {"T": [0.4, 0.5], "rho0": [2.0]}, 3, 1, 7, Protocol(waiting=1.0))
    return ActiveIsing((9, 9)), ActiveIsingSampler("random_sequential"), plan


POISON = [
    ("data_type", {"name": "object", "configuration": {"object_codec_id": "pickle"}}),
    ("data_type", "variable_length_utf8"),
    ("codecs", [{"name": "numcodecs.pickle", "configuration": {}}]),
    ("codecs", [{"name": "vlen-bytes"}]),
    ("codecs", [{"name": "trap_of_test.Trap"}]),
    ("storage_transformers", [{"name": "trap_of_test.Trap"}]),
    ("chunk_grid", {"name": "trap_of_test.Trap", "configuration": {"chunk_shape": [1, 3, 1, 2, 9, 9]}}),
]


@pytest.mark.parametrize(("key", "value"), POISON, ids=[str(value)[:40] for _, value in POISON])
@pytest.mark.parametrize("file", ["zarr.json", "configurations/zarr.json"])
def test_a_malicious_store_is_neither_read_nor_resumed(key, value, file, store, tmp_path, mark, monkeypatch) -> None:
    """Metadata of an array stand twice: in the root, where readers look, and beside its chunks, where writers do."""
    import zarr

    from lattice_ml.ensembles.store import open_configurations, open_ensemble, prepare_store

    copy = tmp_path / "store.zarr"
    shutil.copytree(store, copy)
    metadata = json.loads((copy / file).read_text())
    array = metadata["consolidated_metadata"]["metadata"]["configurations"] if file == "zarr.json" else metadata
    array[key] = value
    (copy / file).write_text(json.dumps(metadata))

    def resume():
        prepare_store(copy, *campaign())
        open_configurations(copy)

    def read():
        open_ensemble(copy)

    monkeypatch.setattr(zarr, "open_array", lambda *_, **__: pytest.fail("zarr was asked to open it"))
    monkeypatch.setattr(zarr, "open_group", lambda *_, **__: pytest.fail("zarr was asked to open it"))
    for asked in (read, resume):
        with pytest.raises(UserError) as caught:
            asked()
        assert "\n" not in str(caught.value)
    assert not mark.exists()
    assert "trap_of_test" not in sys.modules
