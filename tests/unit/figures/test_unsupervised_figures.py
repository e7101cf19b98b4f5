"""The figures of the workflow without labels, and those of kernels and architectures: drawn from what their .npz
holds."""

import numpy as np
import pytest
from matplotlib.image import imread

from lattice_ml import figures
from lattice_ml.figures.nets import architecture, kernels
from lattice_ml.figures.phases import back_projection, principal_curves, principal_planes, shot_noise, transitions

RNG = np.random.default_rng(4)
T = np.linspace(0.2, 1.0, 17)
COEXISTING = (T > 0.4) & (T < 0.65)
FRACTION = np.where(COEXISTING, 1.5 - 2 * T, np.nan)
PLACE = {"place": 3.0, "place_name": "rho0"}

CASES = {
    "shot_noise": (
        shot_noise.draw,
        {
            "eigenvalues": np.geomspace(2e4, 0.3, 200),
            "noise": np.linspace(15, 0.3, 199),
            "level": 3.0,
            "blocks": ["1 site", "3 × 3", "9 × 9", "y"],
            "missing": [0.45, 0.1, 0.02, 0.03],
            "missing_error": [0.01, 0.01, 0.002, np.nan],
            "missing_noise": [0.43, 0.09, 0.01, 0.02],
            "components": 7,
            "claim": 0.999,
            **PLACE,
        },
    ),
    "principal_planes": (
        principal_planes.draw,
        {"principal": RNG.normal(size=(60, 3)) * 100, "control_name": "T", "control": RNG.uniform(0.2, 1, 60), **PLACE},
    ),
    "principal_curves": (
        principal_curves.draw,
        {
            "control_name": "T",
            "control": T,
            "first": 1 - T,
            "first_error": np.full(17, 0.01),
            "order": 1 - T + 0.001,
            "amplitude": np.exp(-(((T - 0.52) / 0.1) ** 2)) * 100,
            "amplitude_error": np.full(17, 3.0),
            "box": np.where(COEXISTING, 90.0, np.nan),
            "fraction": FRACTION,
            "fraction_error": np.where(COEXISTING, 0.02, np.nan),
            "lever": FRACTION + 0.01,
            "summit": [0.52, 0.003],
            "half": [0.5, np.nan],
            **PLACE,
        },
    ),
    "back_projection": (
        back_projection.draw,
        {
            "field": RNG.integers(-4, 5, (12, 9)),
            "projected": RNG.normal(size=(3, 12, 9)),
            "components": [1, 7, 25],
            "control_name": "T",
            "control": 0.55,
        },
    ),
    "transitions": (
        transitions.draw,
        {
            "transitions": ["L|L+G", "L+G|G"],
            "found": [0.43, 0.62],
            "found_error": [0.004, np.nan],
            "truth": [0.432, np.nan],
            "truth_error": [0.003, np.nan],
            "resampled": [[0.43, 0.62], [np.nan, 0.63], [0.435, 0.621]],
            "bar": 0.01,
            "control_name": "T",
        },
    ),
    "kernels": (
        kernels.draw,
        {
            "nets": ["lambda = 0", "lambda = 0.01"],
            "kernels_0": RNG.normal(size=(12, 5, 5)),
            "names_0": [f"filter {k}" for k in range(12)],
            "share_0": RNG.uniform(0, 1, 12),
            "kernels_1": RNG.normal(size=(2, 5, 5)),
            "names_1": ["filter 0", "filter 3"],
            "share_1": [0.9, 0.8],
        },
    ),
    "architecture": (
        architecture.draw,
        {
            "operations": ["input", "convolution 5 × 5", "max pool 3 × 3", "flatten", "dense"],
            "shapes": ["2 × 81 × 81", "6 × 81 × 81", "6 × 27 × 27", "4374", "3"],
            "activations": ["", "relu", "", "", ""],
            "parameters": [0, 306, 0, 0, 13125],
            "units": [13122, 39366, 4374, 4374, 3],
            "title": "a net",
        },
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_figure_is_drawn_from_its_saved_arrays(tmp_path, name):
    draw, arrays = CASES[name]
    picture = figures.save(tmp_path, name, arrays, draw)
    pixels = imread(picture)[..., :3]
    ink = (pixels < 0.98).any(axis=-1)
    assert 0.005 < ink.mean() < 0.95
    assert all(quarter.any() for half in np.array_split(ink, 2) for quarter in np.array_split(half, 2, axis=1))
    assert figures.load(picture.with_suffix(".npz")).keys() == arrays.keys()
