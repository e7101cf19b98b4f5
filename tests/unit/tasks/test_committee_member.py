"""One net of a committee says alone what the committee says of it."""

import numpy as np
import torch

from lattice_ml.nets.committee import Committee
from lattice_ml.nets.phase_equivariant import PhaseEquivariant
from lattice_ml.systems.active_ising.physics import ActiveIsing
from lattice_ml.tasks.classify_committee import ClassifyCommittee
from lattice_ml.tasks.committee_member import CommitteeMember

EXTENTS = (12, 8)


def committee(cell: int) -> ClassifyCommittee:
    system = ActiveIsing(EXTENTS)
    net = Committee.initialise(lambda: PhaseEquivariant(2, EXTENTS, 3, cell, filters=4, hidden=5), 3, seed=1)
    task = ClassifyCommittee(net, system).eval()
    task.best_loss.copy_(torch.tensor([0.3, 0.2, 0.4]))
    task.unit.copy_(torch.tensor([1.5, 2.5]))
    return task


def states() -> np.ndarray:
    return np.random.default_rng(3).poisson(2.0, (300, 2, *EXTENTS)).astype(np.uint16)


def test_it_is_the_member_of_the_best_validation_loss() -> None:
    task = committee(cell=1)
    alone = CommitteeMember(task).eval().probabilities(states())
    together = task.probabilities(states())
    np.testing.assert_allclose(alone, together[1], atol=1e-6)
    assert np.abs(alone - together[0]).max() > 1e-3


def test_it_is_the_member_that_is_asked_for() -> None:
    task = committee(cell=1)
    np.testing.assert_allclose(
        CommitteeMember(task, 2).probabilities(states()), task.probabilities(states())[2], atol=1e-6
    )


def test_its_score_has_a_gradient_in_the_configuration() -> None:
    member = CommitteeMember(committee(cell=2)).eval()
    x = torch.rand(2, 2, *EXTENTS, requires_grad=True)
    (slope,) = torch.autograd.grad(member(x)[:, 0].sum(), x)
    assert slope.shape == x.shape
    assert (slope.abs().amax(dim=(1, 2, 3)) > 0).all()
