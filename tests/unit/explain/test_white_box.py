import numpy as np
import pytest

from lattice_ml.explain import white_box
from lattice_ml.explain.white_box import KINDS, build, fit_white_box
from lattice_ml.ground.errors import UserError


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(white_box, "TREES", 10)


def lesson(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Three classes along the first feature; the second is noise."""
    x = np.random.default_rng(seed).uniform(0, 3, (240, 2))
    return x, np.floor(x[:, 0]).astype(np.int64), np.arange(240) % 4


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_finds_thresholds_and_slopes(kind) -> None:
    x, label, groups = lesson()
    fresh, truth, _ = lesson(seed=1)
    box = fit_white_box(kind, x, label, groups, ("a", "b"), ("low", "middle", "high"))
    assert np.mean(box.predict(fresh) == truth) > 0.9
    found = box.probabilities(fresh)
    assert found.shape == (240, 3)
    np.testing.assert_allclose(found.sum(axis=1), 1)
    slope = fit_white_box(kind, x, 2 * x[:, 0] - 1, groups, ("a", "b"))
    assert slope.score > 0.9
    assert slope.classes == ()


def test_ridge_finds_a_linear_law_exactly() -> None:
    x, _, groups = lesson()
    box = fit_white_box("linear", x, 3 * x[:, 0] - x[:, 1] + 2, groups, ("a", "b"))
    fresh = lesson(seed=2)[0]
    np.testing.assert_allclose(box.predict(fresh), 3 * fresh[:, 0] - fresh[:, 1] + 2, atol=1e-5)


def test_a_class_that_was_not_seen_has_probability_zero() -> None:
    x, label, groups = lesson()
    kept = label != 1
    box = fit_white_box("tree", x[kept], label[kept], groups[kept], ("a", "b"), ("low", "middle", "high"))
    assert np.all(box.probabilities(x)[:, 1] == 0)


def test_a_replica_is_never_on_both_sides_of_a_fold() -> None:
    """Rows of a replica are copies with one random label each: only someone who saw the replica can know it."""
    rng = np.random.default_rng(3)
    x = np.repeat(rng.standard_normal((12, 3)), 20, axis=0)
    label = np.repeat(rng.integers(2, size=12), 20)
    box = fit_white_box("tree", x, label, np.repeat(np.arange(12), 20), "abc", ("no", "yes"))
    assert box.score < 0.85
    assert np.mean(box.predict(x) == label) > box.score


def test_what_cannot_be_fitted_is_refused() -> None:
    x, label, groups = lesson()
    with pytest.raises(UserError, match="at least two"):
        fit_white_box("tree", x, label, np.zeros_like(groups), ("a", "b"), "lmh")
    with pytest.raises(UserError, match="there is no white box 'oracle'"):
        build("oracle", True, 0)  # type: ignore[arg-type]


def test_few_groups_of_one_class_each_are_fitted_all_the_same() -> None:
    x = np.linspace(0, 1, 40)[:, None]
    label, groups = (x[:, 0] > 0.5).astype(np.int64), (x[:, 0] > 0.5).astype(np.int64)
    box = fit_white_box("linear", x, label, groups, ("a",), ("low", "high"))
    assert np.mean(box.predict(x) == label) > 0.9


def test_a_single_class_is_refused() -> None:
    x, label, groups = lesson()
    with pytest.raises(UserError, match="everything to fit is l, "):
        fit_white_box("linear", x, np.zeros_like(label), groups, ("a", "b"), "lmh")
