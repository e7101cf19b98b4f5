"""A campaign on a device ends in the bits of a campaign on the CPU, whichever of them began it."""

import numpy as np
import pytest
from cuda_host.host import CudaHost

from lattice_ml.ensembles.generate import generate
from lattice_ml.ensembles.plan import Protocol, plan_grid
from lattice_ml.ensembles.store import done_chunks, open_ensemble
from lattice_ml.systems.active_ising.physics import ActiveIsing
from lattice_ml.systems.active_ising.sampler import ActiveIsingSampler
from lattice_ml.systems.ising.physics import Ising
from lattice_ml.systems.ising.sampler import IsingSampler

pytestmark = pytest.mark.cuda_host

PROTOCOL = Protocol(start="ordered", waiting=4.0, spacing=2.0, cold_spacing=4.0)
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
}


@pytest.mark.parametrize("case", CASES)
def test_a_store_is_the_same_on_both_devices(case, builds, tmp_path, monkeypatch):
    system, grid, make = CASES[case]
    plan = plan_grid("both", grid, 9, 2, 3, PROTOCOL)  # nine replicas: two chunks a point
    generate(system, make(), plan, tmp_path / "cpu", threads=1)
    sampler, calls = make(), []
    sampler.device = CudaHost(builds)
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
