import numpy as np
import pytest

from lattice_ml.explain.features import Features, distinct, features, field_statistics
from lattice_ml.systems.active_ising.physics import ActiveIsing
from lattice_ml.systems.complex_scalar.fluxes import K_T, K_X
from lattice_ml.systems.complex_scalar.physics import ComplexScalar
from lattice_ml.systems.complex_scalar.weights import log_weights
from lattice_ml.systems.ising.physics import Ising


def test_a_plane_wave_has_one_mode_and_known_moments() -> None:
    """a = 2 + cos(2 pi x / L): S(k_1) = N / 4, variance 1/2, kurtosis 3/2 of a cosine, neighbours cos(2 pi / L)."""
    x = np.arange(12)
    a = np.broadcast_to((2 + np.cos(2 * np.pi * x / 12))[:, None], (12, 5))[None]
    found = {name: float(value[0]) for name, value in field_statistics(a).items()}
    assert found["mean"] == pytest.approx(2)
    assert found["variance"] == pytest.approx(0.5)
    assert found["S_x1"] == pytest.approx(60 / 4)
    assert [found[name] for name in ("S_x2", "S_y1", "S_y2")] == pytest.approx([0, 0, 0], abs=1e-12)
    assert found["neighbours_x"] == pytest.approx(np.cos(2 * np.pi / 12))
    assert found["neighbours_y"] == pytest.approx(1)
    assert found["band_x_variance"] == pytest.approx(0.5)
    assert found["band_x_skewness"] == pytest.approx(0, abs=1e-9)
    assert found["band_x_kurtosis"] == pytest.approx(1.5)
    assert found["band_y_variance"] == pytest.approx(0, abs=1e-12)


def test_fields_that_do_not_vary_have_numbers_too() -> None:
    empty, full = field_statistics(np.zeros((1, 4, 2))), field_statistics(np.full((1, 4, 2), -3.0))
    for found in (empty, full):
        assert all(np.isfinite(value).all() for value in found.values())
    assert full["binder"][0] == pytest.approx(2 / 3)
    assert full["neighbours_x"][0] == 0


@pytest.mark.parametrize(
    ("system", "point"),
    [
        (ActiveIsing((9, 6)), {"T": 0.5, "rho0": 2.0}),
        (Ising((6, 6)), {"T": 2.0}),
        (ComplexScalar((6, 2)), {"eta": 4.0, "mu": 1.0}),
    ],
)
def test_every_system_has_a_table_that_translations_do_not_change(system, point) -> None:
    rng = np.random.default_rng(0)
    high = 2 if system.name == "ising" else 3
    states = rng.integers(0, high, (4, len(system.species), *system.extents)).astype(system.dtype)
    table = features(system, states, point)
    shifted = features(system, np.roll(states, (2, 1), (-2, -1)), point)
    assert table.values.shape == (4, len(table.names))
    assert len(set(table.names)) == len(table.names)
    np.testing.assert_allclose(table.values, shifted.values, rtol=1e-9, atol=1e-9)


def test_a_flux_loop_is_counted_as_it_is_drawn() -> None:
    system = ComplexScalar((5, 4))
    states = np.zeros((1, 4, 5, 4), dtype=np.int16)
    states[0, K_T, 1, 1] += 1  # around one plaquette
    states[0, K_X, 2, 1] += 1
    states[0, K_T, 1, 2] -= 1
    states[0, K_X, 1, 1] -= 1
    found = {name: float(value[0]) for name, value in system.statistics(states).items()}
    assert found["abs_k_t"] == found["abs_k_x"] == pytest.approx(2 / 20)
    assert found["k_t_plus"] == found["k_t_minus"] == pytest.approx(1 / 20)
    assert found["f_2"] == pytest.approx(4 / 20)
    assert found["f_0"] == pytest.approx(16 / 20)
    assert found["curl"] == pytest.approx((4 + 4 * 1) / 20)
    assert found["curl_share"] == pytest.approx(5 / 20)


def test_the_field_strength_is_linear_in_the_shares_of_f() -> None:
    """|phi|² = sum_f p(f) W(f + 2) / W(f), as long as no site has f >= 8."""
    system, point = ComplexScalar((6, 4)), {"eta": 4.01, "mu": 1.0}
    states = np.zeros((20, 4, 6, 4), dtype=np.int16)
    rng = np.random.default_rng(1)
    states[:, K_T] = rng.integers(0, 2, (20, 1, 4))  # straight lines in time: f = 0 or 2
    log_w = log_weights(4.01, 1.0, 16)
    ratios = np.exp(log_w[2::2] - log_w[:-2:2])[:5]
    shares = np.stack([system.statistics(states)[f"f_{2 * k}"] for k in range(5)], axis=1)
    np.testing.assert_allclose(shares @ ratios, system.observables(states, point)["phi2"], rtol=1e-12)


def test_columns_that_say_the_same_or_the_answer_are_left_out() -> None:
    a = np.random.default_rng(0).standard_normal(50)
    table = Features(
        ("a", "flat", "a3", "b", "answer2"), np.stack((a, np.ones(50), a**3, a[::-1], np.exp(-(a[::-1] ** 2))), 1)
    )
    kept, reasons = distinct(table, {"answer": a[::-1] ** 2})
    assert kept == ["a", "b"]
    assert reasons == {
        "flat": "it is constant",
        "a3": "it orders configurations as a does",
        "answer2": "it is the answer, answer",
    }
    np.testing.assert_array_equal(table.select(kept).values, table.values[:, [0, 3]])
