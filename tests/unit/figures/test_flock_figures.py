"""The figures of a flock's physics: drawn from what their .npz holds, with gaps where nothing is known."""

import numpy as np
import pytest
from matplotlib.image import imread

from lattice_ml import figures
from lattice_ml.figures.flocks import (
    activity,
    band_profiles,
    band_speed,
    binodals,
    correlation_times,
    density_histograms,
    hysteresis,
    number_fluctuations,
)

RNG = np.random.default_rng(4)
T = np.array([0.45, 0.5, 0.55])

CASES = {
    "binodals": (
        binodals.draw,
        {
            "T": T,
            "low": [0.7, 1.0, 1.3],
            "low_error": np.full(3, np.nan),
            "high": [4.5, 5.3, 6.3],
            "high_error": np.full(3, 0.1),
        },
    ),
    "band_profiles": (
        band_profiles.draw,
        {
            "profiles": RNG.random((3, 2, 40)),
            "errors": np.full((3, 2, 40), np.nan),
            "T": T,
            "place": [3.0, 3.0, 4.0],
            "place_name": "rho0",
        },
    ),
    "band_speed": (
        band_speed.draw,
        {
            "T": T,
            "speed": [2.0, 2.1, 2.2],
            "speed_error": [0.1, np.nan, 0.1],
            "predicted": [2.0, np.nan, 2.2],
            "predicted_error": [0.1, np.nan, np.nan],
            "width_T": T,
            "share": [0.6, 0.4, 0.3],
            "share_error": np.full(3, np.nan),
            "lever": [0.6, 0.45, 0.3],
        },
    ),
    "density_histograms": (
        density_histograms.draw,
        {"edges": np.linspace(0, 6, 21), "density": RNG.random((3, 20)), "T": T, "cell": 9, "mean": 3.0},
    ),
    "number_fluctuations": (
        number_fluctuations.draw,
        {
            "mean": [3.0, 12.0, 48.0],
            "variance": [[3.0, 12.0, 48.0], [3.0, 20.0, 200.0]],
            "error": np.full((2, 3), np.nan),
            "T": T[:2],
            "exponent": [1.0, np.nan],
            "exponent_error": [0.01, np.nan],
        },
    ),
    "hysteresis": (
        hysteresis.draw,
        {
            "T": [T, [0.45, 0.5, np.nan]],
            "means": RNG.random((2, 3, 3)),
            "errors": np.full((2, 3, 3), np.nan),
            "starts": ["band", "random"],
            "names": ["order", "band amplitude", "lane amplitude"],
        },
    ),
    "activity": (
        activity.draw,
        {
            "activity": [3.24, 1.44],
            "low": [0.41, np.nan],
            "low_error": [0.01, np.nan],
            "high": [0.64, 0.65],
            "high_error": [0.01, np.nan],
            "label": ["eps = 0.9, D = 1", "eps = 0.6, D = 1"],
            "theory_activity": [0.1, 3.5],
            "theory_low": [0.67, 0.55],
            "theory_high": [0.69, 0.69],
            "place": 3.0,
            "place_name": "rho0",
        },
    ),
    "correlation_times": (
        correlation_times.draw,
        {
            "T": T,
            "tau": [[5.0, 6.0, 7.0], [40.0, 90.0, 30.0]],
            "error": [[1.0, 1.0, 1.0], [8.0, np.inf, 5.0]],
            "names": ["order", "band mode"],
            "resolution": np.full(3, 2.0),
            "spacing": np.full(3, 100.0),
        },
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_figure_is_drawn_from_its_saved_arrays(tmp_path, name):
    draw, arrays = CASES[name]
    picture = figures.save(tmp_path, name, arrays, draw)
    pixels = imread(picture)[..., :3]
    assert min(pixels.shape[:2]) > 400
    assert 0.01 < (pixels < 0.98).any(axis=-1).mean() < 0.95


def test_lower_bounds_are_open_symbols():
    draw, arrays = CASES["correlation_times"]
    figure = draw({key: np.asarray(value) for key, value in arrays.items()})
    open_symbols = [line for line in figure.axes[0].get_lines() if line.get_markerfacecolor() == "white"]
    assert sorted(x for line in open_symbols for x in line.get_xdata()) == [0.5]


def test_a_start_with_fewer_temperatures_has_fewer_points():
    draw, arrays = CASES["hysteresis"]
    figure = draw({key: np.asarray(value) for key, value in arrays.items()})
    lines = [line for line in figure.axes[0].get_lines() if line.get_marker() in ("o", "s")]
    assert sorted(len(line.get_xdata()) for line in lines) == [2, 3]
