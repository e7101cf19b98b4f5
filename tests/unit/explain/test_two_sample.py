import numpy as np

from lattice_ml.explain.two_sample import compare


def test_the_same_law_is_rejected_as_often_as_the_level_says():
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(10), 3)

    def trajectories() -> np.ndarray:
        return (rng.normal(size=(10, 1, 2)) + 0.3 * rng.normal(size=(10, 3, 2))).reshape(30, 2)

    p = np.array([compare(trajectories(), trajectories(), groups, groups, permutations=99).p for _ in range(120)])
    # 120 tests at the level 0.1: 12 expected, standard deviation 3.3. With single rows it would be more.
    assert np.sum(p <= 0.1) < 12 + 4 * 3.3
    assert 0.35 < p.mean() < 0.65
    singly = np.arange(30)
    broken = np.array([compare(trajectories(), trajectories(), singly, singly, permutations=99).p for _ in range(60)])
    assert np.mean(broken <= 0.1) > 0.25


def test_what_depends_on_the_point_is_compared_at_the_point() -> None:
    """One trajectory a side at each of 40 points, whose means differ by far more than the noise: the level is kept if
    they are exchanged within the point, and a shift of one standard deviation is seen; dealt together, neither."""
    rng = np.random.default_rng(5)
    point = np.arange(40)

    def halves(shift: float) -> tuple[np.ndarray, np.ndarray]:
        common = np.linspace(-20, 20, 40)[:, None]
        return common + rng.normal(size=(40, 1)), common + shift + rng.normal(size=(40, 1))

    at_points = [compare(*halves(0), point, point, point, point, permutations=99).p for _ in range(60)]
    assert 0.35 < np.mean(at_points) < 0.65  # uniform: 1/2 ± 0.037
    together = [compare(*halves(0), point, point, permutations=99).p for _ in range(20)]
    assert np.mean(together) > 0.9
    assert np.median([compare(*halves(1), point, point, point, point, permutations=99).p for _ in range(20)]) <= 0.02
    assert np.median([compare(*halves(1), point, point, permutations=99).p for _ in range(20)]) > 0.5


def test_another_law_is_rejected():
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(60, 3)), rng.normal(size=(60, 3))
    alone = np.arange(60)
    b[:, 2] *= 3  # the same mean: it takes more than a mean to see it
    found = compare(a, b, alone, alone, permutations=199)
    assert found.p == 1 / 200
    assert found.ratio > 3


def test_a_feature_that_never_varies_does_not_hide_the_others():
    rng = np.random.default_rng(2)
    a, b = rng.normal(size=(40, 2)), 1.5 + rng.normal(size=(40, 2))
    a[:, 1] = b[:, 1] = -6.9
    alone = np.arange(40)
    assert compare(a, b, alone, alone, permutations=99).p == 0.01
    assert compare(a[:, 1:], b[:, 1:], alone, alone, permutations=99).p == 1.0
    b[:, 1] = rng.normal(size=40)  # conserved in one set and not in the other
    a[:, 1] += 1e-15 * rng.normal(size=40)
    found = compare(a, b, alone, alone, permutations=99)
    assert found.p == 0.01
    assert found.statistic < 10


def test_sides_that_are_exchanged_are_the_same_deal() -> None:
    """Two trajectories a side can be dealt in 3 ways that differ, the given one among them: p is about 1/3 or more."""
    rng = np.random.default_rng(4)
    groups = np.repeat([0, 1], 8)
    for _ in range(20):
        a, b = rng.standard_normal((2, 16, 5))
        assert compare(a, b + 1, groups, groups).p > 0.28  # 1/3, less three standard errors of 999 permutations
