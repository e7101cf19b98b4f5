"""The figures of committees: drawn from what their .npz holds, with or without what may be missing."""

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.image import imread

from lattice_ml import figures
from lattice_ml.figures.phases import boundary_check, physical_share, sizes
from lattice_ml.figures.style import phase_colours

PHASES = ["L", "L+G", "G"]
RHO0 = np.array([0.5, 1.0, 2.0, 3.0, 5.0, 8.0])
LOW, HIGH = 0.3 + 0.04 * RHO0, 0.5 + 0.05 * RHO0
T = np.linspace(0.3, 0.9, 13)


def interleaved(first, second):
    """One after the other at every place."""
    return np.stack((first, second), axis=1).ravel()


CHECK = {
    "place": interleaved(RHO0, RHO0),
    "place_name": "rho0",
    "transition": ["L|L+G", "L+G|G"] * len(RHO0),
    "control_name": "T",
    "value": interleaved(LOW + 0.01, HIGH - 0.01) + np.array([np.nan, *[0] * 11]),
    "error": np.array([np.nan, *[0.012] * 11]),
    "true_value": interleaved(LOW, HIGH),
    "true_error": np.array([0.01] * 11 + [np.nan]),
    "phases": PHASES,
    "trained": [3.0],
    "inset_control": T,
    "inset_P": np.stack((T < 0.5, (T >= 0.5) & (T < 0.7), T >= 0.7), axis=1).astype(float),
    "inset_error": np.full((13, 3), np.nan),
    "inset_place": 5.0,
}
SIZES = {
    "L": [81, 81, 162, 162, 243, 243],
    "transition": ["L|L+G", "L+G|G"] * 3,
    "control_name": "T",
    "value": [0.41, 0.64, 0.42, 0.65, np.nan, 0.655],
    "error": [0.01, 0.01, 0.02, np.nan, np.nan, 0.01],
    "true_value": [0.40, 0.65, 0.42, 0.66, 0.43, 0.66],
    "true_error": [0.01] * 6,
}
SHARE = {
    "l2": [0.01, 0.0, 0.0001],
    "criteria": ["physical", "within 0.03 everywhere"],
    "share": [[0.9, 0.2, 0.5], [0.5, 0.0, 0.1]],
    "error": [[0.1, 0.12, 0.14], [0.14, 0.08, 0.1]],
}
CASES = {
    "boundary_check": (boundary_check.draw, CHECK),
    "boundary_check with lines": (
        boundary_check.draw,
        CHECK | {"line_place": [RHO0, RHO0], "line_value": [LOW - 0.01, HIGH + 0.01]},
    ),
    "boundary_check of nothing found": (
        boundary_check.draw,
        CHECK | {"value": np.full(12, np.nan), "error": np.full(12, np.nan), "true_value": np.full(12, np.nan)},
    ),
    "sizes": (sizes.draw, SIZES),
    "sizes with their limit": (sizes.draw, SIZES | {"infinite_value": [0.44, 0.67]}),
    "sizes of one torus": (sizes.draw, {key: value[:2] for key, value in SIZES.items()}),
    "physical_share": (physical_share.draw, SHARE),
    "physical_share without a truth": (
        physical_share.draw,
        SHARE | {"share": [SHARE["share"][0], [np.nan] * 3], "error": [SHARE["error"][0], [np.nan] * 3]},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_figure_is_drawn_from_its_saved_arrays(tmp_path, name):
    draw, arrays = CASES[name]
    picture = figures.save(tmp_path, name, arrays, draw)
    pixels = imread(picture)[..., :3]
    assert min(pixels.shape[:2]) > 400
    ink = (pixels < 0.98).any(axis=-1)
    assert 0.01 < ink.mean() < 0.95
    assert all(quarter.any() for half in np.array_split(ink, 2) for quarter in np.array_split(half, 2, axis=1))
    again = figures.save(tmp_path, "again", figures.load(picture.with_suffix(".npz")), draw)
    assert again.read_bytes() == picture.read_bytes()


def drawn(name, **changed):
    draw, arrays = CASES[name]
    return draw({key: np.asarray(value) for key, value in {**arrays, **changed}.items()})


def points(axes) -> dict[str, tuple[np.ndarray, np.ndarray, str]]:
    """x, y and marker of everything with error bars, by its label."""
    lines = {container.get_label(): container.lines[0] for container in axes.containers}
    return {
        label: (np.asarray(line.get_xdata()), np.asarray(line.get_ydata()), line.get_marker())
        for label, line in lines.items()
    }


def test_crosses_of_the_nets_lie_over_circles_of_the_truth():
    found = points(drawn("boundary_check").axes[0])
    assert set(found) == {"L | L+G, truth", "L | L+G, nets", "L+G | G, truth", "L+G | G, nets"}
    x, y, marker = found["L+G | G, nets"]
    np.testing.assert_allclose(x, RHO0)
    np.testing.assert_allclose(y, HIGH - 0.01)
    assert (marker, found["L+G | G, truth"][2]) == ("x", "o")
    assert np.isnan(found["L | L+G, nets"][1]).tolist() == [True] + [False] * 5  # not found: no cross there
    np.testing.assert_allclose(found["L | L+G, truth"][1], LOW)


def test_the_inset_shows_each_phase_in_its_colour():
    (inset,) = drawn("boundary_check").axes[0].child_axes
    assert [to_hex(line.get_color()) for line in inset.get_lines()] == [to_hex(c) for c in phase_colours(PHASES)]
    assert "5" in inset.get_title()
    without = {key: value for key, value in CHECK.items() if not key.startswith("inset")}
    figure = boundary_check.draw({key: np.asarray(value) for key, value in without.items()})
    assert not figure.axes[0].child_axes


def test_sizes_run_from_the_infinite_torus_on_the_left():
    shuffled = np.array([4, 1, 3, 0, 5, 2])
    columns = {key: np.asarray(value)[shuffled] for key, value in SIZES.items() if key != "control_name"}
    axes = drawn("sizes", **columns).axes[0]
    found = points(axes)
    x, y, _ = found["L | L+G, truth"]
    np.testing.assert_allclose(x, [1 / 81, 1 / 162, 1 / 243])
    np.testing.assert_allclose(y, [0.40, 0.42, 0.43])
    assert axes.get_xlim()[0] == 0
    assert [label.get_text() for label in axes.get_xticklabels()] == ["0", "1/81", "1/162", "1/243"]


def test_the_limits_stand_at_their_own_transitions():
    axes = drawn("sizes with their limit").axes[0]
    at_zero = [line.get_ydata()[0] for line in axes.get_lines() if np.array_equal(line.get_xdata(), [0])]
    assert at_zero == [0.44, 0.67]


def test_shares_are_in_the_order_of_their_strengths():
    axes = drawn("physical_share").axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["0", "0.0001", "0.01"]
    np.testing.assert_allclose(points(axes)["physical"][1], [0.2, 0.5, 0.9])
    np.testing.assert_allclose(points(axes)["within 0.03 everywhere"][1], [0.0, 0.1, 0.5])
