import numpy as np
import pytest
import torch
import xarray as xr

from lattice_ml.data.augment import TorusShift
from lattice_ml.data.datamodule import WHOLE, EnsembleData, Share, deal_replicas
from lattice_ml.ground.errors import UserError
from lattice_ml.systems.active_ising.physics import ActiveIsing

DIMS = ("point", "replica", "sample", "species", "x", "y")
SHAPE = (3, 5, 4, 2, 9, 18)
LABELS = np.broadcast_to(np.arange(3)[:, None, None], SHAPE[:3])


def ensemble(states: np.ndarray | None = None) -> xr.Dataset:
    if states is None:
        states = np.random.default_rng(0).poisson(1.5, SHAPE).astype(np.uint16)
    return xr.Dataset({"configurations": (DIMS, states)})


def data(dataset: xr.Dataset | None = None, **options) -> EnsembleData:
    options = {"batch_size": 8, "augment": TorusShift(), "seed": 3} | options
    return EnsembleData(ensemble() if dataset is None else dataset, ActiveIsing((9, 18)), LABELS, **options)


def epoch(module: EnsembleData, number: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
    batches = module.train_dataloader()
    batches.sampler.set_epoch(number)
    return [module.on_after_batch_transfer(batch, 0) for batch in batches]


def same(first, second) -> bool:
    return len(first) == len(second) and all(
        torch.equal(x, x2) and torch.equal(y, y2) for (x, y), (x2, y2) in zip(first, second, strict=True)
    )


def test_a_batch_is_float32_channels_and_int64_labels():
    x, y = epoch(data(), 0)[0]
    assert x.shape == (8, 2, 9, 18)
    assert x.dtype == torch.float32
    assert y.shape == (8,)
    assert y.dtype == torch.int64


def test_no_replica_is_on_two_sides_and_none_is_lost():
    # Every count of a configuration is its replica number: the batches show where a trajectory went.
    states = np.broadcast_to(np.arange(5).reshape(1, 5, 1, 1, 1, 1), SHAPE).astype(np.uint16)
    module = data(ensemble(states))
    seen = {}
    for side in ("train", "val", "test"):
        batches = getattr(module, f"{side}_dataloader")()
        density = torch.cat([module.on_after_batch_transfer(batch, 0)[0][:, 1, 0, 0] for batch in batches])
        seen[side] = {int(value) // 2 for value in density}
        assert len(density) == 3 * 4 * len(seen[side])
    assert [len(seen[side]) for side in ("train", "val", "test")] == [3, 1, 1]
    assert set.union(*seen.values()) == set(range(5))


def test_labels_stay_with_their_configurations():
    states = np.broadcast_to(np.arange(3).reshape(3, 1, 1, 1, 1, 1), SHAPE).astype(np.uint16)
    for x, y in epoch(data(ensemble(states)), 1):
        assert torch.equal(x[:, 1, 0, 0], 2.0 * y)


def test_a_run_resumed_at_epoch_3_sees_what_the_uninterrupted_one_sees():
    straight = data()
    last = [epoch(straight, number) for number in range(4)][-1]
    assert same(last, epoch(data(), 3))


def test_epochs_and_seeds_differ():
    assert not same(epoch(data(), 0), epoch(data(), 1))
    assert not same(epoch(data(), 0), epoch(data(seed=4, split=(0.6, 0.2, 0.2)), 0))


def test_validation_and_test_are_in_order_and_not_augmented():
    module = data()
    states = torch.from_numpy(ensemble()["configurations"].values.astype(np.int32))
    for side in ("val", "test"):
        found = torch.cat([module.on_after_batch_transfer(b, 0)[0] for b in getattr(module, f"{side}_dataloader")()])
        expected = states[:, torch.from_numpy(module.replicas[side])].flatten(0, 2)
        assert torch.equal(found, module.system.to_channels(expected))


def test_prediction_goes_through_everything_in_order():
    module = data()
    index = torch.cat([batch.index for batch in module.predict_dataloader()])
    assert torch.equal(index, torch.arange(3 * 5 * 4))


def test_scale_is_the_rms_over_the_training_configurations():
    module = data()
    plus, minus = np.moveaxis(ensemble()["configurations"].values[:, module.replicas["train"]].astype(float), 3, 0)
    expected = [np.sqrt(np.mean((plus - minus) ** 2)), np.sqrt(np.mean((plus + minus) ** 2))]
    np.testing.assert_allclose(module.scale(), expected, rtol=1e-6)


def test_scale_of_an_empty_channel_is_one():
    states = np.ones(SHAPE, dtype=np.uint16)  # as many + as - particles on every site: no magnetisation
    assert data(ensemble(states)).scale().tolist() == [1.0, 2.0]


@pytest.mark.parametrize(
    ("highest", "dtype"), [(255, torch.uint8), (256, torch.int16), (32767, torch.int16), (40000, torch.int32)]
)
def test_states_lie_there_as_the_smallest_integer_that_holds_them(highest, dtype):
    states = np.zeros(SHAPE, dtype=np.uint16)
    states[0, 0, 0, 0, 0, 0] = highest
    module = data(ensemble(states))
    assert module.states.dtype == dtype
    assert int(module.states.max()) == highest


def test_net_arguments_come_from_the_data():
    module = data()
    assert (module.in_channels, module.extents, module.classes) == (2, (9, 18), 3)


@pytest.mark.parametrize(("replicas", "counts"), [(3, (1, 1, 1)), (4, (2, 1, 1)), (5, (3, 1, 1)), (50, (30, 10, 10))])
def test_replicas_are_dealt_in_the_given_shares(replicas, counts):
    dealt = deal_replicas(replicas, (0.6, 0.2, 0.2), seed=0)
    assert tuple(len(side) for side in dealt.values()) == counts
    assert sorted(np.concatenate(list(dealt.values()))) == list(range(replicas))


@pytest.mark.parametrize("replicas", [1, 2])
def test_too_few_replicas_are_refused(replicas):
    with pytest.raises(UserError, match="give at least three"):
        deal_replicas(replicas, (0.6, 0.2, 0.2), seed=0)


@pytest.mark.parametrize("shares", [(0.8, 0.2), (0.8, 0.2, 0.0), (0.6, 0.2, 0.3)])
def test_shares_that_are_no_split_are_refused(shares):
    with pytest.raises(UserError, match=r"split = .* give e\.g\."):
        deal_replicas(5, shares, seed=0)


def test_labels_of_another_ensemble_are_refused():
    with pytest.raises(ValueError, match="do not fit"):
        EnsembleData(ensemble(), ActiveIsing((9, 18)), LABELS[:2])


@pytest.mark.parametrize("ranks", [2, 3, 5])
def test_ranks_share_out_the_batches_that_one_process_sees(ranks, monkeypatch):
    """Same images, same labels, same order; the last batch, of four rows, is smaller than five ranks."""
    whole = data()

    def shared(rank, side, number):
        module = data()
        monkeypatch.setattr(EnsembleData, "share", Share(rank, ranks))
        batches = getattr(module, f"{side}_dataloader")()
        if side == "train":
            batches.sampler.set_epoch(number)
        return [module.on_after_batch_transfer(batch, 0) for batch in batches]

    for side, number in (("train", 0), ("train", 3), ("val", 0), ("test", 0)):
        parts = [shared(rank, side, number) for rank in range(ranks)]
        monkeypatch.setattr(EnsembleData, "share", WHOLE)
        expected = (
            epoch(whole, number)
            if side == "train"
            else [whole.on_after_batch_transfer(b, 0) for b in getattr(whole, f"{side}_dataloader")()]
        )
        assert len({len(part) for part in parts}) == 1
        found = [tuple(map(torch.cat, zip(*shares, strict=True))) for shares in zip(*parts, strict=True)]
        assert same(found, expected)
        sizes = [[len(y) for _, y in shares] for shares in zip(*parts, strict=True)]
        assert all(max(counts) - min(counts) <= 1 for counts in sizes)


def test_without_a_trainer_one_process_has_it_all():
    assert data().share == WHOLE == Share(0, 1)
