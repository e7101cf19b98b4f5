from pathlib import Path

import pytest
import torch
import yaml

from lattice_ml.ground.errors import UserError
from lattice_ml.nets import members
from lattice_ml.nets.lattice_cnn import LatticeCNN
from lattice_ml.nets.members import Members, Taps

FLUX = Path(__file__).parents[3] / "conf" / "model" / "flux"
NETS = ["eq", "st", "fl", "detect_eq", "detect_st", "detect_fl", "count_eq_1", "count_eq_3", "count_st_2", "count_fl_1"]
OTHER = [{"conv": 3, "kernel": 2}, "tanh", {"pool": "max"}, "relu", {"conv": 2, "kernel": 1}, "flatten", {"linear": 2}]


def build(layers: str | list, extents: tuple[int, int]) -> LatticeCNN:
    outputs = 1 if isinstance(layers, str) and "_" in layers else 2
    if isinstance(layers, str):
        layers = yaml.safe_load((FLUX / f"{layers}.yaml").read_text())["layers"]
    return LatticeCNN(4, extents, outputs, layers)


def integers(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randint(-2, 3, shape, generator=torch.Generator().manual_seed(seed)).float()


@pytest.fixture
def without_tables(monkeypatch):
    monkeypatch.setattr(members, "find_distinct", lambda x: None)


def compare(layers: str | list, extents: tuple[int, int]) -> None:
    """Outputs and gradients of three members against the three nets alone."""
    net = Members.initialise(lambda: build(layers, extents), 3, seed=1)
    x, weight = integers(3, 7, 4, *extents), torch.randn(3, 7, net.template.outputs)
    found = net(x)
    (found * weight).sum().backward()
    for m in range(3):
        alone = net.member(m)
        expected = alone(x[m])
        torch.testing.assert_close(found[m], expected, rtol=2e-5, atol=2e-6)
        (expected * weight[m]).sum().backward()
        for (name, parameter), stacked in zip(alone.named_parameters(), net.parameters(), strict=True):
            size = float(parameter.grad.abs().max())
            torch.testing.assert_close(stacked.grad[m], parameter.grad, rtol=1e-4, atol=1e-5 * size, msg=name)


@pytest.mark.parametrize("layers", [*NETS, OTHER], ids=str)
def test_a_member_is_the_net_with_its_weights(layers):
    compare(layers, (8, 4) if layers in ("eq", "st", "fl") else (8, 8))


@pytest.mark.usefixtures("without_tables")
@pytest.mark.parametrize("layers", ["eq", "st", "fl", "count_eq_1"])
def test_so_it_is_without_tables(layers):
    compare(layers, (8, 4))


@pytest.mark.parametrize("extents", [(5, 2), (2, 5), (2, 2), (7, 7)])
@pytest.mark.parametrize("layers", ["eq", "st", "count_eq_3"])
def test_so_it_is_on_odd_and_narrow_lattices(layers, extents):
    compare(layers, extents)


def test_a_slab_of_members_is_all_of_them(monkeypatch):
    net, x = Members.initialise(lambda: build("detect_st", (8, 8)), 5, seed=0), integers(5, 3, 4, 8, 8)
    whole = net(x)
    monkeypatch.setattr(members, "AT_ONCE", 50_000)  # two members
    torch.testing.assert_close(net(x), whole, rtol=1e-5, atol=1e-6)
    monkeypatch.setattr(members, "AT_ONCE", 1)
    torch.testing.assert_close(net(x), whole, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("layers", ["eq", "detect_fl"])
def test_one_input_may_serve_all_members(layers):
    extents = (8, 8) if "_" in layers else (8, 4)
    net, x = Members.initialise(lambda: build(layers, extents), 3, seed=0), integers(6, 4, *extents)
    torch.testing.assert_close(net(x), net(x.expand(3, *x.shape)))


def test_fields_that_are_no_integers_and_gradients_of_the_input():
    net, x = Members.initialise(lambda: build("eq", (8, 4)), 2, seed=0), torch.randn(2, 30, 4, 8, 4)
    torch.testing.assert_close(net(x)[1], net.member(1)(x[1]), rtol=1e-5, atol=1e-6)
    x = integers(2, 30, 4, 8, 4).requires_grad_()
    net(x).sum().backward()
    alone = x.detach()[1].clone().requires_grad_()
    net.member(1)(alone).sum().backward()
    torch.testing.assert_close(x.grad[1], alone.grad, rtol=1e-4, atol=1e-7)


def test_the_weights_of_a_member_are_a_function_of_seed_and_member():
    def state(count: int, seed: int) -> dict[str, torch.Tensor]:
        return Members.initialise(lambda: build("count_eq_2", (8, 8)), count, seed).state_dict()

    before = torch.random.get_rng_state()
    three, five, other = state(3, 0), state(5, 0), state(3, 1)
    assert torch.equal(before, torch.random.get_rng_state())
    for name, value in three.items():
        assert torch.equal(value, five[name][:3])
        assert not torch.equal(value[0], value[1])
        assert not torch.equal(value, other[name])


def test_another_lattice_is_refused_by_fl_alone():
    x = torch.zeros(3, 4, 10, 6)
    assert Members([build("eq", (8, 4))])(x).shape == (1, 3, 2)
    with pytest.raises(UserError, match="an FL net of 8 × 4 sites cannot read 10 × 6"):
        Members([build("fl", (8, 4))])(x)


def test_no_more_is_done_in_place_than_autograd_allows():
    layers = [{"conv": 2, "kernel": 2}, "tanh", "leaky_relu", {"pool": "max"}, "leaky_relu", {"global_pool": "max"}]
    compare(layers, (4, 4))


@pytest.mark.parametrize(("kernel", "extents"), [(2, (3, 2)), (3, (2, 5)), (4, (2, 3))])
def test_the_gradient_of_taps(kernel, extents):
    h = torch.randn(1, 2, *extents, 1, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda h: Taps.apply(h, kernel, kernel // 2), h)
