"""How long the nets of a comparison train."""

import pytest
from omegaconf import OmegaConf

from lattice_ml.workflows.nets.workflow import with_epochs


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
    config = OmegaConf.create({"data": {"steps": steps, "sizes": [100, 400]}, "trainer": {"max_epochs": 50}})
    assert with_epochs(config, size, batches).trainer.max_epochs == epochs
    assert config.trainer.max_epochs == 50
