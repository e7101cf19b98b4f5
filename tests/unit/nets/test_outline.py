"""What nets say of themselves."""

import pytest
from torch import nn

from lattice_ml.nets.outline import outline, total, units
from lattice_ml.nets.phase_cnn import PhaseCNN


@pytest.mark.parametrize("padding", ["zeros", "circular"])
def test_the_paper_s_net_step_by_step(padding):
    net = PhaseCNN(2, (81, 81), 3, padding_mode=padding)
    steps = outline(net, 2, (81, 81))
    told = [(step.operation, step.shape, step.parameters) for step in steps]
    assert told == [
        ("input", (2, 81, 81), 0),
        ("convolution 5 × 5", (6, 81, 81), 306),
        ("convolution 5 × 5", (6, 81, 81), 906),
        ("max pool 3 × 3", (6, 27, 27), 0),
        ("convolution 3 × 3", (6, 27, 27), 330),
        ("convolution 3 × 3", (6, 27, 27), 330),
        ("max pool 3 × 3", (6, 9, 9), 0),
        ("flatten", (486,), 0),
        ("dense", (16,), 7792),
        ("dense", (3,), 51),
    ]
    assert total(steps) == 32 * 81**2 // 27 + 1939 == sum(p.numel() for p in net.parameters())
    assert [step.activations for step in steps].count(("relu",)) == 5
    assert units(steps[1]) == 6 * 81**2


def test_any_net_of_modules_and_a_parameter_that_is_shared():
    shared = nn.Conv2d(4, 4, 3, padding=1)
    net = nn.Sequential(nn.Conv2d(2, 4, 3, padding=1), nn.GELU(), shared, shared, nn.AdaptiveAvgPool2d(1), nn.Flatten())
    steps = outline(net, 2, (8, 8))
    assert [step.operation for step in steps][-2:] == ["adaptive avg pool 1 × 1", "flatten"]
    assert steps[1].activations == ("gelu",)
    assert [step.parameters for step in steps[1:4]] == [76, 148, 0]


def test_parameters_that_no_step_takes_are_an_error():
    class Odd(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(nn.init.ones_(nn.Linear(1, 3).weight)[:, 0].detach())

        def forward(self, x):
            return x.mean(dim=(1, 2, 3))[:, None] * self.scale

    with pytest.raises(ValueError, match="3 parameters of Odd"):
        outline(Odd(), 2, (4, 4))
