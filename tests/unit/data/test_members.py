import numpy as np
import pytest
import torch

from lattice_ml.data.augment import TorusShift
from lattice_ml.data.members import MemberData, MemberIndex, deal_groups
from lattice_ml.ground.errors import UserError
from lattice_ml.systems.complex_scalar.physics import ComplexScalar

SYSTEM = ComplexScalar((4, 3))
STATES = np.random.default_rng(0).integers(-2, 3, (200, 4, 4, 3)).astype(np.int16)
TARGETS = np.stack([np.arange(200), -np.arange(200)], axis=1).astype(np.float64)
GROUPS = np.repeat(np.arange(20), 10)


def data(**options) -> MemberData:
    return MemberData(STATES, TARGETS, SYSTEM, **{"members": 3, "batch_size": 16, "groups": GROUPS, **options})


def epoch(module: MemberData, number: int) -> list[MemberIndex]:
    loader = module.train_dataloader()
    loader.sampler.set_epoch(number)
    return list(loader)


def test_a_batch_is_what_its_index_says():
    module = data()
    batch = epoch(module, 0)[2]
    x, y = module.on_after_batch_transfer(batch, 0)
    assert (x.dtype, y.dtype, x.shape, y.shape) == (torch.float32, torch.float32, (3, 16, 4, 4, 3), (3, 16, 2))
    for m in range(3):
        np.testing.assert_array_equal(x[m], STATES[batch.index[m]])
        np.testing.assert_array_equal(y[m], TARGETS[batch.index[m]])


def test_validation_is_the_same_for_all_and_in_order():
    module = data()
    batches = list(module.val_dataloader())
    x, _ = module.on_after_batch_transfer(batches[0], 0)
    assert x.shape[1:] == (4, 4, 3)
    found = torch.cat([batch.index for batch in batches])
    assert torch.equal(found, module.index["val"])
    assert torch.equal(found, found.sort().values)


def test_no_trajectory_is_on_both_sides():
    module = data()
    train, val = module.index["train"][0].numpy(), module.index["val"].numpy()
    assert sorted([*train, *val]) == list(range(200))
    assert len(val) == 20
    assert not set(GROUPS[train]) & set(GROUPS[val])
    assert set(module.index["val"].tolist()) != set(data(seed=1).index["val"].tolist())


def test_an_epoch_has_everything_once_in_an_order_of_its_own():
    module = data()
    first, again, second = epoch(module, 0), epoch(data(), 0), epoch(module, 1)
    assert len(first) == len(module.train_dataloader()) == 12
    orders = [torch.cat([batch.index for batch in batches], dim=1) for batches in (first, again, second)]
    assert torch.equal(orders[0], orders[1])
    for one, other in [(orders[0][0], orders[0][1]), (orders[0][0], orders[2][0])]:
        assert not torch.equal(one, other)
    assert all(torch.equal(order.sort(1).values, module.index["train"]) for order in orders)


def test_a_member_sees_the_same_alone():
    alone = data(members=[2], size=30, augment=TorusShift())
    together = data(members=3, size=30, augment=TorusShift())
    assert torch.equal(alone.index["train"][0], together.index["train"][2])
    assert torch.equal(alone.index["val"][0], together.index["val"][2])
    for one, all_three in zip(epoch(alone, 4), epoch(together, 4), strict=True):
        (x, y), (xs, ys) = alone.on_after_batch_transfer(one, 0), together.on_after_batch_transfer(all_three, 0)
        assert torch.equal(x[0], xs[2])
        assert torch.equal(y[0], ys[2])


def test_members_choose_their_own_training_sets_and_larger_ones_contain_smaller():
    small, large = data(size=45), data(size=90)
    assert small.index["train"].shape == (3, 45)
    assert small.index["val"].shape == (3, 5)
    assert large.index["val"].shape == (3, 10)
    chosen = [set(row.tolist()) for row in small.index["train"]]
    assert len(chosen[0]) == 45
    assert chosen[0] != chosen[1]
    assert chosen[0] < set(large.index["train"][0].tolist())
    assert not chosen[0] & set(data().index["val"].tolist())
    x, y = small.on_after_batch_transfer(next(iter(small.val_dataloader())), 0)
    assert (x.shape, y.shape) == ((3, 5, 4, 4, 3), (3, 5, 2))
    assert torch.equal(small.train_targets()[1], torch.from_numpy(TARGETS)[small.index["train"][1]].float())


def test_only_training_is_augmented():
    module = data(augment=TorusShift())
    batch = epoch(module, 0)[0]
    x, _ = module.on_after_batch_transfer(batch, 0)
    plain = torch.from_numpy(STATES)[batch.index].float()
    assert not torch.equal(x, plain)
    torch.testing.assert_close(x.sum((-2, -1)), plain.sum((-2, -1)))
    other, _ = module.on_after_batch_transfer(epoch(module, 1)[0], 0)
    assert not torch.equal(x, other)
    val = next(iter(module.val_dataloader()))
    assert torch.equal(module.on_after_batch_transfer(val, 0)[0], torch.from_numpy(STATES)[val.index].float())


def test_the_papers_batches():
    many = np.zeros((600, 4, 4, 3), np.int8)
    for size, batch_size in [(None, 100), (500, 100), (499, 50)]:
        assert MemberData(many, np.zeros((600, 1)), SYSTEM, size=size).batch_size == batch_size


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"size": 181}, "size = 181 configurations to train with are not to be had: give 1 … 180"),
        ({"size": 0}, "give 1 … 180"),
        ({"validation": 0.0}, "give one between 0 and 1"),
        ({"groups": np.zeros(200)}, "cannot be split into training and validation: give ensemble.replicas=10"),
    ],
)
def test_mistakes_are_one_sentence(options, sentence):
    with pytest.raises(UserError, match=sentence) as refusal:
        data(**options)
    assert "\n" not in str(refusal.value)


def test_the_share_is_the_nearest_that_whole_groups_allow():
    for count, held in [(24, 2), (26, 3), (3, 1), (10, 1), (40, 4)]:
        train, val = deal_groups(np.repeat(np.arange(count), 7), 0.1, seed=0)
        assert (len(train), len(val)) == ((count - held) * 7, held * 7)


def test_a_share_of_groups_of_any_size():
    train, val = deal_groups(np.array([7, 7, 7, 7, 2, 9, 9]), 0.5, seed=3)
    assert sorted([*train, *val]) == list(range(7))
    assert min(len(train), len(val)) > 0
