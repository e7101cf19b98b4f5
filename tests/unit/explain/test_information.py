import numpy as np
import pytest

from lattice_ml.explain.information import Information, deal, mutual_information, resample
from lattice_ml.ground.errors import UserError


def gaussians(rho: float, n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    x, z = np.random.default_rng(seed).standard_normal((2, n))
    return x, rho * x + np.sqrt(1 - rho**2) * z


@pytest.mark.statistical
@pytest.mark.parametrize("rho", [0.3, 0.6, 0.95])
def test_both_estimators_find_what_gaussians_are_known_to_share(rho: float) -> None:
    """I = -1/2 ln(1 - rho²): within four of its own errors, and of each other's."""
    truth = -0.5 * np.log(1 - rho**2)
    x, y = gaussians(rho, 1500, seed=1)
    found = {method: mutual_information(x, y, method) for method in ("gmm", "ksg")}
    for one in found.values():
        assert 0 < one.error < 0.06
        assert abs(one.value - truth) < 4 * one.error
    gmm, ksg = found["gmm"], found["ksg"]
    assert abs(gmm.value - ksg.value) < 4 * np.hypot(gmm.error, ksg.error)


@pytest.mark.parametrize("method", ["gmm", "ksg"])
def test_independent_numbers_share_nothing_and_maps_of_one_change_nothing(method) -> None:
    x, y = gaussians(0.0, 500, seed=2)
    alone = mutual_information(x, y, method)
    assert alone.value < 4 * alone.error + 0.01
    x, y = gaussians(0.8, 500, seed=3)
    plain, bent = mutual_information(x, y, method), mutual_information(-3 * x + 7, np.arctan(y), method)
    assert abs(plain.value - bent.value) < 4 * np.hypot(plain.error, bent.error)


@pytest.mark.parametrize("method", ["gmm", "ksg"])
def test_a_discrete_number_has_probabilities(method) -> None:
    """Two equally probable values with means ±a of a Gaussian: I by quadrature; and of a number with itself its
    entropy."""
    from scipy.integrate import quad
    from scipy.stats import norm

    rng = np.random.default_rng(4)
    label = rng.integers(2, size=600).astype(float)
    y = (2 * label - 1) + rng.standard_normal(600)

    def integrand(v: float) -> float:
        up, down = norm.pdf(v - 1), norm.pdf(v + 1)
        return 0.5 * up * np.log(2 * up / (up + down)) + 0.5 * down * np.log(2 * down / (up + down))

    truth = quad(integrand, -8, 8)[0]
    for pair in ((label, y), (y, label)):
        found = mutual_information(*pair, method)
        assert abs(found.value - truth) < 4 * found.error
    own = mutual_information(label, label, method)
    assert own.value == pytest.approx(np.log(2), abs=0.01)


@pytest.mark.parametrize(("method", "repeats", "jitter"), [("gmm", 8, 0.5), ("ksg", 20, 0.05)])
def test_samples_of_one_trajectory_are_worth_less_than_as_many_independent_ones(method, repeats, jitter) -> None:
    x, y = (np.repeat(values, repeats) for values in gaussians(0.7, 60, seed=5))
    groups = np.repeat(np.arange(60), repeats)
    moved = jitter * np.random.default_rng(6).standard_normal((2, len(groups)))
    together = mutual_information(x + moved[0], y + moved[1], method, groups)
    alone = mutual_information(x + moved[0], y + moved[1], method)
    assert together.error > 1.5 * alone.error
    assert np.isnan(mutual_information(x, y, method, np.zeros(len(x), int)).error)


def test_groups_are_dealt_and_drawn_whole() -> None:
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(7), [1, 2, 3, 4, 5, 6, 7])
    block = deal(groups, 3, rng)
    assert set(block) == {0, 1, 2}
    assert all(len(set(block[groups == group])) == 1 for group in range(7))
    rows = resample(groups, rng)
    counts = np.bincount(groups[rows], minlength=7) / np.bincount(groups)
    assert counts.sum() == 7
    assert np.all(counts == counts.astype(int))


def test_what_has_no_information_is_said_or_refused() -> None:
    x, y = gaussians(0.5, 100, seed=0)
    assert mutual_information(x, np.ones(100)) == Information(0.0, 0.0, "gmm")
    for args, words in (
        ((x, y, "histogram"), "there is no estimator"),
        ((x, y[:50]), "equally long"),
        ((x[:10], y[:10]), "at least 20"),
        ((np.where(x > 2, np.nan, x), y), "finite"),
    ):
        with pytest.raises(UserError, match=words):
            mutual_information(*args)


@pytest.mark.parametrize(
    ("rho", "value", "error"),
    [
        (0.3, 0.0665, 0.0146),
        (0.6, 0.2388, 0.0222),
        (0.95, 1.1468, 0.0346),
        pytest.param(None, 1.1658, 0.0560, marks=pytest.mark.slow),
    ],
)
def test_the_authors_of_the_method_find_the_same(rho, value, error) -> None:
    """What gmm-mi 0.8.2 (with scikit-learn 1.5.2) says of the same numbers; the last is a parabola with noise, 1.141
    nat."""
    x, z = np.random.default_rng(8 if rho is None else 7).standard_normal((2, 600))
    y = x**2 + 0.3 * z if rho is None else rho * x + np.sqrt(1 - rho**2) * z
    own = mutual_information(x, y)
    assert abs(own.value - value) < 2 * np.hypot(own.error, error)
