"""How long the nets of a comparison train."""

import pytest

from lattice_ml.data.settings import DataSettings
from lattice_ml.ground.recipe import Recipe
from lattice_ml.runs.training import Training
from lattice_ml.workflows.nets.training import with_steps


@pytest.mark.parametrize(
    ("steps", "size", "batches", "epochs"),
    [
        (None, 400, 8, 50),
        (100, 400, 8, 13),  # 104 steps: whole epochs
        (100, 100, 2, 50),  # no more than the Trainer is given
        ([30, 100], 100, 2, 15),
        ([30, 100], 400, 8, 13),
    ],
)
def test_epochs_that_take_the_steps_of_a_size(steps, size, batches, epochs):
    training = Training(Recipe("lightning.Trainer", max_epochs=50))
    assert with_steps(training, DataSettings(steps=steps, sizes=[100, 400]), size, batches).epochs == epochs
    assert training.epochs == 50
