"""Angles: a system whose states are real is checked, stored and dealt to nets as it is, not as integers."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

from lattice_ml.data.datamodule import EnsembleData
from lattice_ml.ensembles.generate import generate
from lattice_ml.ensembles.plan import Plan, Protocol
from lattice_ml.ensembles.store import open_ensemble
from lattice_ml.ground.errors import UserError
from lattice_ml.phases.embed import embedded_fields
from lattice_ml.systems.base import Sampler, System
from lattice_ml.systems.check import check_system


@dataclass(frozen=True)
class Angles(System):
    extents: tuple[int, int]

    dtype = "float32"
    species = ("angle",)
    channels = ("cos", "sin")
    starts = ("random",)

    def to_channels(self, states):
        return torch.cat((states.cos(), states.sin()), dim=-3).float()

    def symmetries(self, fields):
        return [-fields, fields * np.array([1, -1], np.float32)[:, None, None]]


class Shaken(Sampler):
    """No physics: every angle moves by a little."""

    def prepare(self, system, point, start, random):
        return random.uniform(0, 2 * np.pi, (1, *system.extents)).astype(np.float32)

    def advance(self, system, point, state, sweeps, random):
        for _ in range(sweeps):
            state += random.normal(0, point["T"], state.shape).astype(np.float32)


def test_nothing_is_wrong_with_angles() -> None:
    system = Angles((6, 5))
    assert system.name == "angles"
    assert system.likelihood == ("normal",)
    assert check_system(system, Shaken()) == []


def test_angles_reach_the_nets_as_they_are(tmp_path: Path) -> None:
    system = Angles((6, 5))
    plan = Plan(
        name="angles", points=({"T": 0.1}, {"T": 0.2}), replicas=5, samples=3, seed=0,
        protocol=Protocol(start="random", waiting=4.0, spacing=2.0, cold_spacing=2.0, cold_below=0.0),
    )  # fmt: skip
    generate(system, Shaken(), plan, tmp_path / "angles.zarr")
    ensemble = open_ensemble(tmp_path / "angles.zarr")
    stored = ensemble["configurations"].to_numpy()
    assert stored.dtype == np.float32
    data = EnsembleData(ensemble, system, batch_size=30, seed=0)
    states = torch.cat(list(data.parts("train")))
    assert states.dtype == torch.float32
    assert (states != states.round()).all()
    fields = embedded_fields(ensemble, system)
    np.testing.assert_allclose(fields[:, 0], np.cos(stored.reshape(-1, 6, 5)), rtol=1e-6, atol=1e-6)


def test_defaults_answer_in_sentences() -> None:
    with pytest.raises(UserError, match="is not a torus: give two whole numbers of at least 3"):
        Angles((2, 5))
    with pytest.raises(UserError, match="a point of angles is given by T alone, not by h"):
        Angles((6, 5)).validate({"h": 1.0})
    with pytest.raises(UserError, match=r"T = -1 will not do: give T > 0, e.g. ensemble.grid.T=\[1.0\]"):
        Angles((6, 5)).validate({"T": -1.0})
    with pytest.raises(UserError, match="runs on the CPU alone"):
        Shaken(device="cuda")
    with pytest.raises(UserError, match="cannot prepare the start 'hot' of angles"):
        Sampler().prepare(Angles((6, 5)), {"T": 1.0}, "hot", np.random.default_rng())
