"""Scans: which points belong together, and their averages."""

import numpy as np

from lattice_ml.phases.scan import scans_of


def test_points_of_one_density_are_a_scan():
    points = [{"T": 0.5, "rho0": 3.0}, {"T": 0.3, "rho0": 1.0}, {"T": 0.3, "rho0": 3.0}]
    probabilities = np.arange(3.0).reshape(3, 1, 1, 1)
    low, high = scans_of(points, probabilities, "T")
    assert (low.place, high.place) == ({"rho0": 1.0}, {"rho0": 3.0})
    assert high.control.tolist() == [0.3, 0.5]
    assert high.mean[:, 0].tolist() == [2.0, 0.0]


def test_a_system_of_one_parameter_has_one_scan():
    (scan,) = scans_of([{"T": 2.4}, {"T": 2.2}], np.zeros((2, 3, 4, 2)), "T")
    assert scan.place == {}
    assert scan.control.tolist() == [2.2, 2.4]
    assert scan.error.shape == (2, 2)
