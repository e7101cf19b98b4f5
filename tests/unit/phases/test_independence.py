"""Lag-one correlations of planted series."""

import numpy as np
import pytest

from lattice_ml.phases.independence import LEVEL, complaint, judge_ensemble, lag_one


def autoregressive(r, points, replicas, samples, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(points, replicas, samples))
    x[..., 1:] *= np.sqrt(1 - r**2)
    for n in range(1, samples):
        x[..., n] += r * x[..., n - 1]
    return x


def test_independent_samples_have_the_stated_mean_and_error():
    found = lag_one(autoregressive(0.0, 2000, 5, 10))
    assert found is not None
    # 2,000 points: the mean of r is known to 0.15 / sqrt(2000), its spread to a share of 1 / sqrt(4000).
    assert found.value.mean() == pytest.approx(-1 / 49, abs=4 * found.error / np.sqrt(2000))
    assert found.value.std() == pytest.approx(found.error, rel=0.1)


def test_an_ensemble_of_independent_samples_is_rarely_accused():
    accused = sum(lag_one(autoregressive(0.0, 81, 5, 10, seed)).significant().any() for seed in range(300))
    # Binomial with p = LEVEL; the normal law of r is an approximation, which may double it.
    assert accused <= 2 * LEVEL * 300 + 4 * np.sqrt(2 * LEVEL * 300)


def test_correlated_points_are_named_among_independent_ones():
    series = autoregressive(0.0, 40, 5, 20, 1)
    series[7] = autoregressive(0.8, 1, 5, 20, 2)[0]
    found = lag_one(series)
    assert np.flatnonzero(found.significant()).tolist() == [7]
    assert found.value[7] == pytest.approx(0.8, abs=0.3)
    sentence = complaint("the order parameter", [f"T = {T:g}" for T in np.linspace(0.2, 0.59, 40)], found)
    assert "at 1 of 40 points, T = 0.27 (" in sentence
    assert sentence.endswith("disagree.")


def test_trajectories_that_disagree_are_named():
    series = autoregressive(0.0, 10, 4, 10, 3)
    series[2] += np.array([0.0, 0.0, 8.0, 8.0])[:, None]
    assert np.flatnonzero(lag_one(series).significant()).tolist() == [2]


def test_nothing_to_say():
    constant = lag_one(np.ones((3, 2, 4)))
    assert constant.value.tolist() == [0, 0, 0]
    assert complaint("x", ["a", "b", "c"], constant) is None
    assert lag_one(np.ones((3, 2, 1))) is None


def test_all_points_may_be_named():
    found = lag_one(autoregressive(0.95, 5, 4, 50, 4))
    assert found.significant().all()


class Walkers:
    """A system whose only observable is what a site holds, times 1,000."""

    def observables(self, states, point=None):
        return {"order": states[..., 0, 0, 0] / 1000.0}


def test_an_ensemble_is_judged_point_by_point():
    import xarray as xr

    series = autoregressive(0.0, 12, 4, 12, 5)
    series[3] = autoregressive(0.9, 1, 4, 12, 6)[0]
    states = np.rint(1000 * series + 20000).astype(np.int64)[..., None, None, None]
    names = ("point", "replica", "sample", "species", "x", "y")
    T = np.arange(12) / 10
    ensemble = xr.Dataset({"configurations": (names, states)}, {"T": ("point", T)})
    found, sentences = judge_ensemble(ensemble, Walkers())
    assert found["order"]["not_independent"] == 1
    assert found["order"]["lag_one"]["T = 0.3"] == pytest.approx(lag_one(series).value[3], abs=1e-3)
    assert len(sentences) == 1
    assert "T = 0.3 (" in sentences[0]
