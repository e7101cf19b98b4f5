"""The net of cells: what it does not see (translations of the cells, the density, the torus), and how far it sees."""

import pytest
import torch
from beartype import beartype
from jaxtyping import jaxtyped
from torch.nn import functional as F

from lattice_ml.ground.errors import UserError
from lattice_ml.nets.phase_equivariant import PhaseEquivariant, _wrap
from lattice_ml.nets.receptive_field import receptive_field


def net(extents=(27, 36), cell=3, filters=4, hidden=6) -> PhaseEquivariant:
    torch.manual_seed(0)
    return PhaseEquivariant(2, extents, 3, cell, filters, hidden).double().requires_grad_(False)


def flock(count: int, extents: tuple[int, int], seed: int = 0) -> torch.Tensor:
    """Magnetisation and density of random flocks, the density positive."""
    plus, minus = torch.rand(2, count, *extents, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    return torch.stack((plus - minus, plus + minus), dim=1)


def step_by_step(net: PhaseEquivariant, x: torch.Tensor) -> torch.Tensor:
    """The docstring written down once more, site by site where it matters: sums over rolled arrays, no convolution."""
    c = net.cell
    cells = sum(x[..., a::c, b::c] for a in range(c) for b in range(c)) / c**2
    h = cells / (cells**2).flatten(1).mean(dim=1).sqrt()[:, None, None, None]
    for layer, d in zip(net.convolutions, (1, 2, 4), strict=True):
        weight, taps = layer.weight, torch.zeros_like(h[:, :1]).expand(-1, layer.out_channels, -1, -1)
        for i in range(3):
            for j in range(3):
                neighbour = torch.roll(h, (d * (1 - i), d * (1 - j)), dims=(-2, -1))
                taps = taps + torch.einsum("oc,bcxy->boxy", weight[:, :, i, j], neighbour)
        h = F.relu(taps + layer.bias[:, None, None])
    pooled = torch.cat((h.mean(dim=(2, 3)), h.flatten(2).max(dim=2).values), dim=1)
    return net.dense2(F.relu(net.dense1(pooled)))


@pytest.mark.parametrize(("extents", "cell"), [((27, 36), 3), ((15, 12), 3), ((8, 10), 2), ((9, 4), 1)])
def test_it_is_what_its_docstring_says(extents, cell):
    own, x = net(extents, cell), flock(3, extents)
    torch.testing.assert_close(own(x), step_by_step(own, x))


@pytest.mark.parametrize("reach", [1, 2, 4])
def test_wrapping_is_the_padding_of_a_torus(reach):
    h = flock(2, (4, 9))
    assert torch.equal(_wrap(h, reach), F.pad(h, (reach,) * 4, mode="circular"))


def test_types_and_shapes():
    own = net().float()
    found = jaxtyped(typechecker=beartype)(PhaseEquivariant.forward)(own, flock(5, (27, 36)).float())
    assert (found.shape, found.dtype) == ((5, 3), torch.float32)
    assert (own.in_channels, own.outputs, own.cell) == (2, 3, 3)


def test_it_does_not_see_a_translation_by_cells():
    own, x = net(), flock(2, (27, 36))
    expected = own(x)
    for dx, dy in ((3, 0), (0, 3), (9, 33), (24, 6)):
        torch.testing.assert_close(own(torch.roll(x, (dx, dy), dims=(-2, -1))), expected)
    assert (own(torch.roll(x, 1, dims=-1)) - expected).abs().max() > 1e-6


def test_it_does_not_see_the_density():
    own, x = net(), flock(3, (27, 36))
    for c in (1e-3, 0.2, 3.0, 500.0):
        torch.testing.assert_close(own(c * x), own(x))
    each = torch.tensor([0.5, 1.0, 7.0], dtype=torch.float64)[:, None, None, None]
    torch.testing.assert_close(own(each * x), own(x))  # of each configuration by itself
    assert (own(x * torch.tensor([2.0, 1.0])[:, None, None]) - own(x)).abs().max() > 1e-6  # but it sees m / rho


def test_an_empty_lattice_is_an_answer_too():
    assert torch.isfinite(net()(torch.zeros(1, 2, 27, 36, dtype=torch.float64))).all()


@pytest.mark.parametrize("extents", [(12, 12), (81, 15), (27, 72), (162, 162)])
def test_one_net_serves_every_torus_of_whole_cells(extents):
    """A torus that is a repetition of a smaller one is told what the smaller one is: means and maxima are the same."""
    own = net((27, 36))
    assert own(flock(1, extents)).shape == (1, 3)
    x = flock(2, (27, 36))
    torch.testing.assert_close(own(x.repeat(1, 1, 2, 3)), own(x))


@pytest.mark.parametrize(
    ("extents", "cell", "sentence"),
    [
        ((28, 36), 3, "multiples of 3 of at least 12"),
        ((27, 35), 3, "multiples of 3"),
        ((9, 36), 3, "of at least 12"),
        ((4, 3), 1, "multiples of 1 of at least 4"),
    ],
)
def test_other_tori_are_refused(extents, cell, sentence):
    with pytest.raises(UserError, match=sentence):
        net(extents, cell)
    with pytest.raises(UserError, match=sentence):
        net((36, 36), cell)(flock(1, extents))


@pytest.mark.parametrize("cell", [1, 3])
def test_windows_are_those_that_gradients_reach(cell):
    """At a fixed mean square (which every site changes a little): the sites of the cells that a convolution sees."""
    extents = (21 * cell, 18 * cell)
    own = net(extents, cell)
    for number, cells in enumerate((3, 7, 15)):
        name = f"convolutions.{number}"
        assert receptive_field(own.windows(name)) == cells * cell
        seen = torch.zeros(extents, dtype=torch.float64)
        for seed in range(3):
            x = flock(1, extents, seed).requires_grad_()
            h = F.avg_pool2d(x, cell)
            h = h / h.detach().square().mean().sqrt()
            for layer, d in list(zip(own.convolutions, own.DILATIONS, strict=True))[: number + 1]:
                h = layer(F.pad(F.relu(h) if layer is not own.convolutions[0] else h, (d,) * 4, mode="circular"))
            (gradient,) = torch.autograd.grad(h[0, :, 10, 9].abs().sum(), x)
            seen = torch.maximum(seen, gradient.abs().amax(dim=(0, 1)))
        reach = cells // 2
        box = torch.zeros(extents, dtype=torch.bool)
        box[(10 - reach) * cell : (11 + reach) * cell, (9 - reach) * cell : (10 + reach) * cell] = True
        assert (seen[~box] == 0).all()
        assert (seen[box].view(cells * cell, -1)[[0, -1]] > 0).any(dim=1).all()
        assert (seen[box].view(cells * cell, -1)[:, [0, -1]] > 0).any(dim=0).all()
