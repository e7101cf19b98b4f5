"""The Active Ising Model's rules: validation, channels, observables, keys."""

import numpy as np
import pytest
import torch

from lattice_ml.ground.errors import UserError
from lattice_ml.systems.active_ising.physics import ActiveIsing

SYSTEM = ActiveIsing((9, 6))
POINT = {"T": 0.5, "rho0": 2.0}


def random_states(*batch):
    return np.random.default_rng(0).integers(0, 5, size=(*batch, 2, 9, 6)).astype(np.uint16)


def test_extents_may_come_as_a_list():
    assert ActiveIsing([9, 6]) == SYSTEM  # pyright: ignore[reportArgumentType]
    assert SYSTEM.volume == 54
    assert SYSTEM.parameters() == {"name": "active_ising", "extents": [9, 6], "D": 1.0, "eps": 0.9}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"extents": (9,)}, "is not a torus"),
        ({"extents": (9, 2)}, "is not a torus"),
        ({"extents": (9, 6), "D": 0.0}, "is not a hop rate"),
        ({"extents": (9, 6), "eps": 1.5}, "eps = 1.5"),
    ],
)
def test_bad_rules(arguments, message):
    with pytest.raises(UserError, match=message):
        ActiveIsing(**arguments)


@pytest.mark.parametrize(
    ("point", "message"),
    [
        ({"T": -0.3, "rho0": 2.0}, "T = -0.3 is not a temperature"),
        ({"T": 0.3, "rho0": 0.0}, "rho0 = 0 is not a density"),
        ({"T": 0.3, "rho0": 2.01}, "nearest density that is one is rho0 = 2.018518519"),
        ({"T": 0.3}, "given by T and rho0"),
    ],
)
def test_bad_points(point, message):
    with pytest.raises(UserError, match=message):
        SYSTEM.validate(point)


def test_good_point():
    SYSTEM.validate(POINT)
    assert SYSTEM.particles(POINT) == 108
    assert SYSTEM.work(POINT) == 108.0


def test_point_key_names_the_point_and_the_rules():
    keys = {
        system.point_key({"T": t, "rho0": rho0})
        for system in (SYSTEM, ActiveIsing((6, 9)), ActiveIsing((9, 6), D=2.0), ActiveIsing((9, 6), eps=0.8))
        for t in (0.5, 0.51)
        for rho0 in (1.0, 2.0)
    }
    assert len(keys) == 16
    assert SYSTEM.point_key({"T": 0.1 + 0.2, "rho0": 2}) == SYSTEM.point_key({"rho0": 2.0, "T": 0.3})
    assert all(0 <= key < 2**32 for key in keys)


def test_check_counts_the_particles():
    states = np.zeros((3, 2, 9, 6), dtype=np.uint16)
    states[:, 0] = 2
    SYSTEM.check(states, POINT)
    states[1, 1, 4, 4] = 1
    with pytest.raises(RuntimeError, match="not conserved"):
        SYSTEM.check(states, POINT)


def test_channels_are_magnetisation_and_density():
    states = random_states(3, 4)
    for dtype in (torch.uint8, torch.int16):
        channels = SYSTEM.to_channels(torch.from_numpy(states.astype(np.int64)).to(dtype))
        assert channels.shape == (3, 4, 2, 9, 6)
        assert channels.dtype == torch.float32
        counts = states.astype(np.float32)
        assert np.array_equal(channels[:, :, 0].numpy(), counts[:, :, 0] - counts[:, :, 1])
        assert np.array_equal(channels[:, :, 1].numpy(), counts[:, :, 0] + counts[:, :, 1])


def test_observables_of_known_states():
    states = np.zeros((4, 2, 9, 6), dtype=np.uint16)
    states[0, 0] = 2  # all plus, uniform
    states[1, 0, :3], states[1, 1, 3:] = 3, 1  # a plus slab in a minus gas
    states[2, 1, :, 2] = 4  # all minus in one lane
    states[3] = 1  # as many of either, on every site
    observed = SYSTEM.observables(states)
    assert observed["magnetisation"] == pytest.approx([1.0, (54 - 36) / 90, -1.0, 0.0])
    assert observed["order"] == pytest.approx([1.0, 0.2, 1.0, 0.0])
    assert observed["minority"] == pytest.approx([0.0, 0.0, 0.0, 0.5])
    # A step of height 4 and width 3 of 9 in columns of 6 sites: 6 · 4 · sin(pi/3) / sin(pi/9).
    mode = 24 * np.sin(np.pi / 3) / np.sin(np.pi / 9) / 90
    assert observed["band_amplitude"] == pytest.approx([0.0, mode, 0.0, 0.0], abs=1e-12)
    assert observed["density_band"] == pytest.approx([0.0, mode / 2, 0.0, 0.0], abs=1e-12)
    assert observed["lane_amplitude"] == pytest.approx([0.0, 0.0, 1.0, 0.0], abs=1e-12)


def test_observables_keep_leading_axes_and_ignore_translations():
    states = random_states(3, 4)
    moved = np.roll(states, (2, 5), axis=(-2, -1))
    for name, values in SYSTEM.observables(states).items():
        assert values.shape == (3, 4)
        assert values.dtype == np.float64
        assert values == pytest.approx(SYSTEM.observables(moved)[name], abs=1e-12)
