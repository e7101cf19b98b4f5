"""The ensembles of the complex scalar field as they are configured: their sizes, tori and seeds."""

import json

import pytest
from hydra import compose, initialize_config_dir
from lattice_ml.cli.runtime import sample_shard
from omegaconf import OmegaConf

from lattice_ml.cli.config import CONF, validate
from lattice_ml.ensembles.family import members
from lattice_ml.ensembles.layout import VERDICT
from lattice_ml.ensembles.plan import build_plan
from lattice_ml.ensembles.shard import Shard

SIZES = {  # tori, points, configurations of a point
    "flux_60x4": (1, 1, 24_000),
    "flux_60x4_both": (1, 29, 828),
    "flux_generalisation": (5, 29, 200),
    "flux_extrapolation": (1, 9, 200),
    "flux_violations_train": (1, 4, 1120),
    "flux_violations": (4, 18, 512),
    "flux_counting_train": (1, 18, 1240),
    "flux_counting": (4, 99, 100),
    "flux_toy": (1, 3, 200),
    "flux_toy_tori": (3, 3, 100),
    "flux_toy_worms": (1, 6, 200),
}
TRAINED_ON = {"flux_60x4", "flux_60x4_both", "flux_violations_train", "flux_counting_train"}


@pytest.fixture(scope="module")
def configurations():
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return {name: compose("sample", overrides=[f"ensemble={name}"]) for name in SIZES}


@pytest.mark.parametrize("name", SIZES)
def test_sizes(configurations, name):
    validate(configurations[name])
    section = OmegaConf.to_container(configurations[name].ensemble, resolve=True)
    plan, (tori, points, each) = build_plan(section), SIZES[name]
    assert (len(members(section)), len(plan.points), plan.replicas * plan.samples) == (tori, points, each)
    assert plan.protocol.start == "hot_and_cold"
    assert plan.replicas % 2 == 0  # as many hot as cold


def test_nets_are_not_tested_on_what_they_were_trained_with(configurations):
    """Other seeds: the same point and seed would give the same trajectories."""
    seeds = {name: config.ensemble.seed for name, config in configurations.items()}
    trained = {seeds[name] for name in TRAINED_ON}
    tested = {seeds[name] for name in ("flux_generalisation", "flux_extrapolation", "flux_violations", "flux_counting")}
    assert not trained & tested


def test_the_last_shard_tells_the_equilibration(configurations, tmp_path):
    config = configurations["flux_toy"].copy()
    config.ensemble.path = str(tmp_path / "toy.zarr")
    sections = (config.system, config.sampler, config.ensemble)
    verdict = tmp_path / "toy.zarr" / VERDICT
    assert sample_shard(*sections, Shard(0, 2)) == (2, 3)
    assert not verdict.exists()
    assert sample_shard(*sections, Shard(1, 2)) == (3, 3)
    assert json.loads(verdict.read_text())["points"]
