import numpy as np
import pytest

from lattice_ml.explain.latents import entangled, informed, smoothness, tabulated

RNG = np.random.default_rng(0)
Z = RNG.normal(size=(1500, 2))
NOISY = Z[:, 0] + 0.5 * RNG.normal(size=1500)


def test_information_is_found_where_it_is_and_a_constant_tells_nothing():
    table = informed(Z, {"noisy": NOISY, "constant": np.ones(1500)}, method="ksg")
    known = 0.5 * np.log(1 + 1 / 0.25)  # 1/2 ln(1 + signal / noise) of Gaussians
    assert table.value[0, 0] == pytest.approx(known, abs=4 * max(table.error[0, 0], 0.02))
    assert table.value[1, 0] < 4 * max(table.error[1, 0], 0.02)
    assert not table.value[:, 1].any()
    assert table.summary()["z1"]["noisy"]["value"] == table.value[0, 0]


def test_what_control_parameters_tell_stands_below_what_latents_do():
    known = {"T": np.repeat(np.arange(5.0), 300), "noisy": NOISY}
    latents = informed(Z, known, method="ksg")
    table = latents.above(tabulated({"T": known["T"]}, known, method="ksg"))
    assert table.rows == ("z1", "z2", "T")
    np.testing.assert_array_equal(table.value[:2], latents.value)
    assert np.isnan(table.value[2, 0])  # T with itself
    assert table.value[2, 1] < 4 * max(table.error[2, 1], 0.02)  # drawn without regard to T
    assert table.summary()["T"]["T"] == {"value": None, "error": None}


def test_latents_that_share_are_entangled():
    mixed = np.stack((Z[:, 0], Z[:, 0] + 0.3 * Z[:, 1], Z[:, 1]), axis=1)
    table = entangled(mixed, method="ksg")
    assert np.isnan(np.diag(table.value)).all()
    assert table.value[0, 1] == table.value[1, 0] > 1.0  # 1/2 ln(1 + 1 / 0.09) = 1.25
    assert table.value[0, 2] < 0.1
    assert table.summary()["z1"]["z1"] == {"value": None, "error": None}


def test_a_cubic_is_smooth_and_a_step_is_not():
    plane = RNG.uniform(-1, 1, (600, 2))
    cubic = plane[:, 0] ** 3 - plane[:, 0] * plane[:, 1]
    step = np.sign(np.sin(9 * plane[:, 0]))
    found = smoothness(plane, np.stack((cubic, step), axis=1), slice(None, 300), slice(300, None))
    assert found[0] == pytest.approx(1, abs=1e-9)
    assert found[1] < 0.5
