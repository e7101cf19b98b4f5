import numpy as np
import pytest
import torch
from torch import nn

from lattice_ml.explain.faithfulness import infidelity, randomised, rank_correlation, rectangles, sensitivity
from lattice_ml.explain.gallery import (
    AT_ONCE,
    METHODS,
    Background,
    attribute,
    background,
    completeness_error,
    last_convolution,
)
from lattice_ml.ground.errors import UserError
from lattice_ml.nets.lattice_cnn import LatticeCNN
from lattice_ml.nets.phase_cnn import PhaseCNN

LAYERS = [{"conv": 4, "kernel": 3}, "tanh", {"conv": 5, "kernel": 3}, "tanh", {"global_pool": "average"}, {"linear": 2}]


class Linear(nn.Module):
    """S_o = w_o . I: every attribution of it is known."""

    def __init__(self, extents: tuple[int, int] = (9, 6)) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.dense = nn.Linear(2 * extents[0] * extents[1], 3)

    def forward(self, x):
        return self.dense(x.flatten(1))


def inputs(extents: tuple[int, int] = (9, 6), seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).poisson(2.0, (3, 2, *extents)).astype(np.float32))


def test_a_linear_score_is_attributed_exactly() -> None:
    score, x, output = Linear(), inputs(), torch.tensor([0, 2, 1])
    ground = background(inputs(seed=1))
    weights = score.dense.weight[output].view(3, 2, 9, 6).detach()
    change = weights * (x - ground.field(x))
    torch.testing.assert_close(attribute("saliency", score, x, output, ground), weights)
    torch.testing.assert_close(attribute("smoothgrad", score, x, output, ground), weights)
    torch.testing.assert_close(
        attribute("integrated_gradients", score, x, output, ground), change, atol=1e-5, rtol=1e-4
    )
    assert completeness_error(score, x, output, ground).max() < 1e-4
    # Windows of one site along x and y: their change is that of both channels together.
    occluded = attribute("occlusion", score, x, output, ground)
    torch.testing.assert_close(occluded, change.sum(1, keepdim=True).expand_as(x), atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("extents", [(9, 9), (6, 2)])
def test_every_method_takes_nets_of_any_lattice_and_leaves_them_as_they_were(method, extents) -> None:
    torch.manual_seed(1)
    score = LatticeCNN(2, extents, 2, LAYERS).train()
    x = inputs(extents)
    found = attribute(method, score, x, torch.tensor([1]), background(x))
    assert found.shape == x.shape
    assert torch.isfinite(found).all()
    assert score.training
    assert not found.requires_grad
    again = attribute(method, score, x, torch.tensor([1]), background(x))
    torch.testing.assert_close(found, again, rtol=0, atol=0)


@pytest.mark.parametrize("method", METHODS)
def test_many_configurations_go_through_the_net_some_at_a_time(method) -> None:
    """Memory does not grow with the configurations asked for, and the maps are those of each alone."""
    torch.manual_seed(1)
    score, x = LatticeCNN(2, (6, 3), 2, LAYERS), torch.cat([inputs((6, 3), seed) for seed in range(50)])
    sizes: list[int] = []
    score.register_forward_pre_hook(lambda _, given: sizes.append(len(given[0])))
    output, ground = torch.arange(len(x)) % 2, background(x)
    found = attribute(method, score, x, output, ground)
    assert max(sizes) <= AT_ONCE < len(x)
    if method != "smoothgrad":  # whose noise is another in another batch
        last = attribute(method, score, x[-3:], output[-3:], ground)
        torch.testing.assert_close(found[-3:], last, atol=1e-5, rtol=1e-4)
    if method == "integrated_gradients":
        sizes.clear()
        assert completeness_error(score, x, output, ground).shape == (len(x),)
        assert max(sizes) <= AT_ONCE


def test_grad_cam_looks_at_the_last_convolution_or_is_refused() -> None:
    net = PhaseCNN(2, (9, 9), 3)
    assert last_convolution(net, inputs((9, 9))) is net.conv4
    with pytest.raises(UserError, match="Grad-CAM needs a convolution"):
        attribute("grad_cam", Linear(), inputs(), torch.tensor([0]), background(inputs()))
    with pytest.raises(UserError, match="there is no attribution 'guess'"):
        attribute("guess", Linear(), inputs(), torch.tensor([0]), background(inputs()))


def test_infidelity_is_zero_for_a_perfect_map_and_one_for_none() -> None:
    score, x, output = Linear(), inputs(), torch.tensor([0, 1, 2])
    ground = background(x)
    weights = attribute("saliency", score, x, output, ground)
    assert infidelity(score, x, output, weights, ground).max() < 1e-4
    torch.testing.assert_close(infidelity(score, x, output, torch.zeros_like(x), ground), torch.ones(3))
    other = torch.randn(x.shape, generator=torch.Generator().manual_seed(5))
    assert infidelity(score, x, output, other, ground).min() > 0.5


def test_sensitivity_tells_a_gradient_that_never_changes_from_one_that_does() -> None:
    x, output = inputs(), torch.tensor([0])
    ground = Background(torch.zeros(2), torch.ones(2))
    still = sensitivity(lambda net, z: attribute("saliency", net, z, output, ground), Linear(), x, ground)
    assert still.max() < 1e-5
    torch.manual_seed(0)
    moved = sensitivity(
        lambda net, z: attribute("saliency", net, z, output, ground), LatticeCNN(2, (9, 6), 2, LAYERS), x, ground
    )
    assert moved.shape == (3,)
    assert moved.min() > 1e-3


def test_weights_are_drawn_anew_from_the_output_back() -> None:
    torch.manual_seed(0)
    score = LatticeCNN(2, (9, 6), 2, LAYERS)
    before = {name: value.clone() for name, value in score.state_dict().items()}
    changed = []
    for name, net in randomised(score, seed=3):
        changed.append(
            (name, {key.rpartition(".")[0] for key, value in net.state_dict().items() if not value.equal(before[key])})
        )
    assert [name for name, _ in changed] == ["layers.5", "layers.2", "layers.0"]
    assert [layers for _, layers in changed] == [
        {"layers.5"},
        {"layers.5", "layers.2"},
        {"layers.5", "layers.2", "layers.0"},
    ]
    assert all(value.equal(before[key]) for key, value in score.state_dict().items())


def test_rank_correlations_and_rectangles() -> None:
    x = inputs()
    np.testing.assert_allclose(rank_correlation(x, -x), 1)
    np.testing.assert_array_equal(rank_correlation(x, torch.ones_like(x)), 0)
    masks = rectangles(torch.zeros(200, 2, 9, 6), np.random.default_rng(0)).numpy()
    for mask in masks:  # a product of an interval along x and one along y
        np.testing.assert_array_equal(mask, mask.any(1)[:, None] & mask.any(0)[None])
        assert 1 <= mask.any(1).sum() <= 4
        assert 1 <= mask.any(0).sum() <= 3
    np.testing.assert_allclose(masks.mean(0), 2.5 * 2 / 54, atol=5 * 0.3 / np.sqrt(200))
