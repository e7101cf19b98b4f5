"""A streamed ensemble trains as a resident one would, in another order, and within the memory that it may take."""

import tracemalloc

import lightning as L
import numpy as np
import pytest
import torch
import xarray as xr
from torch import nn

from lattice_ml.data.augment import TorusShift
from lattice_ml.data.datamodule import WHOLE, EnsembleData, Share
from lattice_ml.data.pieces import Pieces
from lattice_ml.data.resident import Resident
from lattice_ml.data.stream import Streamed
from lattice_ml.ensembles.plan import Protocol, plan_grid
from lattice_ml.ensembles.store import open_configurations, open_ensemble, prepare_store
from lattice_ml.ground.errors import UserError
from lattice_ml.systems.active_ising.physics import ActiveIsing
from lattice_ml.systems.active_ising.sampler import ActiveIsingSampler
from lattice_ml.tasks.classify_phase import ClassifyPhase

KIB = 2**-20
"""In GiB, the unit of the setting."""
SYSTEM = ActiveIsing((18, 9))
POINTS, REPLICAS, SAMPLES = 12, 40, 2
SHAPE = (POINTS, REPLICAS, SAMPLES, 2, 18, 9)
LABELS = np.broadcast_to(np.arange(POINTS)[:, None, None] // 4, SHAPE[:3])
COUNT = POINTS * REPLICAS * SAMPLES
MEMORY = 230 * KIB
"""Of the 304 KiB that the ensemble takes as one byte a number; five chunks of 10 KiB lie in its store per point."""


@pytest.fixture(scope="module")
def states() -> np.ndarray:
    """Every configuration is unlike every other: its number stands in its first two sites."""
    random = np.random.default_rng(0).poisson(1.5, SHAPE).astype(np.uint16)
    number = np.arange(COUNT).reshape(SHAPE[:3])
    random[..., 0, 0, 0], random[..., 0, 0, 1] = number % 200, number // 200
    return random


@pytest.fixture(scope="module")
def store(states, tmp_path_factory) -> xr.Dataset:
    path = tmp_path_factory.mktemp("stores") / "a.zarr"
    plan = plan_grid("a", {"T": "0.1:1.2:0.1", "rho0": [3.0]}, REPLICAS, SAMPLES, 1, Protocol())
    prepare_store(path, SYSTEM, ActiveIsingSampler(), plan)
    open_configurations(path)[...] = states
    return open_ensemble(path)


def data(ensemble: xr.Dataset, memory: float | None = MEMORY, **options) -> EnsembleData:
    options = {"batch_size": 32, "augment": TorusShift(), "seed": 3} | options
    return EnsembleData(ensemble, SYSTEM, LABELS, memory=memory, **options)


def epoch(module: EnsembleData, number: int) -> list:
    batches = module.train_dataloader()
    batches.sampler.set_epoch(number)
    return list(batches)


def numbers(batches) -> torch.Tensor:
    """Of the configurations in some batches."""
    states = torch.cat([batch.states for batch in batches]).long()
    return states[:, 0, 0, 0] + 200 * states[:, 0, 0, 1]


def arrived(module: EnsembleData, batches) -> list:
    return [module.on_after_batch_transfer(batch, 0) for batch in batches]


def same(first, second) -> bool:
    return len(first) == len(second) and all(
        torch.equal(a, b) for one, other in zip(first, second, strict=True) for a, b in zip(one, other, strict=True)
    )


@pytest.mark.parametrize(("memory", "kind"), [(None, Resident), (2000 * KIB, Resident), (MEMORY, Streamed)])
def test_an_ensemble_is_streamed_only_where_it_must_be(memory, kind, store):
    assert type(data(store, memory).source) is kind


def test_what_decides_is_the_smallest_integers_that_hold_it(store, states):
    """Between one and two bytes a number: resident as bytes, streamed where a count needs two."""
    memory = (COUNT * 324 * 1.2 + 2 * Pieces(store["configurations"]).in_reading) / 2**30
    assert type(data(store, memory).source) is Resident
    wide = states.copy()
    wide[3, 2, 1, 0, 5, 5] = 300
    assert (
        type(data(xr.Dataset({"configurations": store["configurations"].copy(data=wide)}), memory).source) is Streamed
    )


def test_in_an_epoch_every_training_configuration_comes_once_with_its_label(store):
    module = data(store)
    batches = epoch(module, 0)
    assert len(batches) == len(module.train_dataloader()) == -(-len(module.index["train"]) // 32)
    assert [len(batch.labels) for batch in batches[:-1]] == [32] * (len(batches) - 1)
    found = numbers(batches)
    assert torch.equal(found.sort()[0], module.index["train"])
    assert torch.equal(torch.cat([batch.labels for batch in batches]), module.labels[found])
    assert not torch.equal(found, numbers(epoch(module, 1)))


def test_batches_mix_points_and_chunks(store):
    """A chunk alone would give 1 point a batch; a perfect shuffle of 12 points in batches of 32 gives 11.3."""

    def mixed(memory):
        module = data(store, memory)
        drawn = numbers(epoch(module, 0))[: 12 * 32].view(12, 32) // (REPLICAS * SAMPLES)
        return module.source.capacity, np.mean([len(batch.unique()) for batch in drawn])

    (small, few), (large, many) = mixed(160 * KIB), mixed(200 * KIB)
    assert small < large
    assert 4 < few < many < 11.3


def test_a_run_resumed_at_epoch_2_sees_what_the_uninterrupted_one_sees(store):
    straight = data(store)
    last = [arrived(straight, epoch(straight, number)) for number in range(3)][-1]
    again = data(store)
    assert same(last, arrived(again, epoch(again, 2)))


def test_a_slow_disk_changes_nothing(store, monkeypatch):
    expected, module = numbers(epoch(data(store), 0)), data(store)
    read, chance = Pieces.read, np.random.default_rng(0)

    def slow(self, piece):
        import time

        time.sleep(chance.uniform(0, 0.004))
        return read(self, piece)

    monkeypatch.setattr(Pieces, "read", slow)
    assert torch.equal(numbers(epoch(module, 0)), expected)


@pytest.mark.parametrize("side", ["val", "test", "predict"])
def test_what_is_not_trained_on_comes_in_the_order_of_the_resident_path(side, store):
    streamed, resident = data(store), data(store, None)
    loaders = [getattr(module, f"{side}_dataloader")() for module in (streamed, resident)]
    assert len(loaders[0]) == len(loaders[1])
    assert same(arrived(streamed, loaders[0]), arrived(resident, loaders[1]))
    if side != "predict":
        parts = [torch.cat(list(module.parts(side))) for module in (streamed, resident)]
        assert torch.equal(*parts)


def test_the_scale_is_that_of_the_resident_path(store):
    torch.testing.assert_close(data(store).scale(), data(store, None).scale(), rtol=1e-6, atol=0)


@pytest.mark.parametrize("ranks", [3])
def test_ranks_share_out_the_batches_that_one_process_sees(ranks, store, monkeypatch):
    for side in ("train", "val"):
        whole = data(store)
        expected = arrived(whole, getattr(whole, f"{side}_dataloader")())
        parts = []
        for rank in range(ranks):
            monkeypatch.setattr(EnsembleData, "share", Share(rank, ranks))
            module = data(store)
            parts.append(arrived(module, getattr(module, f"{side}_dataloader")()))
            monkeypatch.setattr(EnsembleData, "share", WHOLE)
        found = [tuple(map(torch.cat, zip(*shares, strict=True))) for shares in zip(*parts, strict=True)]
        assert same(found, expected)


def test_signed_states_stream_as_signed_bytes(states):
    signed = xr.Dataset(
        {"configurations": (("point", "replica", "sample", "species", "x", "y"), states.astype(np.int16) - 2)}
    )
    signed["configurations"].encoding["preferred_chunks"] = {"replica": 4}
    wide, module = signed.copy(deep=True), data(signed, 600 * KIB, augment=None)
    assert module.source.buffer.dtype == torch.int16  # numbers up to 198
    wide["configurations"] = wide["configurations"].clip(-5, 5)
    wide["configurations"].encoding["preferred_chunks"] = {"replica": 4}
    narrow = data(wide, 200 * KIB, augment=None)
    assert narrow.source.buffer.dtype == torch.int8
    assert int(torch.cat([batch.states for batch in narrow.train_dataloader()]).min()) == -2


def test_too_little_memory_is_one_sentence_with_what_would_do(store):
    with pytest.raises(UserError, match="is too small to stream") as caught:
        data(store, 50 * KIB)
    least = float(str(caught.value).split("data.memory=")[1].split(",")[0])
    assert type(data(store, least).source) is Streamed
    with pytest.raises(UserError, match=r"which data\.memory forbids"):
        _ = data(store, least).states


def test_two_passages_do_not_share_the_buffer(store):
    loader = data(store).train_dataloader()
    first, second = iter(loader), iter(loader)
    next(first)
    next(second)
    with pytest.raises(RuntimeError, match="share one buffer"):
        next(first)


def test_a_training_holds_no_more_than_the_memory_that_is_given(tmp_path):
    """All that Python and numpy allocate is counted: the buffer, chunks in reading, and what is no configuration."""
    shape, memory = (12, 48, 2, 2, 36, 36), 1300 * KIB
    plan = plan_grid("c", {"T": "0.1:1.2:0.1", "rho0": [3.0]}, 48, 2, 1, Protocol())
    system, random = ActiveIsing((36, 36)), np.random.default_rng(0)
    prepare_store(tmp_path / "c.zarr", system, ActiveIsingSampler(), plan)
    configurations = open_configurations(tmp_path / "c.zarr")
    for point in range(12):
        configurations[point] = random.poisson(1.5, shape[1:]).astype(np.uint16)
    ensemble = open_ensemble(tmp_path / "c.zarr")

    def use(memory):
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        module = EnsembleData(ensemble, system, batch_size=16, augment=TorusShift(), memory=memory)
        module.scale()
        for number, batch in enumerate(module.train_dataloader()):
            module.on_after_batch_transfer(batch, 0)
            if number == 5:  # a validation in the middle of the epoch
                for other in module.val_dataloader():
                    module.on_after_batch_transfer(other, 0)
        for part in module.parts("test"):
            del part
        peak = tracemalloc.get_traced_memory()[1] - before
        tracemalloc.stop()
        return type(module.source), peak / 2**30

    use(memory)  # imports and caches
    kind, peak = use(memory)
    assert kind is Streamed
    assert 0.5 * memory < peak < memory
    assert use(None)[1] > 2.2 * memory  # the yardstick sees what the resident path holds


def test_a_broken_chunk_ends_the_training_in_one_sentence(states, tmp_path):
    plan = plan_grid("b", {"T": "0.1:1.2:0.1", "rho0": [3.0]}, REPLICAS, SAMPLES, 1, Protocol())
    prepare_store(tmp_path / "b.zarr", SYSTEM, ActiveIsingSampler(), plan)
    open_configurations(tmp_path / "b.zarr")[...] = states
    module = data(open_ensemble(tmp_path / "b.zarr"))
    chunk = tmp_path / "b.zarr/configurations/c.5.3.0.0.0.0"
    chunk.write_bytes(chunk.read_bytes()[:-1])
    trainer = L.Trainer(
        max_epochs=1, accelerator="cpu", logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False,
    )  # fmt: skip
    net = nn.Sequential(nn.Flatten(), nn.Linear(324, 3))
    with pytest.raises(UserError, match=r"c\.5\.3\.0\.0\.0\.0 is broken, as its checksum"):
        trainer.fit(ClassifyPhase(net, SYSTEM), datamodule=module)
