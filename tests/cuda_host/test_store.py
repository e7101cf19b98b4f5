"""A campaign on a device ends in the bits of a campaign on the CPU, whichever of them began it."""

import numpy as np
import pytest
import torch

from lattice_ml.ensembles.generate import generate
from lattice_ml.ensembles.plan import Protocol, plan_grid
from lattice_ml.ensembles.store import done_chunks, open_ensemble
from lattice_ml.kernels.device import to_torch
from lattice_ml.systems.active_ising.physics import ActiveIsing
from lattice_ml.systems.active_ising.sampler import ActiveIsingSampler
from lattice_ml.systems.complex_scalar.physics import ComplexScalar
from lattice_ml.systems.complex_scalar.pilot import Pilot
from lattice_ml.systems.complex_scalar.sampler import ComplexScalarSampler
from lattice_ml.systems.ising.physics import Ising
from lattice_ml.systems.ising.sampler import IsingSampler
from lattice_ml.systems.sampler import Lane

pytestmark = pytest.mark.cuda_host

PROTOCOL = Protocol(start="ordered", waiting=4.0, spacing=2.0, cold_spacing=4.0)


def worm_sampler():
    sampler = ComplexScalarSampler("worm", "cpu")
    sampler._pilot = lambda system, point: Pilot("worm", 0.0, 3, 2, 1.0)
    return sampler


CASES = {
    "exact": (
        ActiveIsing((9, 6)),
        {"T": [0.3, 0.5, 0.7], "rho0": [1.0, 3.0]},
        lambda: ActiveIsingSampler("exact", "cpu"),
    ),
    "sublattice": (
        ActiveIsing((9, 6)),
        {"T": [0.3, 0.7], "rho0": [3.0]},
        lambda: ActiveIsingSampler("sublattice", "cpu", domain=(3, 3), window=0.5),
    ),
    "ising": (Ising((9, 6)), {"T": [1.5, 2.3, 3.0]}, lambda: IsingSampler("cpu")),
    "worm": (ComplexScalar((5, 4)), {"eta": [4.01], "mu": [0.9, 1.5], "worms": [0, 2]}, worm_sampler),
}
PROTOCOLS = {"worm": Protocol(start="hot_and_cold", waiting=4.0, spacing=1.0)}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("device", ["forward", pytest.param("cuda", marks=pytest.mark.cuda)], indirect=True)
def test_a_store_is_the_same_on_both_devices(case, device, tmp_path, monkeypatch):
    system, grid, make = CASES[case]
    plan = plan_grid("both", grid, 9, 2, 3, PROTOCOLS.get(case, PROTOCOL))  # nine replicas: two chunks a point
    generate(system, make(), plan, tmp_path / "cpu", threads=1)
    sampler, calls = make(), []
    sampler.device = device
    honest = sampler.sample
    monkeypatch.setattr(sampler, "sample", lambda *given: calls.append(len(given[1])) or honest(*given))
    generate(system, sampler, plan, tmp_path / "device", threads=2)
    assert max(calls) > 9  # points share a launch
    expected = open_ensemble(tmp_path / "cpu")["configurations"].values
    assert np.array_equal(open_ensemble(tmp_path / "device")["configurations"].values, expected)
    # A store that the CPU began goes on here: the device is no part of its identity.
    for number in (0, 1):
        (tmp_path / "cpu" / "configurations" / f"c.1.{number}.0.0.0.0").unlink()
    generate(system, sampler, plan, tmp_path / "cpu")
    assert len(done_chunks(tmp_path / "cpu")) == 2 * len(plan.points)
    assert np.array_equal(open_ensemble(tmp_path / "cpu")["configurations"].values, expected)


@pytest.mark.cuda
@pytest.mark.parametrize("device", ["cuda"], indirect=True)
def test_torch_sees_the_sampler_s_memory(device):
    """On a stream of torch's own: what was sampled there is there, not copied."""
    system, sampler = ActiveIsing((9, 6)), ActiveIsingSampler("exact", "cuda")
    lanes = [Lane({"T": 0.5, "rho0": 3.0}, replica, (4.0, 8.0)) for replica in range(3)]
    with torch.cuda.stream(torch.cuda.Stream()):
        states = sampler.sample(system, lanes, 1, "band", lambda work: None)
        tensor = to_torch(states)
        assert tensor.is_cuda
        assert tensor.data_ptr() == states.data.ptr
        channels = system.to_channels(tensor).cpu()
    expected = ActiveIsingSampler("exact", "cpu").sample(system, lanes, 1, "band", lambda work: None)
    assert torch.equal(channels, system.to_channels(to_torch(expected)))
