"""The hand-set nets answer exactly, so the floor of every task is zero."""

from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from torch.nn import functional as F

from lattice_ml.nets.equivariance import equivariance_error
from lattice_ml.nets.lattice_cnn import LatticeCNN
from lattice_ml.nets.members import Members
from lattice_ml.nets.oracle import set_counting, set_detection, set_regression
from lattice_ml.systems.complex_scalar.physics import ComplexScalar

FLUX = Path(__file__).parents[3] / "conf" / "model" / "flux"
TORI = [(60, 4), (50, 2), (5, 100), (2, 2), (64, 64)]


def oracle(name: str, outputs: int) -> LatticeCNN:
    return LatticeCNN(4, (8, 8), outputs, yaml.safe_load((FLUX / f"oracle_{name}.yaml").read_text())["layers"])


def states(extents: tuple[int, int], count: int = 8) -> np.ndarray:
    """Any integers will do: the observables are defined whether flux is conserved or not."""
    rng = np.random.default_rng(0)
    k = rng.poisson(0.7, (count, 2, *extents)) - rng.poisson(0.7, (count, 2, *extents))
    return np.concatenate([k, rng.poisson(0.8, k.shape)], axis=1).astype(np.int16)


def closed(extents: tuple[int, int], count: int = 8) -> np.ndarray:
    """Flux of random plaquettes, which is conserved, and random l."""
    rng = np.random.default_rng(1)
    p, result = rng.integers(-2, 3, (count, *extents)), states(extents, count)
    result[:, 0] = p - np.roll(p, 1, axis=-1)
    result[:, 1] = np.roll(p, 1, axis=-2) - p
    return result


@pytest.mark.parametrize("extents", TORI)
@pytest.mark.parametrize(("eta", "lam"), [(4.01, 1.0), (4.25, 0.5)])
def test_regression(extents, eta, lam):
    system, drawn = ComplexScalar(extents, lam), states(extents)
    known = system.observables(drawn, {"eta": eta, "mu": 1.0})
    net = set_regression(oracle("regress", 2), eta, lam)
    x = system.to_channels(torch.from_numpy(drawn))
    for found in (net(x), Members([net])(x)[0]):
        # float32 carries 24 bits; the kinks' partial sums are some ten times larger than |phi|².
        np.testing.assert_allclose(found[:, 0].detach(), known["n"], rtol=0, atol=2e-6)
        np.testing.assert_allclose(found[:, 1].detach(), known["phi2"], rtol=0, atol=5e-6)


@pytest.mark.parametrize("extents", TORI)
def test_detection(extents):
    system = ComplexScalar(extents)
    whole, broken = closed(extents), closed(extents)
    assert not system.observables(whole)["violations"].any()
    broken[:, 0, 0, 0] += 1
    x = system.to_channels(torch.from_numpy(np.concatenate([whole, broken])))
    y = torch.arange(16) >= 8
    logit = set_detection(oracle("detect", 1))(x)[:, 0]
    assert torch.equal(logit > 0, y)
    assert F.binary_cross_entropy_with_logits(logit, y.float()) < 1e-20


@pytest.mark.parametrize("extents", TORI)
def test_counting(extents):
    system, drawn = ComplexScalar(extents), states(extents)
    known = system.observables(drawn)["violations"]
    found = set_counting(oracle("count", 1))(system.to_channels(torch.from_numpy(drawn)))[:, 0].detach()
    np.testing.assert_allclose(found, known, rtol=1e-6)
    assert set_counting(oracle("count", 1))(system.to_channels(torch.from_numpy(closed(extents)))).abs().max() == 0


def test_oracles_are_equivariant():
    x = torch.from_numpy(states((8, 8))).float()
    for net in (set_regression(oracle("regress", 2), 4.01, 1.0), set_counting(oracle("count", 1))):
        assert equivariance_error(net, x).relative < 1e-5


def test_only_an_oracles_layers_are_set():
    for wrong in (oracle("regress", 2), oracle("detect", 1)):
        with pytest.raises(ValueError, match="not the layers of an oracle"):
            set_counting(wrong)
