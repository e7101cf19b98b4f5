"""The complex scalar field: rules, weights, start states, observables of known configurations."""

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.special import gammaln

from lattice_ml.ground.errors import UserError
from lattice_ml.kernels.lattice import translate
from lattice_ml.systems.complex_scalar.fluxes import divergence, site_sums
from lattice_ml.systems.complex_scalar.physics import ComplexScalar
from lattice_ml.systems.complex_scalar.start import start_state
from lattice_ml.systems.complex_scalar.weights import MOST, largest_f, log_weights, tables

SYSTEM = ComplexScalar((6, 5))
POINT = {"eta": 4.01, "mu": 1.0}


def with_line(column=2, flux=3):
    """A straight line in time and one plaquette, at (1, 2)."""
    state = np.zeros((4, 6, 5), dtype=np.int16)
    state[0, :, column] = flux
    state[0, 1, 2] += 1
    state[1, 2, 2] += 1
    state[0, 1, 3] -= 1
    state[1, 1, 2] -= 1
    return state


# --- rules ---


def test_parameters():
    assert ComplexScalar([6, 5]) == SYSTEM  # pyright: ignore[reportArgumentType]
    assert SYSTEM.parameters() == {"name": "complex_scalar", "extents": [6, 5], "lam": 1.0}
    assert (SYSTEM.volume, SYSTEM.work(POINT)) == (30, 60.0)
    assert ComplexScalar((2, 2)).volume == 4


@pytest.mark.parametrize("extents", [(9,), (9, 1), (9, 6, 3), (9.0, 6.0), (True, 4)])
def test_bad_extents(extents):
    with pytest.raises(UserError, match="is not a torus"):
        ComplexScalar(extents)


@pytest.mark.parametrize("lam", [-0.1, np.inf, np.nan, "1", True])
def test_bad_couplings(lam):
    with pytest.raises(UserError, match="is no coupling"):
        ComplexScalar((4, 4), lam)


@pytest.mark.parametrize(
    ("lam", "point", "message"),
    [
        (1.0, {"mu": 1.0}, "given by eta, mu and perhaps worms, not by mu"),
        (1.0, {"eta": 4.0, "mu": 1.0, "T": 1.0}, "not by T, eta, mu"),
        (1.0, {"eta": np.nan, "mu": 1.0}, "give finite numbers"),
        (1.0, {"eta": 4.0, "mu": 5.0}, "outgrow the samplers' tables"),
        (1.0, {"eta": 4.0, "mu": -800.0}, "outgrow the samplers' tables"),
        (0.0, {"eta": 4.01, "mu": 1.0}, "stable only for eta > 5.08616"),
        (0.0, {"eta": 4.01, "mu": 900.0}, "stable only for eta > inf"),
        (1.0, {**POINT, "worms": 0.5}, "worms = 0.5 will not do on 30 sites: give a whole number from 0 to 15"),
        (1.0, {**POINT, "worms": -1}, "worms = -1"),
        (1.0, {**POINT, "worms": 16}, "worms = 16"),
    ],
)
def test_bad_points(lam, point, message):
    with pytest.raises(UserError, match=message):
        ComplexScalar((6, 5), lam).validate(point)


def test_good_points():
    for eta in (4.01, 4.04, 4.25):
        for mu in (0.0, 0.5, 0.91, 1.5, 2.0, -1.0):
            SYSTEM.validate({"eta": eta, "mu": mu, "worms": 10})
    ComplexScalar((2, 2), 0.0).validate({"eta": 5.5, "mu": 1.0})


def test_point_key_names_the_point_and_the_system():
    systems = (SYSTEM, ComplexScalar((5, 6)), ComplexScalar((6, 5), 0.5))
    points = ({"eta": 4.01, "mu": 1.0}, {"eta": 4.02, "mu": 1.0}, {"eta": 4.01, "mu": 1.1}, {**POINT, "worms": 1})
    keys = {system.point_key(point) for system in systems for point in points}
    assert len(keys) == 12
    assert SYSTEM.point_key({"eta": 4.01, "mu": 0.1 + 0.2}) == SYSTEM.point_key({"mu": 0.3, "eta": 4.01, "worms": 0.0})
    assert all(0 <= key < 2**32 for key in keys)


# --- weights ---


@pytest.mark.parametrize(("eta", "lam"), [(4.01, 1.0), (4.25, 0.3), (-2.0, 0.5), (5.0, 0.0)])
def test_weights_are_the_integrals(eta, lam):
    log_w = log_weights(eta, lam, 60)
    for f in (0, 1, 2, 3, 10, 31, 60):
        integral, _ = quad(
            lambda r, f=f: r ** (f + 1) * np.exp(-eta * r**2 - lam * r**4), 0, np.inf, epsabs=0, epsrel=1e-12
        )
        assert log_w[f] == pytest.approx(np.log(integral), abs=1e-11)


def test_weights_of_the_specification():
    assert np.exp(log_weights(4.01, 1.0, 2)[[0, 2]]) == pytest.approx([0.1129331, 0.0235691], abs=5e-8)


def test_weights_without_lambda_are_gamma_functions():
    f = np.arange(401)
    assert log_weights(5.0, 0.0, 400) == pytest.approx(gammaln(f / 2 + 1) - np.log(2) - (f / 2 + 1) * np.log(5.0))


def test_recurrence():
    """By parts: f W(f - 2) = 2 eta W(f) + 4 lambda W(f + 2), up to the ends of the tables in use."""
    log_w, f = log_weights(4.01, 0.7, 600), np.arange(2, 599)
    sides = 2 * 4.01 * np.exp(log_w[f] - log_w[f - 2]) + 4 * 0.7 * np.exp(log_w[f + 2] - log_w[f - 2])
    assert sides == pytest.approx(f, rel=1e-11)


def test_tables():
    table, log_w = tables(4.01, 1.0, 1.0), log_weights(4.01, 1.0, largest_f(4.01, 1.0, 1.0))
    assert table.largest == len(log_w) - 1
    for by, ratios in ((1, table.by_one), (2, table.by_two)):
        assert ratios[7] == pytest.approx(np.exp([log_w[7 - by] - log_w[7], log_w[7 + by] - log_w[7]]))
        assert ratios[by:, 0] * ratios[:-by, 1] == pytest.approx(1)
        assert not ratios[:by, 0].any()  # f < 0 is never reached, nor what is beyond the end
        assert not ratios[-by:, 1].any()
        with pytest.raises(ValueError, match="read-only"):
            ratios[0, 0] = 1


def test_tables_are_long_enough_and_no_longer_than_a_kernel_allows():
    assert 100 < largest_f(4.01, 1.0, 1.0) < largest_f(4.01, 1.5, 1.0) < largest_f(4.01, 1.5, 0.1) < MOST
    assert largest_f(4.01, -1.5, 1.0) == largest_f(4.01, 1.5, 1.0)
    assert largest_f(4.01, 0.0, 0.0) == largest_f(3.0, 0.0, 0.0) == MOST


# --- start states ---


@pytest.mark.parametrize("extents", [(2, 2), (2, 5), (5, 2), (6, 4), (7, 3)])
def test_starts_are_closed(extents):
    system = ComplexScalar(extents)
    for replica in range(20):
        hot, cold = (start_state(system, POINT, 3, replica, start) for start in ("hot", "cold"))
        system.check(np.stack([hot, cold]), POINT)
        assert hot.dtype == np.int16
        assert not cold.any()
        expected = hot if replica % 2 else cold
        assert np.array_equal(start_state(system, POINT, 3, replica, "hot_and_cold"), expected)
        assert np.array_equal(start_state(system, POINT, 3, replica, "hot"), hot)


def test_hot_starts_differ_and_wind():
    hot = np.stack([start_state(SYSTEM, POINT, seed, r, "hot") for seed in (0, 1) for r in range(50)])
    assert len({state.tobytes() for state in hot}) == 100
    assert np.std(SYSTEM.observables(hot)["Q"]) == pytest.approx(np.sqrt(5 * 2 / 3), rel=0.2)
    assert set(np.unique(hot[:, 2:])) == {0, 1, 2}
    assert site_sums(hot).max() < largest_f(4.01, 0.0, 1.0) / 2


def test_unknown_start():
    with pytest.raises(UserError, match="there is no start 'band': give one of cold, hot, hot_and_cold"):
        start_state(SYSTEM, POINT, 0, 0, "band")


# --- states ---


def test_observables_of_known_states():
    state = with_line()
    seen = SYSTEM.observables(np.stack([state, np.zeros_like(state)]), POINT)
    assert seen["n"] == pytest.approx([18 / 30, 0])
    assert seen["Q"] == pytest.approx([3, 0])
    assert seen["violations"] == pytest.approx([0, 0])
    log_w = log_weights(4.01, 1.0, 12)
    # Corners of the plaquette on the line have |k| = 3 + 4 + 1, the others of the line 3 + 3, its outer corners 1 + 1.
    counts = {6: 4, 8: 2, 2: 2, 0: 22}
    phi2 = sum(count * np.exp(log_w[f + 2] - log_w[f]) for f, count in counts.items()) / 30
    assert seen["phi2"][0] == pytest.approx(phi2)
    assert seen["phi2"][1] == pytest.approx(0.0235691 / 0.1129331, rel=1e-6)
    assert "phi2" not in SYSTEM.observables(state)
    assert all(values.dtype == np.float64 for values in seen.values())


def test_sums_of_sites():
    state = np.zeros((4, 6, 5), dtype=np.int16)
    state[0, 5, 1], state[1, 3, 4], state[2, 5, 1], state[3, 0, 0] = -2, 3, 4, 1
    f, d = np.zeros((6, 5), int), np.zeros((6, 5), int)
    f[5, 1] = f[0, 1] = 2 + 8
    f[3, 4] = f[3, 0] = 3
    f[0, 0] += 2
    f[0, 1] += 2
    d[5, 1], d[0, 1], d[3, 4], d[3, 0] = -2, 2, 3, -3
    assert np.array_equal(site_sums(state), f)
    assert np.array_equal(divergence(state), d)
    assert SYSTEM.observables(state)["violations"] == 5


def test_two_sites_along_an_axis_have_two_links():
    system, state = ComplexScalar((2, 3)), np.zeros((4, 2, 3), dtype=np.int16)
    state[0, 0, 1], state[0, 1, 1] = 1, 1  # round the torus: closed, Q = 1
    system.check(state, POINT)
    assert system.observables(state)["Q"] == 1
    assert site_sums(state)[:, 1].tolist() == [2, 2]
    state[0, 1, 1] = -1  # twice from (0, 1) to (1, 1)
    assert divergence(state)[:, 1].tolist() == [2, -2]


def test_check():
    state = np.stack([with_line()] * 3)
    SYSTEM.check(state, POINT)
    SYSTEM.check(state[:0], POINT)
    open_one = state.copy()
    open_one[1, 1, 0, 0] += 1
    with pytest.raises(RuntimeError, match="broken by 1 open worms instead of 0"):
        SYSTEM.check(open_one, POINT)
    with pytest.raises(RuntimeError, match="broken by 0 open worms instead of 1"):
        SYSTEM.check(open_one, {**POINT, "worms": 1})
    SYSTEM.check(open_one[1:2], {**POINT, "worms": 1})
    state[2, 3, 1, 1] = -1
    with pytest.raises(RuntimeError, match="l < 0"):
        SYSTEM.check(state, POINT)


def test_symmetries_leave_the_observables():
    state = start_state(SYSTEM, POINT, 1, 0, "hot")
    moved = SYSTEM.observables(translate(state, 2, 3), POINT)
    (mirrored,) = SYSTEM.symmetries(state)
    assert np.array_equal(mirrored[1, 0, 1], -state[1, 0, -3])  # a link in space turns round: it ends where it began
    SYSTEM.check(mirrored, POINT)
    for name, value in SYSTEM.observables(state, POINT).items():
        assert moved[name] == pytest.approx(value)
        assert SYSTEM.observables(mirrored, POINT)[name] == pytest.approx(value)


def test_channels_and_groups():
    states = torch.from_numpy(np.stack([with_line()] * 2))
    channels = SYSTEM.to_channels(states)
    assert channels.dtype == torch.float32
    assert torch.equal(channels, states.float())
    assert SYSTEM.name_groups({"n": np.zeros(3)}, np.arange(3)) is None
