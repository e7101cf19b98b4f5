"""From the rules to named phases, on a scan whose phases are known beforehand."""

import numpy as np
import pytest
import xarray as xr

from lattice_ml.phases.embed import embed
from lattice_ml.phases.label import name_clusters
from lattice_ml.systems.active_ising.physics import ActiveIsing
from lattice_ml.systems.active_ising.sampler import ActiveIsingSampler
from lattice_ml.systems.sampler import Lane

# Well inside the phases: at rho0 = 3 and Lx = 81 the band lives between T = 0.42 and T = 0.63 or so.
SCAN = {"L": (0.24, 0.30, 0.36), "L+G": (0.48, 0.52, 0.56), "G": (0.70, 0.80, 0.90)}
REPLICAS, SAMPLES = 4, 6


@pytest.mark.slow
@pytest.mark.statistical
def test_a_sampled_scan_is_named_without_labels():
    system, sampler = ActiveIsing(extents=(81, 27)), ActiveIsingSampler()
    temperatures = [t for values in SCAN.values() for t in values]
    times = tuple(500.0 + 100 * k for k in range(SAMPLES))
    blocks = [
        sampler.sample(
            system, [Lane({"T": t, "rho0": 3.0}, r, times) for r in range(REPLICAS)], 11, "band", lambda work: None
        )
        for t in temperatures
    ]
    ensemble = xr.Dataset(
        {"configurations": (("point", "replica", "sample", "species", "x", "y"), np.stack(blocks))},
        coords={"T": ("point", temperatures), "rho0": ("point", [3.0] * len(temperatures))},
    )
    labels = name_clusters(embed(ensemble, system), ensemble, system)
    assert labels.labels[:, 0, 0].tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    # Every trajectory is in its phase: the transitions are the middles of the gaps, the errors those of a uniform law.
    lower, upper = labels.transitions
    assert lower["value"] == pytest.approx(0.42, abs=0.01)
    assert upper["value"] == pytest.approx(0.63, abs=0.01)
    assert lower["error"] == pytest.approx(0.12 / np.sqrt(12), rel=0.1)
    assert upper["error"] == pytest.approx(0.14 / np.sqrt(12), rel=0.1)
    # And hardly any configuration looks like another phase than its temperature says.
    assert (labels.phase == labels.labels).mean() > 0.99
