from pathlib import Path

import pytest
import torch
import yaml

from lattice_ml.nets.equivariance import equivariance_error
from lattice_ml.nets.lattice_cnn import LatticeCNN
from lattice_ml.nets.members import Members

FLUX = Path(__file__).parents[3] / "conf" / "model" / "flux"


def net(name: str) -> LatticeCNN:
    torch.manual_seed(3)
    layers = yaml.safe_load((FLUX / f"{name}.yaml").read_text())["layers"]
    return LatticeCNN(4, (8, 8), 1 if "_" in name else 2, layers)


X = torch.randint(-2, 3, (5, 4, 8, 8), generator=torch.Generator().manual_seed(0)).float()


@pytest.mark.parametrize("name", ["eq", "detect_eq", "count_eq_1", "count_eq_2", "count_eq_3"])
def test_eq_does_not_change_when_its_input_is_shifted(name):
    for kind in (net(name), Members([net(name), net(name)])):
        assert equivariance_error(kind, X).relative < 1e-5
    assert equivariance_error(net(name).double(), X.double()).relative < 1e-12


@pytest.mark.parametrize("name", ["st", "detect_st", "count_st_1", "fl", "detect_fl", "count_fl_1"])
def test_st_and_fl_do(name):
    assert equivariance_error(net(name), X).relative > 1e-4


def test_st_knows_shifts_by_whole_cells_of_its_pool():
    error = equivariance_error(net("st"), X)
    assert error.map.shape == (8, 8, 2)
    assert (error.map[::2, ::2] / error.scale).max() < 1e-5
    assert (error.map[1, 1] / error.scale).max() > 1e-4


def test_the_map_is_the_largest_difference():
    weight = torch.arange(64.0).reshape(1, 8, 8) / 100

    def read(x: torch.Tensor) -> torch.Tensor:
        return (x[:, :1] * weight).sum((-2, -1))

    error = equivariance_error(read, X)
    expected = (read(X.roll((3, 5), (-2, -1))) - read(X)).abs().max()
    torch.testing.assert_close(error.map[3, 5, 0].float(), expected)
    assert error.map[0, 0, 0] == 0
    assert error.relative == pytest.approx(float(error.map.max() / read(X).square().mean().sqrt()), rel=1e-5)
