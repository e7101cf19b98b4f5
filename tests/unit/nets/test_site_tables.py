import numpy as np
import pytest
import torch

from lattice_ml.nets import site_tables
from lattice_ml.nets.lattice_cnn import LatticeCNN
from lattice_ml.nets.site_tables import Front, GatherRows, find_distinct, plan_front, tap_sites


def test_values_and_codes_give_the_input_back():
    x = torch.randint(-9, 4, (2, 40, 4, 3, 5), generator=torch.Generator().manual_seed(0)).float()
    x[:, :, 1:] = x[:, :, 1:].clamp(0, 1)
    distinct = find_distinct(x)
    assert distinct is not None
    assert len(np.unique(distinct.values, axis=0)) == len(distinct.values) <= 13 * 8
    back = distinct.values[distinct.codes]  # [member, site, batch, channel]
    np.testing.assert_array_equal(back.transpose(0, 2, 3, 1).reshape(x.shape), x.numpy())


@pytest.mark.parametrize(
    "x",
    [
        torch.full((1, 9, 1, 8, 8), 0.5),
        torch.full((1, 9, 1, 8, 8), float("nan")),
        torch.full((1, 9, 1, 8, 8), float("inf")),
        torch.randint(-20000, 20000, (1, 9, 2, 8, 8)).float(),
        torch.arange(64.0).reshape(1, 1, 1, 8, 8),
        torch.zeros(1, 0, 4, 8, 8),
    ],
    ids=["halves", "nan", "inf", "wide", "all different", "nothing"],
)
def test_what_tables_are_no_good_for(x):
    assert find_distinct(x) is None


def test_an_odd_extent_loses_its_last_sites_in_a_pool():
    sites = tap_sites((5, 4), 1, 0, (2, 2))[..., 0]
    assert sites.tolist() == [[0, 1, 4, 5], [2, 3, 6, 7], [8, 9, 12, 13], [10, 11, 14, 15]]


def test_taps_are_those_of_the_convolution():
    # Kernel 2 at site (0, 0) of 3 × 2: the site before it along both axes, along x, along y, and itself.
    assert tap_sites((3, 2), 2, 1, (1, 1))[0, 0].tolist() == [5, 4, 1, 0]


@pytest.mark.parametrize(
    ("layers", "front"),
    [
        (["flatten", {"linear": 1}], Front((), None, 1.0, (1, 1), False, 0)),
        ([{"conv": 2, "kernel": 1}, "tanh", "flatten", {"linear": 1}], Front((0, 1), None, 1.0, (1, 1), False, 2)),
        ([{"conv": 1, "kernel": 2}, "relu", {"global_pool": "sum"}], Front((), 0, 0.0, None, True, 3)),
        ([{"conv": 1, "kernel": 3}, "tanh", {"global_pool": "sum"}], Front((), 0, 1.0, (1, 1), False, 1)),
        (["relu", {"pool": "average"}, "flatten", {"linear": 1}], Front((0,), None, 1.0, (2, 2), False, 2)),
        ([{"conv": 1, "kernel": 2}, "leaky_relu", {"global_pool": "max"}], Front((), 0, 0.01, (1, 1), False, 2)),
    ],
)
def test_which_layers_tables_stand_for(layers, front):
    assert plan_front(list(LatticeCNN(2, (4, 4), 1, layers).layers)) == front


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(("kernel", "pool", "batch"), [(1, (2, 2), 3), (2, (6, 4), 70), (3, (1, 1), 2)])
def test_rows_are_gathered_and_gradients_go_back_to_them(kernel, pool, batch, threads, monkeypatch):
    monkeypatch.setattr(site_tables.torch, "get_num_threads", lambda: threads)
    rng = np.random.default_rng(1)
    codes = rng.integers(0, 5, (2, 24, batch)).astype(np.int32)
    sites = tap_sites((6, 4), kernel, kernel // 2, pool)
    table = torch.from_numpy(rng.normal(size=(2, 5, kernel**2, 3)).astype(np.float32)).requires_grad_()
    taps = codes[:, sites]  # [member, cell, site, tap, batch]
    rows = table[torch.arange(2).reshape(2, 1, 1, 1, 1), taps, torch.arange(kernel**2)[:, None]]
    expected = 0.5 * torch.nn.functional.leaky_relu(rows.sum(3), 0.01).sum(2).permute(0, 3, 1, 2)
    found = GatherRows.apply(table, codes, sites, 0.01, 0.5)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    weight = torch.randn_like(found)
    (gradient,) = torch.autograd.grad(found, table, weight)
    (known,) = torch.autograd.grad(expected, table, weight)
    torch.testing.assert_close(gradient, known, rtol=1e-4, atol=1e-4)
