import numpy as np
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

from lattice_ml.explain.importance import Sample, draw_trajectories, falls_when_shuffled, families, importances


def sample(n: int, seed: int) -> Sample:
    """y is the sign of the first feature, of which the second is a noisy copy; the third means nothing."""
    rng = np.random.default_rng(seed)
    a, c = rng.standard_normal((2, n))
    values = np.stack((a, a + 0.05 * rng.standard_normal(n), c), axis=1)
    return Sample(values, a > 0, np.stack((np.arange(n) // 20, np.arange(n) // 5 % 4), axis=1))


def test_what_decides_stands_above_noise_and_twins_only_together() -> None:
    forest = RandomForestClassifier(20, max_features="sqrt", random_state=0)
    found = importances(forest, ("a", "twin", "idle"), sample(400, 0), sample(200, 1), forests=4)
    assert found.names == ("a", "twin", "idle", "noise")
    assert found.score > 0.9
    assert abs(found.impurity.sum() - 1) < 1e-9
    for values, errors in ((found.impurity, found.impurity_error), (found.permutation, found.permutation_error)):
        assert values[0] + values[1] > 10 * abs(values[2])
        assert np.all(errors[:2] > 0)
    assert found.members == [[0, 1], [2], [3]]
    assert found.family[0] > 1.2 * (found.permutation[0] + found.permutation[1])
    assert abs(found.family[2]) < 0.05
    told = found.summary()
    assert told["families"][0]["members"] == ["a", "twin"]
    assert not hasattr(forest, "estimators_")


def test_a_regression_loses_twice_its_variance_when_its_only_feature_is_shuffled() -> None:
    """< (x' - x)² > = 2 var(x): R² falls by 2, up to the rounding of trees and 1/sqrt(n)."""
    rng = np.random.default_rng(0)
    x = rng.uniform(size=(2000, 1))
    model = RandomForestRegressor(10, random_state=0).fit(x, x[:, 0])
    falls, score = falls_when_shuffled(model, Sample(x, x[:, 0], np.zeros((2000, 2), int)), [[0]], rng)
    assert score > 0.999
    assert abs(falls[0] - 2) < 0.1


def test_a_forest_that_saw_one_class_alone_expects_it_everywhere() -> None:
    test = sample(100, 1)
    for only in (False, True):
        model = RandomForestClassifier(3, random_state=0).fit(test.values, np.full(100, only))
        falls, score = falls_when_shuffled(model, test, [[0]], np.random.default_rng(0))
        assert falls[0] == 0
        wrong = (np.asarray(test.target) != only).mean()
        assert score == 1 - wrong / np.asarray(test.target, float).var()


def test_without_resampled_forests_there_is_no_error() -> None:
    found = importances(RandomForestClassifier(5), ("a", "t", "i"), sample(100, 0), sample(100, 1), forests=0)
    assert np.isnan(found.impurity_error).all()
    assert found.summary()["features"][0]["impurity"]["error"] is None


def test_families_hold_features_that_order_alike() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((2, 300))
    assert families(np.stack((a, b, -(a**3), np.ones(300)), axis=1)) == [[0, 2], [1], [3]]


def test_trajectories_are_drawn_whole_and_as_many_at_every_point() -> None:
    trajectory = np.stack(
        (np.repeat([0, 1], [12, 6]), np.concatenate((np.repeat([0, 1, 2], 4), np.repeat([5, 7], 3)))), 1
    )
    rows = draw_trajectories(trajectory, np.random.default_rng(2))
    drawn = trajectory[rows]
    assert np.sum(drawn[:, 0] == 0) == 12
    assert np.sum(drawn[:, 0] == 1) == 6
    counts = np.unique(drawn, axis=0, return_counts=True)[1]
    assert set(counts) <= {3, 6, 4, 8, 12}
