"""The figures of a comparison of nets: drawn from what their .npz holds, for one architecture or three."""

import numpy as np
import pytest
from matplotlib.image import imread

from lattice_ml import figures
from lattice_ml.figures import (
    chemical_potential,
    distributions,
    equivariance,
    extrapolation,
    feature_maps,
    generalisation,
    lattice_sizes,
    learning_curve,
    true_counts,
)

RNG = np.random.default_rng(2)
NAMES = ["EQ", "ST", "FL"]
MU = np.linspace(0.9, 1.5, 7)


def errors(*shape):
    return 10 ** RNG.uniform(-8, -3, (3, *shape, 5))


FL_ON_ITS_OWN = errors(3)
FL_ON_ITS_OWN[2, 1:] = np.nan

CASES = {
    "learning_curve": (
        learning_curve.draw,
        {
            "samples": [100, 1000, 20000],
            "architectures": NAMES,
            "score": errors(3),
            "label": "mean squared error",
            "logarithmic": True,
            "where": "test on 60 × 4",
        },
    ),
    "lattice_sizes": (
        lattice_sizes.draw,
        {
            "tori": ["60x4", "100x5", "200x10"],
            "architectures": NAMES,
            "score": FL_ON_ITS_OWN,
            "trained": "60x4",
            "label": "mean squared error",
            "logarithmic": True,
        },
    ),
    "chemical_potential": (
        chemical_potential.draw,
        {
            "mu": MU,
            "outputs": ["$n$", r"$|\phi|^2$"],
            "mean": RNG.random((2, 7)),
            "error": np.full((2, 7), 0.02),
            "architectures": NAMES,
            "predicted": RNG.random((3, 2, 7)),
            "trained": [1.05],
            "onset": 0.943,
        },
    ),
    "extrapolation": (
        extrapolation.draw,
        {"mu": MU, "architectures": NAMES, "mse": errors(7), "trained": [1.05]},
    ),
    "true_counts": (
        true_counts.draw,
        {
            "true": np.arange(11.0),
            "architectures": NAMES,
            "predicted": np.arange(11.0)[:, None] + RNG.normal(0, 0.2, (3, 11, 5)),
            "trained": [0, 5],
            "where": "8 × 8",
        },
    ),
    "generalisation": (
        generalisation.draw,
        {"architectures": NAMES, "validation": errors(), "test": errors(), "where": "8 × 8"},
    ),
    "distributions": (
        distributions.draw,
        {
            "outputs": ["$n$", r"$|\phi|^2$"],
            "ensembles": ["training", "50x2"],
            "edges": [np.linspace(0, 1, 21)] * 2,
            "density": RNG.random((2, 2, 20)),
        },
    ),
    "feature_maps": (
        feature_maps.draw,
        {
            "divergence": np.eye(8) - np.eye(8)[::-1],
            "maps": RNG.normal(size=(2, 4, 8, 8)),
            "layers": ["layer 1: conv", "layer 2: leaky_relu"],
        },
    ),
    "equivariance": (
        equivariance.draw,
        {"architectures": NAMES, "error": np.stack([np.zeros((8, 8)), RNG.random((8, 8)), np.ones((8, 8))])},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_figure_is_drawn_from_its_saved_arrays(tmp_path, name):
    draw, arrays = CASES[name]
    picture = figures.save(tmp_path, name, arrays, draw)
    pixels = imread(picture)[..., :3]
    assert min(pixels.shape[:2]) > 400
    assert 0.01 < (pixels < 0.98).any(axis=-1).mean() < 0.95


def test_a_net_that_does_not_take_a_lattice_has_no_point_there():
    draw, arrays = CASES["lattice_sizes"]
    figure = draw({key: np.asarray(value) for key, value in arrays.items()})
    lines = {line.get_label(): line for line in figure.axes[0].get_lines()}
    assert list(lines["FL"].get_xdata()) == [0]
    assert list(lines["EQ"].get_xdata()) == [0, 1, 2]
    np.testing.assert_allclose(lines["EQ"].get_ydata(), np.median(arrays["score"][0], axis=1))


def test_the_floor_of_the_learning_curve_is_that_of_the_paper():
    draw, arrays = CASES["learning_curve"]
    figure = draw({key: np.asarray(value) for key, value in arrays.items()})
    assert figure.axes[0].get_ylim()[0] <= 1e-8
