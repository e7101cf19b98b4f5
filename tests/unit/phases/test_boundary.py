"""Boundaries from planted class probabilities."""

import json

import numpy as np
import pytest

from lattice_ml.phases.boundary import boundaries, boundary_table, ordered_assignment

PHASES = ("L", "L+G", "G")


def logistic_scan(control, lower, upper, width):
    """Class probabilities [point, 3] that cross exactly at T = lower and T = upper."""
    score = np.stack((-(control - lower), np.zeros_like(control), control - upper), axis=1) / width
    weight = np.exp(score - score.max(axis=1, keepdims=True))
    return weight / weight.sum(axis=1, keepdims=True)


def replicated(mean, replicas=5, samples=4):
    return np.broadcast_to(mean[:, None, None, :], (len(mean), replicas, samples, mean.shape[1])).astype(np.float32)


def test_noiseless_crossings_are_exact_up_to_interpolation():
    control = np.linspace(0.2, 1.0, 81)
    entries = boundaries(control, replicated(logistic_scan(control, 0.413, 0.647, 0.02)), PHASES, "T")
    assert [e["transition"] for e in entries] == ["L|L+G", "L+G|G"]
    assert entries[0]["value"] == pytest.approx(0.413, abs=2e-4)
    assert entries[1]["value"] == pytest.approx(0.647, abs=2e-4)
    # Nothing scatters between replicas: the error is the grid's alone.
    assert entries[0]["error"] == pytest.approx(0.01 / np.sqrt(12), rel=1e-6)
    assert entries[0]["method"] == "cnn"
    json.dumps(entries)


def test_order_of_points_does_not_matter():
    control = np.linspace(0.2, 1.0, 21)
    probabilities = replicated(logistic_scan(control, 0.413, 0.647, 0.05))
    shuffle = np.random.default_rng(0).permutation(21)
    assert boundaries(control, probabilities, PHASES, "T") == boundaries(
        control[shuffle], probabilities[shuffle], PHASES, "T"
    )


def test_linear_probabilities_bootstrap_error_is_the_standard_error_of_the_crossing():
    # On two temperatures 0 and h, <P_a> - <P_b> runs linearly from +1 to -1 plus a replica's own offset u, of standard
    # deviation s. The crossing of the means is at h (1 + u0) / (2 + u0 - u1), with standard error
    # (h/4) s sqrt(2/R) to first order: each end enters with weight h/4.
    rng, s, h, replicas = np.random.default_rng(1), 0.1, 1.0, 40
    estimates, errors = [], []
    for trial in range(60):
        difference = np.array([1.0, -1.0])[:, None] + rng.normal(0, s, (2, replicas))
        pair = np.stack(((1 + difference) / 2, (1 - difference) / 2), axis=-1)
        (entry,) = boundaries(np.array([0.0, h]), pair[:, :, None, :], ("a", "b"), "T", seed=trial)
        estimates.append(entry["value"])
        errors.append(entry["error"] ** 2 - h**2 / 12)
    expected = (h / 4 * s) ** 2 * 2 / replicas
    # Relative scatter of a variance over 60 trials: sqrt(2/60) = 0.18 for the estimates; far less for the mean error.
    assert np.var(estimates) == pytest.approx(expected, rel=4 * 0.18)
    assert np.mean(errors) == pytest.approx(expected, rel=0.15)


@pytest.mark.statistical
@pytest.mark.parametrize("spacing", [0.04, 0.02])
def test_coverage_of_the_error(spacing):
    # Near a boundary a trajectory belongs to one phase or the other: probabilities are 0 or 1, the share of L is
    # planted as a logistic, and the grid lies at random relative to the crossing.
    rng, inside, trials = np.random.default_rng(2), 0, 100
    pulls = []
    for trial in range(trials):
        control = np.arange(0.2, 1.0, spacing) + rng.uniform(0, spacing)
        share = logistic_scan(control, 0.41, 0.65, 0.01)
        phase = (rng.random((len(control), 5, 1)) > share.cumsum(axis=1)[:, None, :]).sum(axis=-1)
        probabilities = np.repeat(np.eye(3, dtype=np.float32)[phase][:, :, None, :], 6, axis=2)
        entry = boundaries(control, probabilities, PHASES, "T", seed=trial)[0]
        inside += abs(entry["value"] - 0.41) <= entry["error"]
        pulls.append((entry["value"] - 0.41) / entry["error"])
    # A Gaussian gives 0.68, a uniform grid error 0.58; the binomial standard deviation over 100 trials is 0.047.
    assert 0.58 - 3 * 0.047 < inside / trials < 0.90
    assert abs(np.mean(pulls)) < 3 / np.sqrt(trials)
    assert np.mean(np.abs(pulls) < 3) > 0.97


@pytest.mark.statistical
def test_coverage_with_two_replicas():
    """Two are held out at the training density. They know little of their own scatter, but one error covers no less."""
    rng, trials, pulls = np.random.default_rng(2), 200, []
    for trial in range(trials):
        control = np.arange(0.2, 1.0, 0.02) + rng.uniform(0, 0.02)
        share = logistic_scan(control, 0.41, 0.65, 0.01)
        phase = (rng.random((len(control), 2, 1)) > share.cumsum(axis=1)[:, None, :]).sum(axis=-1)
        # A net is never quite sure: probabilities of exactly 0 and 1 would tie, and ties go to the earlier phase.
        unsure = rng.dirichlet(np.ones(3), (len(control), 2))
        probabilities = np.repeat((0.98 * np.eye(3)[phase] + 0.02 * unsure)[:, :, None, :], 6, axis=2)
        entry = boundaries(control, probabilities, PHASES, "T", seed=trial)[0]
        pulls.append((entry["value"] - 0.41) / entry["error"])
    # The bounds of the test above, with the binomial standard deviation over 200 trials, 0.034.
    assert 0.58 - 3 * 0.034 < np.mean(np.abs(pulls) <= 1) < 0.90
    assert abs(np.mean(pulls)) < 3 * np.std(pulls) / np.sqrt(trials)


def test_stray_signs_far_from_the_transition_are_ignored():
    control = np.linspace(0.2, 1.0, 41)
    mean = logistic_scan(control, 0.413, 0.647, 0.02)
    mean[-3] = (0.004, 0.001, 0.995)  # deep in the gas, L beats L+G by nothing
    mean[3] = (0.3, 0.4, 0.3)  # one bad temperature in the liquid
    entries = boundaries(control, replicated(mean), PHASES, "T")
    assert entries[0]["value"] == pytest.approx(0.413, abs=0.005)
    assert entries[1]["value"] == pytest.approx(0.647, abs=0.005)


def test_assignment_is_the_best_ordered_one():
    rng = np.random.default_rng(3)
    for _ in range(20):
        mean = rng.random((7, 3))
        best = max(sum(mean[t, (t >= i) + (t >= j)] for t in range(7)) for i in range(8) for j in range(i, 8))
        assigned = ordered_assignment(mean)
        assert np.all(np.diff(assigned) >= 0)
        assert mean[np.arange(7), assigned].sum() == pytest.approx(best)


@pytest.mark.parametrize(
    ("lower", "upper", "missing"),
    [(0.1, 0.65, "L|L+G"), (0.4, 1.2, "L+G|G")],
)
def test_a_scan_that_does_not_reach_a_phase_says_so(lower, upper, missing):
    control = np.linspace(0.2, 1.0, 41)
    entries = boundaries(control, replicated(logistic_scan(control, lower, upper, 0.01)), PHASES, "T")
    absent = {e["transition"]: e for e in entries}[missing]
    assert absent["value"] is None
    assert absent["error"] is None
    assert "nowhere the most probable" in absent["reason"]
    assert sum(e["value"] is not None for e in entries) == 1


def test_a_single_phase():
    control = np.linspace(0.2, 1.0, 5)
    entries = boundaries(control, replicated(np.tile([0.0, 0.1, 0.9], (5, 1))), PHASES, "T")
    assert [e["value"] for e in entries] == [None, None]
    assert entries[0]["reason"] == "the whole scan, T = 0.2 ... 1, is G"


def test_without_a_coexistence_window_the_direct_crossing_is_named():
    control = np.linspace(0.2, 1.0, 41)
    gas = 1 / (1 + np.exp(-(control - 0.503) / 0.02))
    mean = np.stack((0.9 * (1 - gas), np.full(41, 0.1), 0.9 * gas), axis=1)
    entries = boundaries(control, replicated(mean), PHASES, "T")
    assert [e["transition"] for e in entries] == ["L|L+G", "L+G|G", "L|G"]
    assert entries[0]["value"] is None
    assert entries[1]["value"] is None
    assert entries[2]["value"] == pytest.approx(0.503, abs=0.002)


def test_a_crossing_that_most_resamples_do_not_have_is_not_reported():
    # L+G wins at one temperature by one replica in seven, which 1 - (6/7)^7 = 66 % of the resamples contain.
    mean = np.zeros((6, 7, 1, 3))
    mean[:3, ..., 0], mean[3:, ..., 2] = 1, 1
    mean[3, :, :, :] = (0.0, 0.49, 0.51)
    mean[3, 0, :, :] = (0.0, 0.7, 0.3)
    entries = {e["transition"]: e for e in boundaries(np.arange(6.0), mean, PHASES, "T")}
    assert "resampled scans" in entries["L|L+G"]["reason"]


def test_a_single_replica_has_no_error():
    control = np.linspace(0.2, 1.0, 41)
    entries = boundaries(control, replicated(logistic_scan(control, 0.4, 0.6, 0.02), replicas=1), PHASES, "T")
    assert entries[0]["value"] == pytest.approx(0.4, abs=0.002)
    assert entries[0]["error"] is None
    assert "single replica" in entries[0]["reason"]


def test_table_groups_scans_by_the_other_parameters():
    control = np.linspace(0.2, 1.0, 41)
    points, blocks = [], []
    for rho0, lower in ((3.0, 0.41), (1.0, 0.3)):
        points += [{"T": t, "rho0": rho0} for t in control]
        blocks.append(replicated(logistic_scan(control, lower, 0.7, 0.02)))
    table = boundary_table(points, np.concatenate(blocks), PHASES, "T", method="umap")
    assert [(e["rho0"], e["transition"]) for e in table] == [
        (1.0, "L|L+G"), (1.0, "L+G|G"), (3.0, "L|L+G"), (3.0, "L+G|G")
    ]  # fmt: skip
    assert table[0]["value"] == pytest.approx(0.3, abs=0.003)
    assert table[2]["value"] == pytest.approx(0.41, abs=0.003)
    assert list(table[0]) == ["rho0", "transition", "control", "value", "error", "method"]


def test_wrong_input_is_refused():
    good = replicated(logistic_scan(np.linspace(0, 1, 4), 0.3, 0.6, 0.1))
    with pytest.raises(ValueError, match="point, replica, sample, class"):
        boundaries(np.linspace(0, 1, 5), good, PHASES, "T")
    with pytest.raises(ValueError, match="finite"):
        boundaries(np.array([0.0, 0.1, 0.1, 0.3]), good, PHASES, "T")
