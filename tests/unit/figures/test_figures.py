"""Every figure: drawn from what its .npz holds, not blank, and legible to someone who cannot tell red from green."""

import matplotlib
import numpy as np
import pytest
from matplotlib.image import imread

from lattice_ml import figures
from lattice_ml.figures import style
from lattice_ml.figures.explain import saliency
from lattice_ml.figures.nets import training
from lattice_ml.figures.phases import (
    configurations,
    confusion,
    embedding,
    order_parameter,
    pca,
    phase_diagram,
    probabilities,
)

PHASES = ["L", "L+G", "G"]
RNG = np.random.default_rng(5)
T = np.linspace(0.2, 1.0, 9)


def fields(*leading, extents=(12, 6)):
    plus, minus = RNG.poisson(1.5, (2, *leading, *extents))
    return np.stack([plus - minus, plus + minus], axis=len(leading)).astype(np.int16)


def class_probabilities(low, high):
    above = [1 / (1 + np.exp(-(T - edge) / 0.02)) for edge in (low, high)]
    return np.stack([1 - above[0], above[0] - above[1], above[1]], axis=-1)


CASES = {
    "configurations": (
        configurations.draw,
        {
            "fields": fields(3),
            "channels": ["magnetisation", "density"],
            "phases": PHASES,
            "control_name": "T",
            "control": [0.25, 0.55, 0.95],
            "place": 3.0,
            "place_name": "rho0",
        },
    ),
    "pca": (
        pca.draw,
        {
            "ratios": 0.5 ** np.arange(1, 9),
            "profiles": RNG.normal(size=(5, 12)),
            "spread": RNG.uniform(0.05, 0.1, (5, 12)),
            "floor": np.full(8, 0.01),
        },
    ),
    "embedding": (
        embedding.draw,
        {
            "umap": RNG.normal(size=(40, 2)),
            "control_name": "T",
            "control": RNG.uniform(0.2, 1, 40),
            "phase": RNG.integers(-1, 3, 40),
            "phases": PHASES,
            "place": 3.0,
            "place_name": "rho0",
        },
    ),
    "order_parameter": (
        order_parameter.draw,
        {
            "control_name": "T",
            "control": T,
            "means": [1 - T, np.sin(3 * T) ** 2],
            "errors": np.full((2, 9), 0.02),
            "names": [r"$\langle|\bar m|\rangle$", "band amplitude"],
            "transitions": ["L|L+G", "L+G|G"],
            "transition_value": [0.4, 0.62],
            "transition_error": [0.01, 0.02],
        },
    ),
    "training": (
        training.draw,
        {
            "epoch": np.arange(6),
            "train_loss": 1 / np.arange(1, 7),
            "val_loss": [np.nan, 0.6, 0.5, 0.4, 0.45, 0.5],
            "val_acc": np.linspace(0.5, 1, 6),
            "best_epoch": 3,
        },
    ),
    "confusion": (confusion.draw, {"counts": [[8, 1, 0], [0, 9, 0], [0, 0, 0]], "phases": PHASES}),
    "probabilities": (
        probabilities.draw,
        {
            "place": [1.0, 2.0, 3.0, 4.0, 5.0],
            "place_name": "rho0",
            "control_name": "T",
            "control": T,
            "probability": np.stack([class_probabilities(0.3 + 0.02 * k, 0.6 + 0.02 * k) for k in range(5)]),
            "error": np.full((5, 9, 3), 0.03),
            "phases": PHASES,
            "boundary_scan": [0, 0, 1, 2],
            "boundary_value": [np.nan, 0.6, 0.32, 0.34],
            "boundary_error": [np.nan, 0.01, 0.01, np.nan],
        },
    ),
    "phase_diagram": (
        phase_diagram.draw,
        {
            "place": [1.0, 1.0, 3.0, 3.0, 5.0],
            "place_name": "rho0",
            "control_name": "T",
            "value": [np.nan, 0.5, 0.4, 0.65, 0.45],
            "error": [np.nan, 0.01, 0.02, np.nan, 0.01],
            "transition": ["L|L+G", "L+G|G", "L|L+G", "L+G|G", "L|L+G"],
            "method": ["cnn"] * 5,
            "phases": PHASES,
            "trained": 3.0,
        },
    ),
    "saliency": (
        saliency.draw,
        {
            "fields": fields(),
            "saliency": RNG.random((2, 12, 6)),
            "channels": ["magnetisation", "density"],
            "phase": "L+G",
            "control_name": "T",
            "control": 0.56,
            "place": 3.0,
            "place_name": "rho0",
        },
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_figure_is_drawn_from_its_saved_arrays(tmp_path, name):
    draw, arrays = CASES[name]
    picture = figures.save(tmp_path / "figures", name, arrays, draw)

    assert picture == tmp_path / "figures" / f"{name}.png"
    pixels = imread(picture)[..., :3]
    assert min(pixels.shape[:2]) > 400
    ink = (pixels < 0.98).any(axis=-1)
    assert 0.01 < ink.mean() < 0.95
    # Drawn all over, not a few marks in one corner.
    assert all(quarter.any() for half in np.array_split(ink, 2) for quarter in np.array_split(half, 2, axis=1))

    with np.load(picture.with_suffix(".npz"), allow_pickle=False) as saved:
        assert set(saved.files) == set(arrays)
        for key, value in arrays.items():
            np.testing.assert_array_equal(saved[key], np.asarray(value))


def test_saved_arrays_draw_the_same_picture_again(tmp_path):
    draw, arrays = CASES["phase_diagram"]
    first = figures.save(tmp_path, "first", arrays, draw)
    again = figures.save(tmp_path, "again", figures.load(first.with_suffix(".npz")), draw)
    assert first.read_bytes() == again.read_bytes()


def test_the_picture_shows_what_was_saved_not_what_was_given(tmp_path):
    draw, arrays = CASES["pca"]
    seen = {}

    def spy(saved):
        seen.update(saved)
        return draw(saved)

    figures.save(tmp_path, "pca", arrays, spy)
    assert seen["ratios"] is not arrays["ratios"]
    np.testing.assert_array_equal(seen["ratios"], arrays["ratios"])


def test_objects_are_refused_before_anything_is_written(tmp_path):
    with pytest.raises(TypeError, match="'ragged' holds Python objects"):
        figures.save(tmp_path, "pca", {"ragged": np.array([{}, None], dtype=object)}, pca.draw)
    assert not list(tmp_path.iterdir())


def test_a_pickled_array_is_not_loaded(tmp_path):
    np.savez(tmp_path / "evil.npz", ratios=np.array([{}], dtype=object))
    with pytest.raises(ValueError, match="allow_pickle"):
        figures.load(tmp_path / "evil.npz")


def test_a_name_with_a_dot_keeps_its_own_files(tmp_path):
    draw, arrays = CASES["saliency"]
    figures.save(tmp_path, "saliency_0.01", arrays, draw)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["saliency_0.01.npz", "saliency_0.01.png"]


def test_drawing_leaves_matplotlibs_settings_alone():
    before = dict(matplotlib.rcParams)
    draw, arrays = CASES["confusion"]
    draw({key: np.asarray(value) for key, value in arrays.items()})
    assert dict(matplotlib.rcParams) == before


NAMES = {"place_name": "rho0", "control_name": "T"}


def test_a_scan_without_a_boundary_still_has_a_diagram(tmp_path):
    nothing = {"place": [3.0], "value": [np.nan], "error": [np.nan], "transition": ["L|L+G"], "method": ["cnn"]}
    assert (
        figures.save(tmp_path, "phase_diagram", {**nothing, "phases": PHASES, **NAMES}, phase_diagram.draw)
        .stat()
        .st_size
    )


@pytest.mark.parametrize(
    ("name", "absent"),
    [
        ("order_parameter", {"transitions": [], "transition_value": [], "transition_error": []}),
        ("order_parameter", {"transitions": ["L|G"], "transition_value": [np.nan], "transition_error": [np.nan]}),
        ("probabilities", {"boundary_scan": [], "boundary_value": [], "boundary_error": []}),
        ("phase_diagram", {"place": [], "value": [], "error": [], "transition": [], "method": []}),
    ],
)
def test_a_run_without_transitions_is_drawn_without_them(tmp_path, name, absent):
    draw, arrays = CASES[name]
    assert figures.save(tmp_path, name, {**arrays, **absent}, draw).stat().st_size


def test_one_density_alone_has_its_three_phases_shaded():
    arrays = {"place": [3.0, 3.0], "value": [0.4, 0.6], "error": [0.01, 0.01], "transition": ["L|L+G", "L+G|G"]}
    arrays |= {"method": ["cnn", "cnn"], "phases": PHASES, **NAMES}
    figure = phase_diagram.draw({key: np.asarray(value) for key, value in arrays.items()})
    heights = {text.get_text(): text.get_position()[1] for text in figure.axes[0].texts}
    assert heights["L"] < 0.4 < heights["L+G"] < 0.6 < heights["G"]


def test_a_system_without_another_parameter_has_panels_without_titles():
    arrays = {key: np.asarray(value) for key, value in CASES["probabilities"][1].items() if "place" not in key}
    figure = probabilities.draw(arrays)
    assert [ax.get_title() for ax in figure.axes] == [""] * len(figure.axes)


def test_a_configuration_is_drawn_with_x_to_the_right():
    stripe = np.zeros((1, 1, 12, 6), dtype=np.int16)
    stripe[0, 0, 3] = 1  # one column of constant x
    arrays = {"fields": stripe, "channels": ["density"], "phases": ["G"], "control_name": "T", "control": [0.9]}
    figure = configurations.draw({key: np.asarray(value) for key, value in arrays.items()})
    (image,) = figure.axes[0].get_images()
    assert image.origin == "lower"
    shown = np.asarray(image.get_array())  # [row = y, column = x]
    assert shown.shape == (6, 12)
    assert (shown[:, 3] == 1).all()
    assert shown.sum() == 6


def test_magnetisation_is_white_at_zero_even_where_it_takes_one_sign():
    stripe = np.ones((1, 1, 12, 6), dtype=np.int16)
    arrays = {"fields": stripe, "channels": ["magnetisation"], "phases": ["L"], "control_name": "T", "control": [0.2]}
    figure = configurations.draw({key: np.asarray(value) for key, value in arrays.items()})
    (image,) = figure.axes[0].get_images()
    low, high = image.get_clim()
    assert low == -high


def test_phases_have_the_same_colours_whoever_else_is_there():
    assert style.phase_colours(PHASES) == [style.PHASE_COLOURS[phase] for phase in PHASES]
    assert style.phase_colours(["G"]) == [style.PHASE_COLOURS["G"]]
    mixed = style.phase_colours(["ordered", "G", "disordered", "L"])
    assert len(set(mixed)) == 4
