from typing import Any

import numpy as np
import pytest
import torch

from lattice_ml.explain.gallery import Background
from lattice_ml.explain.hidden import (
    activations,
    arithmetic,
    beyond,
    extent_of,
    lay_out,
    layers,
    maps,
    maximise,
    seen_sites,
    window,
)
from lattice_ml.ground.errors import UserError
from lattice_ml.nets.encoders import TorusEncoder
from lattice_ml.nets.lattice_cnn import LatticeCNN
from lattice_ml.nets.phase_cnn import PhaseCNN
from lattice_ml.nets.phase_equivariant import PhaseEquivariant
from lattice_ml.nets.receptive_field import receptive_field

LAYERS = [
    {"conv": 3, "kernel": 3}, "leaky_relu", {"pool": "max"}, {"conv": 4, "kernel": 3}, "leaky_relu",
    {"conv": 2, "kernel": 2}, {"global_pool": "average"}, {"linear": 2},
]  # fmt: skip


def inputs(n: int, channels: int, extents: tuple[int, int]) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(0).standard_normal((n, channels, *extents)).astype(np.float32))


@pytest.mark.parametrize(
    ("windows", "size"), [([], 1), ([(5, 1)], 5), ([(3, 1), (3, 1)], 5), ([(5, 1), (5, 1), (3, 3), (3, 1), (3, 1)], 23)]
)
def test_the_arithmetic_of_receptive_fields(windows, size) -> None:
    """The last is by hand: 1 + 4 + 4 + 2 + 2 * 3 + 2 * 3."""
    assert receptive_field(windows) == size


NETS = {
    "a list of layers": ((24, 24), lambda: LatticeCNN(2, (24, 24), 2, LAYERS)),
    "the paper's": ((27, 45), lambda: PhaseCNN(2, (27, 45), 3)),
    "an encoder": ((27, 45), lambda: TorusEncoder((2, 27, 45), filters=2).eval()),
}


@pytest.mark.parametrize("which", NETS)
def test_gradients_reach_as_far_as_the_arithmetic_says(which) -> None:
    torch.manual_seed(0)
    extents, build = NETS[which]
    net, x = build(), inputs(16, 2, extents)
    for name, shape in layers(net, x).items():
        if len(shape) == 3:
            most = arithmetic(net, name)
            assert most is not None
            expected = (min(most, extents[0]), min(most, extents[1]))
            sites = seen_sites(net, name, x)
            assert extent_of(sites) == expected, name
            assert beyond(sites, expected) == 0
            assert beyond(sites, (expected[0] - 1, expected[1])) > 0


def test_what_a_normalisation_sees_of_everything_falls_as_the_number_of_sites() -> None:
    """h_R = p_R / s with s² = <p²> of N numbers: a number elsewhere moves h_R by -h_R p / (N s²)."""
    torch.manual_seed(0)
    net, found = PhaseEquivariant(2, (24, 24), 3), []
    for extent in (24, 48):
        sites = seen_sites(net, "convolutions.0", inputs(8, 2, (extent, extent)))
        assert extent_of(sites) == (extent, extent)
        assert arithmetic(net, "convolutions.0") == 9
        found.append(beyond(sites, (9, 9)))
    assert found[0] / found[1] == pytest.approx(4, rel=0.5)  # extremes of random fields besides 1 / N


def test_a_layer_of_a_net_in_a_net_knows_its_windows_and_others_do_not() -> None:
    whole = torch.nn.ModuleDict({"net": PhaseCNN(2, (9, 9), 3), "other": torch.nn.Conv2d(2, 2, 3)})
    assert arithmetic(whole, "net.conv4") == 23
    assert arithmetic(whole, "other") is None


def test_watching_a_net_changes_nothing_and_knows_every_layer() -> None:
    torch.manual_seed(0)
    net, x = PhaseCNN(2, (9, 9), 3).eval(), inputs(5, 2, (9, 9))
    before = net(x)
    shapes = layers(net, x)
    assert shapes == {
        "conv1": (6, 9, 9), "conv2": (6, 9, 9), "conv3": (6, 3, 3), "conv4": (6, 3, 3), "dense1": (16,), "dense2": (3,),
    }  # fmt: skip
    np.testing.assert_allclose(activations(net, x, "dense2"), before.detach().numpy(), rtol=1e-5)
    first = torch.nn.functional.conv2d(x[:1], net.conv1.weight, net.conv1.bias, padding=2)
    np.testing.assert_allclose(maps(net, x)["conv1"], first[0].detach().numpy(), atol=1e-5)
    assert activations(net, x, "conv3").shape == (5, 6)
    torch.testing.assert_close(net(x), before, rtol=0, atol=0)
    with pytest.raises(UserError, match="no layer 'conv9'"):
        activations(net, x, "conv9")


def test_a_linear_filter_waits_for_its_own_weights_signs() -> None:
    """The maximum of w . I over the box [low, high] is at the corners, high where w > 0; elsewhere nothing pulls."""
    net = LatticeCNN(1, (9, 9), 1, [{"conv": 2, "kernel": 3}, {"global_pool": "average"}, {"linear": 1}])
    weight = torch.tensor([[1.0, -2, 1], [-1, 3, -1], [2, -1, 1]])
    convolution: Any = net.layers[0]
    with torch.no_grad():
        convolution.weight[1, 0] = weight
    bounds = torch.tensor([-2.0]), torch.tensor([2.0])
    picture, value = maximise(net, "layers.0", 1, (9, 9), Background(torch.zeros(1), torch.ones(1)), *bounds)
    np.testing.assert_allclose(picture[0, 3:6, 3:6], 2 * np.sign(weight.numpy()))
    assert value == pytest.approx(2 * float(weight.abs().sum() + convolution.bias[1].detach() / 2), rel=1e-4)
    assert np.abs(picture[0, :2]).max() < 0.6
    assert all(parameter.grad is None for parameter in net.parameters())


@pytest.mark.parametrize("plane", ["pca", "tsne"])
def test_two_clusters_stay_apart_in_a_plane(plane) -> None:
    rng = np.random.default_rng(0)
    values = rng.standard_normal((60, 5)) + 20 * (np.arange(60) % 2)[:, None]
    laid = lay_out(values, plane)
    near, far = (np.linalg.norm(laid[::2].mean(0) - laid[k::2], axis=1) for k in (0, 1))
    assert near.max() < far.min()
    with pytest.raises(UserError, match="fewer than two units"):
        lay_out(np.stack((values[:, 0], np.ones(60)), axis=1), plane)


def test_the_box_of_a_field_wraps_around_the_torus() -> None:
    sites = np.zeros((8, 6))
    sites[[7, 0, 1], :] = np.array([0, 1, 1, 0, 0, 0])
    assert extent_of(sites) == (3, 2)
    rows, columns = window(sites, (3, 2))
    assert (rows.tolist(), columns.tolist()) == ([7, 0, 1], [1, 2])
    sites[4, 4] = 0.25
    assert beyond(sites, (3, 2)) == 0.25
    assert extent_of(np.zeros((4, 4))) == (0, 0)
