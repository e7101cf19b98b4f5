import numpy as np
import pytest
import torch
from torch import nn

from lattice_ml.explain.attribution import saliency
from lattice_ml.nets.phase_cnn import PhaseCNN
from lattice_ml.systems.active_ising.physics import ActiveIsing
from lattice_ml.tasks.classify_phase import ClassifyPhase

SYSTEM = ActiveIsing((9, 9))


class Linear(nn.Module):
    """S = w · I: its gradient is known."""

    def __init__(self) -> None:
        super().__init__()
        self.in_channels = 2
        self.dense = nn.Linear(2 * 81, 3)

    def forward(self, x):
        return self.dense(x.flatten(1))


def states() -> np.ndarray:
    return np.random.default_rng(0).poisson(1.5, (2, 9, 9)).astype(np.uint16)


@pytest.mark.parametrize(("phase", "row"), [("L+G", 1), (2, 2)])
def test_the_gradient_of_a_linear_net_is_its_weights_over_the_scale(phase, row):
    torch.manual_seed(0)
    task = ClassifyPhase(Linear(), SYSTEM)
    task.scale.copy_(torch.tensor([2.0, 5.0]))
    expected = task.net.dense.weight[row].view(2, 9, 9).abs() / torch.tensor([2.0, 5.0])[:, None, None]
    found = saliency(task, states(), phase)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected.detach().numpy(), rtol=1e-6)


def test_numpy_and_torch_states_agree_and_the_task_is_left_as_it_was():
    torch.manual_seed(0)
    task = ClassifyPhase(PhaseCNN(2, (9, 9), 3), SYSTEM).train()
    counts = torch.from_numpy(states().astype(np.int32))
    np.testing.assert_array_equal(saliency(task, states(), 0), saliency(task, counts, 0))
    assert task.training
    assert all(p.grad is None for p in task.parameters())


@pytest.mark.parametrize("phase", ["liquid", 3])
def test_unknown_phases_are_refused(phase):
    with pytest.raises((ValueError, IndexError)):
        saliency(ClassifyPhase(Linear(), SYSTEM), states(), phase)
