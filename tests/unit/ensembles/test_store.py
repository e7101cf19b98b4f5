"""The store is the contract of docs/store.md: plain xarray reads it, foreign and half-written ones are explained."""

import dataclasses
import json
import warnings

import numpy as np
import pytest
import xarray as xr

import lattice_ml
from lattice_ml.ensembles.generate import generate
from lattice_ml.ensembles.layout import LARGEST_CHUNK, all_chunks, empty_ensemble, replica_block, replicas_of
from lattice_ml.ensembles.plan import Protocol
from lattice_ml.ensembles.store import done_chunks, open_configurations, open_ensemble, prepare_store
from lattice_ml.systems.active_ising.physics import ActiveIsing


@pytest.fixture
def store(tmp_path, system, sampler, plan):
    generate(system, sampler, plan, tmp_path / "toy.zarr", threads=1)
    return tmp_path / "toy.zarr"


def edit(path, change):
    metadata = json.loads((path / "zarr.json").read_text())
    change(metadata)
    (path / "zarr.json").write_text(json.dumps(metadata))


def test_plain_xarray_opens_the_store_without_a_warning(store, plan):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        dataset = xr.open_zarr(str(store), chunks=None)
    configurations = dataset["configurations"]
    assert configurations.dims == ("point", "replica", "sample", "species", "x", "y")
    assert configurations.dtype == np.uint16
    assert configurations.shape == (6, 3, 2, 2, 6, 3)
    assert set(dataset.coords) == {"T", "rho0", "time", "replica", "sample", "species"}
    np.testing.assert_array_equal(dataset["T"], [point["T"] for point in plan.points])
    np.testing.assert_array_equal(dataset["time"], [plan.times(point) for point in plan.points])
    assert dataset["time"].dims == ("point", "sample")
    assert dataset["time"].dtype == np.float64


def test_the_attributes_say_where_the_ensemble_comes_from(store, system, sampler, plan):
    attributes = xr.open_zarr(str(store), chunks=None).attrs
    assert attributes["schema"] == "lattice_ml.ensemble/1"
    assert attributes["package_version"] == lattice_ml.__version__
    assert attributes["commit"]
    assert attributes["created"]
    assert attributes["system"] == system.parameters()
    assert attributes["plan"] == plan.attributes()
    assert attributes["sampler"] == [{"algorithm": "thrown", "version": 1, "cells": [1, 2]}] * 6


def test_an_opened_ensemble_names_the_species(store, system):
    dataset = open_ensemble(store)
    assert dataset["species"].values.tolist() == ["plus", "minus"]
    assert dataset["configurations"].sel(species="plus").shape == (6, 3, 2, 6, 3)
    system.check(dataset["configurations"].values[0], {"T": 0.4, "rho0": 2.0})


def test_a_chunk_is_one_point_and_a_block_of_replicas(store, system, plan):
    assert done_chunks(store) == {(point, 0) for point in range(6)} == set(all_chunks(system, plan))
    many = dataclasses.replace(plan, replicas=19)
    assert replica_block(system, many) == 8
    assert [replicas_of((0, block), system, many) for block in range(3)] == [range(8), range(8, 16), range(16, 19)]
    large = ActiveIsing((2048, 2048))
    assert 1 <= replica_block(large, many) * many.samples * 2 * 2 * 2048**2 // LARGEST_CHUNK <= 1


def test_a_chunk_of_zeros_alone_exists_too(tmp_path, system, sampler, plan):
    prepare_store(tmp_path / "a", system, sampler, plan)
    open_configurations(tmp_path / "a")[4, 0:3] = np.zeros((3, 2, 2, 6, 3), dtype=np.uint16)
    assert done_chunks(tmp_path / "a") == {(4, 0)}


@pytest.mark.parametrize("written", range(0, 17, 2))
def test_a_store_killed_during_its_creation_is_created_again(tmp_path, system, sampler, plan, written, refused):
    path = tmp_path / "a"
    path.mkdir()
    files = list(empty_ensemble(system, sampler, plan))
    assert len(files) == 2 * 6 + 2
    assert files[-1][0] == "zarr.json"
    if written:
        (path / ".lattice_ml.lock").touch()
    for key, content in files[: min(written, len(files) - 1)]:
        (path / key).parent.mkdir(exist_ok=True)
        (path / key).write_bytes(content[: len(content) // 2])
    assert "interrupted" in refused(open_ensemble, path) or not written
    prepare_store(path, system, sampler, plan)
    assert "lacks 6 of its 6 chunks" in refused(open_ensemble, path)
    for key, content in files[:-1]:
        assert (path / key).read_bytes() == content


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"seed": 8}, "seed = 7, not for 8"),
        ({"samples": 3}, "samples = 2, not for 3"),
        ({"replicas": 4}, "replicas = 3, not for 4"),
        ({"points": ({"T": 0.4, "rho0": 2.0},)}, "T = [0.4, 0.4, 0.5, 0.5, 0.6, 0.6], not for [0.4]"),
        ({"protocol": Protocol(waiting=11.0)}, "protocol.waiting = 10.0, not for 11.0"),
    ],
)
def test_a_store_for_another_plan_is_refused(store, system, sampler, plan, change, says, refused):
    sentence = refused(prepare_store, store, system, sampler, dataclasses.replace(plan, **change))
    assert says in sentence
    assert "ensemble.name=toy_2" in sentence
    assert f"remove {store}" in sentence


def test_a_store_for_another_system_or_sampler_is_refused(store, system, sampler, plan, refused):
    other = ActiveIsing(extents=(6, 3), eps=0.5)
    assert "eps = 0.9, not for 0.5" in refused(prepare_store, store, other, sampler, plan)
    sampler.algorithm = "other"
    assert "sampler.algorithm = thrown, not for other" in refused(prepare_store, store, system, sampler, plan)


def test_a_store_without_configurations_makes_room_for_other_parameters(tmp_path, system, sampler, plan):
    path = tmp_path / "a"
    prepare_store(path, system, sampler, plan)
    other = dataclasses.replace(plan, seed=8, samples=1, points=({"T": 0.4, "rho0": 2.0},))
    prepare_store(path, system, sampler, other)
    generate(system, sampler, other, path)
    assert open_ensemble(path)["configurations"].shape == (1, 3, 1, 2, 6, 3)
    assert open_ensemble(path).attrs["plan"]["seed"] == 8


def test_the_name_and_the_commit_are_not_compared(store, system, sampler, plan):
    edit(store, lambda metadata: metadata["attributes"].update(commit="other", package_version="0.0.1"))
    prepare_store(store, system, sampler, dataclasses.replace(plan, name="renamed"))


def test_a_folder_of_something_else_is_left_alone(tmp_path, system, sampler, plan, refused):
    (tmp_path / "thesis.tex").write_text("years of work")
    assert "no ensemble" in refused(prepare_store, tmp_path, system, sampler, plan)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_configurations_without_metadata_are_left_alone(store, system, sampler, plan, refused):
    (store / "zarr.json").unlink()
    assert "zarr.json is gone" in refused(prepare_store, store, system, sampler, plan)
    assert len(done_chunks(store)) == 6


def test_a_path_that_is_a_file_is_explained(tmp_path, system, sampler, plan, refused):
    (tmp_path / "a").write_text("")
    assert "cannot be written" in refused(prepare_store, tmp_path / "a", system, sampler, plan)
    assert "cannot be written" in refused(prepare_store, tmp_path / "a" / "b", system, sampler, plan)


def test_what_cannot_be_opened_is_explained(store, tmp_path, refused):
    assert "there is no ensemble" in refused(open_ensemble, tmp_path / "nothing")
    assert "not an ensemble" in refused(open_ensemble, tmp_path)
    (store / "configurations" / "c.3.0.0.0.0.0").unlink()
    sentence = refused(open_ensemble, store)
    assert "lacks 1 of its 6 chunks" in sentence
    assert "python sample.py ensemble=toy" in sentence
    edit(store, lambda metadata: metadata["attributes"].update(schema="lattice_ml.ensemble/2"))
    assert "upgrade" in refused(open_ensemble, store)
    edit(store, lambda metadata: metadata["attributes"].update(schema="the_well/1"))
    assert "not an ensemble" in refused(open_ensemble, store)
    (store / "zarr.json").write_text('{"attributes":')
    assert "cannot be read" in refused(open_ensemble, store)


@pytest.mark.parametrize(
    ("entry", "value", "says"),
    [
        ("data_type", "string", "string"),
        ("data_type", "variable_length_bytes", "variable_length_bytes"),
        ("data_type", {"name": "object", "configuration": {"object_codec_id": "pickle"}}, "object"),
        ("codecs", [{"name": "numcodecs.pickle"}], "numcodecs.pickle"),
        ("storage_transformers", [{"name": "strange"}], "strange"),
    ],
)
def test_nothing_that_could_run_code_is_read(store, entry, value, says, refused, monkeypatch):
    def poison(metadata):
        metadata["consolidated_metadata"]["metadata"]["T"][entry] = value

    edit(store, poison)
    monkeypatch.setattr(xr, "open_zarr", lambda *_, **__: pytest.fail("zarr was asked to open it"))
    sentence = refused(open_ensemble, store)
    assert says in sentence
    assert "may run code" in sentence


def test_a_layout_that_is_not_ours_is_refused(store, refused):
    edit(store, lambda metadata: metadata.pop("consolidated_metadata"))
    assert "docs/store.md" in refused(open_ensemble, store)
