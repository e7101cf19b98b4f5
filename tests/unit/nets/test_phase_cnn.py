import pytest
import torch
from beartype import beartype
from jaxtyping import TypeCheckError, jaxtyped
from torch import nn
from torch.nn import functional as F

from lattice_ml.ground.errors import UserError
from lattice_ml.nets.phase_cnn import PhaseCNN


def parameters(net: nn.Module) -> int:
    return sum(p.numel() for p in net.parameters())


@pytest.mark.parametrize("extent", [9, 27, 36, 81, 90])
def test_number_of_parameters(extent):
    assert parameters(PhaseCNN(2, (extent, extent), 3)) == 32 * extent**2 // 27 + 1939


def test_it_has_9715_parameters_at_the_papers_size():
    assert parameters(PhaseCNN(2, (81, 81), 3)) == 9715


def layer_by_layer(net: PhaseCNN, x: torch.Tensor, padding_mode: str) -> torch.Tensor:
    """The layers of the paper written down one by one, ReLU before each pool, nothing paired."""

    def convolution(x, layer):
        border = layer.kernel_size[0] // 2
        padded = F.pad(x, (border,) * 4, mode="circular" if padding_mode == "circular" else "constant")
        return F.relu(F.conv2d(padded, layer.weight, layer.bias))

    x = F.max_pool2d(convolution(convolution(x, net.conv1), net.conv2), kernel_size=3, stride=3)
    x = F.max_pool2d(convolution(convolution(x, net.conv3), net.conv4), kernel_size=3, stride=3)
    return net.dense2(F.relu(net.dense1(x.flatten(1))))


@pytest.mark.parametrize("padding_mode", ["zeros", "circular"])
@pytest.mark.parametrize("extents", [(27, 27), (18, 18), (9, 36)])
def test_it_is_the_net_of_the_paper(extents, padding_mode):
    """Logits and every gradient, in float64, for odd and even extents."""
    torch.manual_seed(0)
    net = PhaseCNN(2, extents, 3, padding_mode=padding_mode).double().to(memory_format=torch.channels_last)
    x = torch.randn(4, 2, *extents, dtype=torch.float64, requires_grad=True)
    y = torch.tensor([0, 1, 2, 1])
    found, expected = net(x), layer_by_layer(net, x, padding_mode)
    torch.testing.assert_close(found, expected)
    inputs = [x, *net.parameters()]
    for mine, theirs in zip(
        torch.autograd.grad(F.cross_entropy(found, y), inputs),
        torch.autograd.grad(F.cross_entropy(expected, y), inputs),
        strict=True,
    ):
        torch.testing.assert_close(mine, theirs)


@pytest.mark.parametrize("padding_mode", ["zeros", "circular"])
@pytest.mark.parametrize("extents", [(81, 27), (27, 81), (36, 9)])
def test_rectangles_and_both_paddings(extents, padding_mode):
    net = PhaseCNN(2, extents, 3, padding_mode=padding_mode)
    shapes = jaxtyped(typechecker=beartype)(PhaseCNN.forward)
    assert shapes(net, torch.randn(2, 2, *extents)).shape == (2, 3)
    with pytest.raises(TypeCheckError):
        shapes(net, torch.randn(2, *extents))


def test_circular_padding_makes_it_blind_to_translations_by_nine_sites():
    torch.manual_seed(0)
    net = PhaseCNN(2, (27, 27), 3, padding_mode="circular").double()
    x = torch.randn(1, 2, 27, 27, dtype=torch.float64)
    features = nn.Sequential(net.conv1, nn.ReLU(), net.conv2, nn.ReLU(), nn.MaxPool2d(3), net.conv3, nn.ReLU())
    torch.testing.assert_close(features(x.roll(9, 2)), features(x).roll(3, 2))


@pytest.mark.parametrize(
    ("extents", "cure"), [((80, 81), r"\[81,81\]"), ((81, 4), r"\[81,9\]"), ((100, 40), r"\[99,36\]")]
)
def test_extents_not_divisible_by_nine_are_refused_with_the_nearest(extents, cure):
    with pytest.raises(UserError, match=cure):
        PhaseCNN(2, extents, 3)


def test_unknown_padding_is_refused():
    with pytest.raises(UserError, match="zeros or circular"):
        PhaseCNN(2, (27, 27), 3, padding_mode="reflect")  # type: ignore[arg-type]


def test_a_seed_fixes_the_weights():
    torch.manual_seed(5)
    first = PhaseCNN(2, (27, 27), 3).state_dict()
    torch.manual_seed(5)
    second = PhaseCNN(2, (27, 27), 3).state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)
