"""Scores of several nets on test ensembles."""

import numpy as np

from lattice_ml.runs.evaluation import Case, evaluate, load, mean_over_chains, summary


def squared(predicted, targets):
    return {"mse": ((predicted - targets) ** 2).mean(axis=(1, 2))}


def case(part, torus, mu, value):
    states = np.full((4, 1, 2, 2), value, dtype=np.int8)
    return Case(part, torus, {"mu": mu}, states, np.full((4, 1), float(value)), np.array([0, 0, 1, 1]))


def predict(states):
    """Two nets: one is right, one is one too high."""
    right = states.mean(axis=(1, 2, 3), dtype=np.float64)[:, None]
    return np.stack([right, right + 1])


def found():
    cases = [case("survey", "2x2", 0.9, 3), case("survey", "2x2", 1.0, 5), case("extrapolation", "2x2", 1.2, 9)]
    return evaluate(cases, predict, squared, validation=np.array([0.1, 0.2]))


def test_every_case_is_a_row_of_scores_and_means():
    evaluation = found()
    assert evaluation.tori("survey") == ["2x2"]
    rows = evaluation.where("survey", "2x2")
    np.testing.assert_array_equal(rows, [0, 1])
    np.testing.assert_array_equal(evaluation.score("mse", rows), [[0, 1], [0, 1]])
    np.testing.assert_array_equal(evaluation.predicted[1], [[5], [6]])
    assert evaluation.points["mu"] == [0.9, 1.0, 1.2]


def test_what_was_saved_is_loaded(tmp_path):
    evaluation = found()
    evaluation.save(tmp_path / "found.npz")
    again = load(tmp_path / "found.npz")
    assert again is not None
    assert again.torus == evaluation.torus
    assert again.part == evaluation.part
    np.testing.assert_array_equal(again.validation, [0.1, 0.2])
    np.testing.assert_array_equal(again.score("mse", again.where("extrapolation")), [[0, 1]])
    (tmp_path / "found.npz").write_bytes(b"half a file")
    assert load(tmp_path / "found.npz") is None
    assert load(tmp_path / "none.npz") is None


def test_the_error_of_a_mean_comes_from_the_spread_of_chains():
    """Two chains with means 1 and 3: the mean is 2, its error (std of 1 and 3) / sqrt 2 = 1."""
    values = np.array([[0.0], [2.0], [3.0], [3.0]])
    mean, error = mean_over_chains(values, np.array([4, 4, 8, 8]))
    np.testing.assert_allclose(mean, [2])
    np.testing.assert_allclose(error, [1])
    assert np.isnan(mean_over_chains(values, np.zeros(4))[1]).all()


def test_a_summary_holds_every_member():
    told = summary([1.0, 2.0, 6.0])
    assert (told["mean"], told["median"], told["members"]) == (3.0, 2.0, [1.0, 2.0, 6.0])
