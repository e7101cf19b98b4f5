"""What is embedded of an ensemble that does not fit: every point, and as many samples, evenly spaced, as fit."""

import numpy as np
import pytest
import xarray as xr

from lattice_ml.data.thin import thin
from lattice_ml.ground.errors import UserError

SHAPE = (4, 6, 10, 2, 8, 16)
EACH = 8 * 8 * 16 * 4
"""Bytes of a configuration of every point: two float32 a site."""


@pytest.fixture
def ensemble() -> xr.Dataset:
    states = np.broadcast_to(np.arange(10, dtype=np.uint16)[:, None, None, None], SHAPE)
    return xr.Dataset({"configurations": (("point", "replica", "sample", "species", "x", "y"), states)})


@pytest.mark.parametrize("memory", [None, 1.0, 60 * EACH / 2**30])
def test_what_fits_is_left_alone(memory, ensemble):
    assert thin(ensemble, memory) is ensemble


@pytest.mark.parametrize(
    ("room", "replicas", "samples"),
    [(59, 6, [1, 2, 3, 4, 5, 6, 7, 8, 9]), (19, 6, [3, 6, 9]), (13, 6, [4, 9]), (6, 6, [9]), (4, 4, [9]), (1, 1, [9])],
)
def test_as_many_evenly_spaced_samples_as_there_is_room_for(room, replicas, samples, ensemble):
    few = thin(ensemble, (room + 0.5) * EACH / 2**30)["configurations"]
    assert few.shape[:3] == (4, replicas, len(samples))
    np.testing.assert_array_equal(few[0, 0, :, 0, 0, 0], samples)
    assert few.shape[1] * few.shape[2] <= room


def test_too_little_memory_is_one_sentence(ensemble):
    with pytest.raises(UserError, match="one configuration of every point") as caught:
        thin(ensemble, 0.9 * EACH / 2**30)
    least = float(str(caught.value).split("data.memory=")[1].rstrip("."))
    assert thin(ensemble, least).sizes["replica"] == 1
