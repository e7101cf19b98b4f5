"""The label-free indicators of answers that are known: nets that know everything, nothing, or three phases."""

import numpy as np
import pytest

from lattice_ml.phases.label_free import centre_of_mass, indicators, peaks

POINTS = 20
T = 0.3 + 0.02 * np.arange(POINTS)
FIRST, SECOND = 6, 13
"""The first point of the second and of the third phase."""


def answers(*borders: int, configurations: int = 3) -> np.ndarray:
    """P(T_k | x) ``[point, configuration, class]`` of a net that knows the phase of x and nothing else."""
    phase = np.searchsorted(borders, np.arange(POINTS), side="right")
    alike = (phase[:, None] == phase).astype(np.float64)
    return np.repeat((alike / alike.sum(axis=1, keepdims=True))[:, None], configurations, axis=1)


def test_who_knows_the_temperature_sees_no_transition() -> None:
    found = indicators(T, np.eye(POINTS)[None, :, None])
    np.testing.assert_allclose(found.predicted, T[None])
    np.testing.assert_allclose(found.divergence, 1.0)
    np.testing.assert_allclose(found.confusion, 1.0)
    np.testing.assert_allclose(found.middle, T[:-1] + 0.01)


def test_who_knows_nothing_guesses() -> None:
    found = indicators(T, np.full((2, POINTS, 5, POINTS), 1 / POINTS))
    np.testing.assert_allclose(found.divergence, 0.0, atol=1e-12)
    np.testing.assert_allclose(found.confusion, 0.0, atol=1e-12)


def test_who_knows_the_phases_sees_their_borders() -> None:
    found = indicators(T, answers(FIRST, SECOND)[None])
    borders = np.array([FIRST, SECOND]) - 1
    jump = np.diff([T[:FIRST].mean(), T[FIRST:SECOND].mean(), T[SECOND:].mean()]) / 0.02
    np.testing.assert_allclose(found.divergence[0, borders], jump)
    np.testing.assert_allclose(np.delete(found.divergence[0], borders), 0.0, atol=1e-12)
    np.testing.assert_allclose(found.confusion[0, borders], 1.0)
    assert np.delete(found.confusion[0], borders).max() < 0.999
    # After two of the six points of the first phase: all six are called hotter, so two of the twenty are told wrongly.
    assert found.confusion[0, 1] == pytest.approx(1 - 0.1 / 0.1)
    for height in (found.divergence, found.confusion):
        place, error = peaks(found.middle, height, 2)
        np.testing.assert_allclose(place, T[[FIRST, SECOND]] - 0.01, atol=0.01)
        np.testing.assert_allclose(error, 0.02 / np.sqrt(12))


def test_the_error_of_a_peak_holds_the_scatter_of_nets() -> None:
    found = indicators(T, np.stack([answers(FIRST), answers(FIRST + 1)]))
    (place,), (error,) = peaks(found.middle, found.divergence, 1)
    assert T[FIRST] - 0.011 < place < T[FIRST] + 0.011
    assert error == pytest.approx(np.sqrt(0.02**2 / 2 + 0.02**2 / 12))


def test_peaks_that_are_not_there_are_nan() -> None:
    place, error = peaks(np.arange(5.0), np.array([[0.0, 0.0, 1.0, 0.0, 0.0]]), 2)
    assert place[0] == 2.0
    assert np.isnan(place[1])
    assert np.isnan(error[1])


def test_centre_of_what_stands_out() -> None:
    assert centre_of_mass(np.arange(3.0), np.array([1.0, 3.0, 2.0])) == pytest.approx((1 * 2 + 2 * 1) / 3)
    assert centre_of_mass(np.arange(3.0), np.ones(3)) == 1.0


def test_shapes_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match="is not"):
        indicators(T, np.ones((1, POINTS - 1, 3, POINTS)))
    with pytest.raises(ValueError, match="rising"):
        indicators(T[::-1], np.ones((1, POINTS, 3, POINTS)))
