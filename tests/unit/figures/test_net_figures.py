"""The figures of a comparison of nets: drawn from what their .npz holds, for one architecture or three."""

import numpy as np
import pytest
from matplotlib.collections import LineCollection
from matplotlib.image import imread

from lattice_ml import figures
from lattice_ml.figures.nets import (
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
from lattice_ml.workflows.nets.maps import standing_out

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


@pytest.mark.parametrize("name", ["lattice_sizes", "true_counts", "generalisation", "equivariance"])
def test_nine_nets_have_a_panel_for_each_kind(name):
    draw, arrays = CASES[name]
    names = [f"{kind}_{number}" for kind in NAMES for number in (1, 2, 3)]
    nine = {key: np.asarray(value) for key, value in arrays.items()}
    for key in {"score", "predicted", "validation", "test", "error"} & set(nine):
        nine[key] = np.repeat(nine[key], 3, axis=0)
    figure = draw({**nine, "architectures": np.array(names)})
    if name == "equivariance":
        told = np.reshape([ax.get_title() for ax in figure.axes[:9]], (3, 3)).tolist()
    else:
        told = [ax.get_legend_handles_labels()[1] for ax in figure.axes]
    assert told == [names[:3], names[3:6], names[6:]]


def test_a_net_of_a_single_lattice_has_bars_in_place_of_bands():
    draw, arrays = CASES["lattice_sizes"]
    figure = draw({key: np.asarray(value) for key, value in arrays.items()})
    bars = [item for item in figure.axes[0].collections if isinstance(item, LineCollection)]
    lows = np.array([bar.get_segments()[0][0, 1] for bar in bars])
    np.testing.assert_allclose(lows, np.quantile(arrays["score"][2, 0], [0.4, 0.3, 0.2, 0.1]))


def test_values_within_a_decade_have_the_labels_of_its_ends_alone():
    draw, arrays = CASES["generalisation"]
    own = {"validation": np.linspace(3e-9, 8e-9, 5)[None], "test": np.linspace(2e-9, 3e-9, 5)[None]}
    figure = draw({key: np.asarray(value) for key, value in {**arrays, **own, "architectures": ["EQ"]}.items()})
    assert figure.axes[0].get_xlim() == pytest.approx((1e-9, 1e-8))
    assert not any(label.get_text() for label in figure.axes[0].get_xticklabels(minor=True))


def test_maps_in_which_a_violation_stands_out_come_first():
    broken = np.zeros((8, 8))
    broken[2, 3], broken[2, 4] = 1, -1
    loud, marks = 9 * RNG.normal(size=(8, 8)), 0.01 * RNG.normal(size=(8, 8))
    marks[3, 4] = 0.5  # one site beside an end, as a kernel of 2 x 2 sees it
    found = standing_out(np.stack([loud, marks, np.zeros((8, 8))]), broken)
    assert found.argmax() == 1
    assert found[2] == 0


def test_the_floor_of_the_learning_curve_is_that_of_the_paper():
    draw, arrays = CASES["learning_curve"]
    figure = draw({key: np.asarray(value) for key, value in arrays.items()})
    assert figure.axes[0].get_ylim()[0] <= 1e-8
