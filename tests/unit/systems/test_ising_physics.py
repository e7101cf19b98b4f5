"""The Ising model: its rules, its observables, the names of its phases."""

import numpy as np
import pytest
import torch

from lattice_ml.ground.errors import UserError
from lattice_ml.systems.ising.physics import Ising

SYSTEM = Ising((9, 6))
POINT = {"T": 2.0}


def test_extents_may_come_as_a_list():
    assert Ising([9, 6]) == SYSTEM  # pyright: ignore[reportArgumentType]
    assert SYSTEM.volume == 54
    assert SYSTEM.parameters() == {"name": "ising", "extents": [9, 6]}
    assert SYSTEM.work(POINT) == 54.0


@pytest.mark.parametrize("extents", [(9,), (9, 2), (9, 6, 3), (9.0, 6.0)])
def test_bad_extents(extents):
    with pytest.raises(UserError, match="is not a torus"):
        Ising(extents)


@pytest.mark.parametrize(
    ("point", "message"),
    [
        ({"T": -0.3}, "T = -0.3 is not a temperature"),
        ({"T": np.inf}, "T = inf is not a temperature"),
        ({"T": 2.0, "rho0": 3.0}, "given by T alone, not by T, rho0"),
        ({}, "given by T alone"),
    ],
)
def test_bad_points(point, message):
    with pytest.raises(UserError, match=message):
        SYSTEM.validate(point)


def test_point_key_names_the_point_and_the_torus():
    keys = {system.point_key({"T": t}) for system in (SYSTEM, Ising((6, 9))) for t in (0.5, 0.51)}
    assert len(keys) == 4
    assert SYSTEM.point_key({"T": 0.1 + 0.2}) == SYSTEM.point_key({"T": 0.3})
    assert all(0 <= key < 2**32 for key in keys)


def test_check_knows_two_spins():
    states = np.zeros((3, 1, 9, 6), dtype=np.uint16)
    states[1] = 1
    SYSTEM.check(states, POINT)
    states[2, 0, 8, 5] = 2
    with pytest.raises(RuntimeError, match="holds 2 up spins"):
        SYSTEM.check(states, POINT)


def test_channels_are_spins():
    states = np.random.default_rng(0).integers(0, 2, (3, 4, 1, 9, 6))
    for dtype in (torch.uint8, torch.int16):
        channels = SYSTEM.to_channels(torch.from_numpy(states).to(dtype))
        assert channels.dtype == torch.float32
        assert np.array_equal(channels.numpy(), 2.0 * states - 1)


def test_observables_of_known_states():
    system = Ising((6, 4))
    states = np.zeros((5, 1, 6, 4), dtype=np.uint16)
    states[1] = 1
    states[2, 0, :3] = 1  # two walls across y
    states[3, 0, ::2, ::2] = states[3, 0, 1::2, 1::2] = 1  # an antiferromagnet
    states[4, 0, 5, 3] = 1  # a single spin
    observed = system.observables(states)
    assert observed["magnetisation"] == pytest.approx([-1, 1, 0, 0, -22 / 24])
    assert observed["order"] == pytest.approx([1, 1, 0, 0, 22 / 24])
    assert observed["energy"] == pytest.approx([-2, -2, -2 + 2 * 8 / 24, 2, -2 + 8 / 24])
    assert all(values.dtype == np.float64 for values in observed.values())


def test_the_flip_keeps_the_energy():
    states = np.random.default_rng(1).integers(0, 2, (3, 1, 9, 6)).astype(np.uint16)
    spins = SYSTEM.to_channels(torch.from_numpy(states)).numpy()
    turned = (SYSTEM.symmetries(spins)[0] + 1) / 2
    assert np.array_equal(SYSTEM.observables(turned)["energy"], SYSTEM.observables(states)["energy"])
    assert np.array_equal(SYSTEM.observables(turned)["magnetisation"], -SYSTEM.observables(states)["magnetisation"])


@pytest.mark.parametrize(
    ("order", "names"),
    [
        ([0.95, 0.9, 0.15], ["F", "F", "P"]),
        ([0.1, 0.92], ["P", "F"]),
        ([0.9, 0.2, 0.1, 0.7], ["F", "P", "P", "F"]),
        ([0.9, 0.7], None),  # not twice as ordered
        ([0.9, 0.5, 0.3, 0.1], None),  # no clear cut
        ([0.9], None),
        ([0.0, 0.0], None),
    ],
)
def test_groups_are_named_by_their_order(order, names):
    group = np.repeat(np.arange(len(order)), 20)
    observables = {"order": np.repeat(order, 20)}
    assert SYSTEM.name_groups(observables, group) == names


def test_a_group_that_mixes_phases_has_no_name():
    group = np.repeat([0, 1], 20)
    order = np.repeat([0.9, 0.1], 20)
    order[:2] = 0.1
    assert SYSTEM.name_groups({"order": order}, group) == ["F", "P"]
    order[:3] = 0.1
    assert SYSTEM.name_groups({"order": order}, group) is None
