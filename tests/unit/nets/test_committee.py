"""Nets of one kind at once: each is what it is alone, and its weights are its own."""

import copy

import pytest
import torch
from torch import nn

from lattice_ml.nets.committee import Committee
from lattice_ml.nets.phase_cnn import PhaseCNN
from lattice_ml.nets.phase_equivariant import PhaseEquivariant

EXTENTS = (18, 27)


def equivariant() -> PhaseEquivariant:
    return PhaseEquivariant(2, EXTENTS, 3, cell=3, filters=4, hidden=5)


def paper() -> PhaseCNN:
    return PhaseCNN(2, EXTENTS, 3, filters=2, hidden=4)


def inputs(count: int = 4, seed: int = 0) -> torch.Tensor:
    return torch.rand(count, 2, *EXTENTS, generator=torch.Generator().manual_seed(seed))


def same(one: nn.Module, other: nn.Module) -> bool:
    """Every weight and bias to the bit."""
    mine, theirs = one.state_dict(), other.state_dict()
    return mine.keys() == theirs.keys() and all(torch.equal(mine[name], theirs[name]) for name in mine)


@pytest.mark.parametrize("build", [equivariant, paper])
def test_it_is_the_stack_of_its_nets(build):
    committee, x = Committee.initialise(build, 3, seed=1), inputs()
    found = committee(x)
    assert found.shape == (3, 4, 3)
    for m in range(3):
        assert torch.equal(found[m], committee.member(m)(x))
    assert (committee.members, committee.template.outputs, committee.template.in_channels) == (3, 3, 2)
    assert not torch.equal(found[0], found[1])


def test_what_knows_no_weights_is_done_once_for_all(monkeypatch):
    asked, pattern = [], PhaseEquivariant.pattern
    monkeypatch.setattr(PhaseEquivariant, "pattern", lambda self, x: asked.append(len(x)) or pattern(self, x))
    Committee.initialise(equivariant, 3, seed=1)(inputs())
    assert asked == [4]


def test_the_weights_of_a_member_are_a_function_of_seed_and_member():
    before = torch.random.get_rng_state()
    three, five, other = (Committee.initialise(equivariant, *how) for how in ((3, 0), (5, 0), (3, 1)))
    assert torch.equal(before, torch.random.get_rng_state())
    for m in range(3):
        assert same(three.member(m), five.member(m))
        assert not same(three.member(m), other.member(m))
        assert not same(three.member(m), three.member((m + 1) % 3))
    torch.manual_seed(77)  # whatever was drawn before
    assert same(three, Committee.initialise(equivariant, 3, 0))


def test_gradients_stay_within_a_member():
    committee = Committee.initialise(paper, 3, seed=0)
    committee(inputs())[1].sum().backward()
    for m in range(3):
        gradients = [weight.grad for weight in committee.member(m).parameters()]
        assert any(own is not None and bool((own != 0).any()) for own in gradients) == (m == 1)


@pytest.mark.parametrize("which", [[True, False, True], [False] * 3, [True] * 3])
def test_adopting_copies_exactly_the_chosen(which):
    mine, theirs = Committee.initialise(equivariant, 3, 0), Committee.initialise(equivariant, 3, 1)
    was = copy.deepcopy(mine)
    mine.adopt(torch.tensor(which), theirs)
    for m, chosen in enumerate(which):
        assert same(mine.member(m), (theirs if chosen else was).member(m))
    if any(which):  # a copy, not a share: what they learn later is their own
        with torch.no_grad():
            for weight in theirs.parameters():
                weight.add_(1)
        chosen = which.index(True)
        assert not same(mine.member(chosen), theirs.member(chosen))


@pytest.mark.parametrize("build", [equivariant, paper])
def test_squares_are_those_of_weights_without_biases(build):
    committee = Committee.initialise(build, 2, seed=3)
    for m in range(2):
        own = [p.detach().double() for name, p in committee.member(m).named_parameters() if name.endswith("weight")]
        by_hand = sum(float((weight**2).sum()) for weight in own)
        assert float(committee.squares()[m].detach()) == pytest.approx(by_hand, rel=1e-5)
    # d/dw sum w² = 2 w, and nothing comes from a bias
    committee.squares()[0].backward()
    for name, p in committee.member(0).named_parameters():
        torch.testing.assert_close(p.grad if p.grad is not None else torch.zeros_like(p),
                                   2 * p.detach() if name.endswith("weight") else torch.zeros_like(p))  # fmt: skip


def test_squares_by_hand():
    net = nn.Sequential(nn.Conv2d(1, 1, (1, 2)), nn.ReLU(), nn.Flatten(), nn.Linear(2, 1))
    with torch.no_grad():
        net[0].weight.copy_(torch.tensor([3.0, -4.0]).view(1, 1, 1, 2))
        net[3].weight.copy_(torch.tensor([[1.0, 2.0]]))
        for layer in (net[0], net[3]):
            layer.bias.fill_(100.0)
    assert Committee([net]).squares().tolist() == [25 + 5]


def test_everywhere_changes_under_no_translation():
    """To the rounding of float32; forward alone sees where the cells lie."""
    committee, x = Committee.initialise(equivariant, 3, seed=2).requires_grad_(False), inputs(2)
    whole, placed = committee.everywhere(x), committee(x)
    size = float(whole.abs().max())
    off = 0.0
    for dx, dy in ((1, 0), (0, 1), (2, 1), (1, 2), (3, 0), (4, 5), (17, 26), (9, 13)):
        moved = torch.roll(x, (dx, dy), dims=(-2, -1))
        torch.testing.assert_close(committee.everywhere(moved), whole, rtol=0, atol=20 * 1.2e-7 * max(size, 1))
        off = max(off, float((committee(moved) - placed).abs().max()))
    assert off > 1e-4


def test_everywhere_is_the_mean_over_the_placements_of_the_cells():
    committee, x = Committee.initialise(equivariant, 2, seed=2).requires_grad_(False), inputs(2)
    placements = [committee(torch.roll(x, (a, b), dims=(-2, -1))) for a in range(3) for b in range(3)]
    torch.testing.assert_close(committee.everywhere(x), sum(placements) / 9)


def test_everywhere_is_forward_where_there_are_no_cells():
    committee, x = Committee.initialise(paper, 2, seed=0), inputs()
    assert torch.equal(committee.everywhere(x), committee(x))
