"""The ensembles of the complex scalar field as they are configured: their sizes, tori and seeds."""

import json

import pytest
from hydra import compose, initialize_config_dir

from lattice_ml.cli.config import CONF, check_points, plain_of
from lattice_ml.cli.door import Door
from lattice_ml.ensembles.ensemble import Ensemble
from lattice_ml.ensembles.layout import VERDICT
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


def configured(*words: str) -> Ensemble:
    """The ensemble that sample.py makes of these words, its points checked."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        door = Door(plain_of(compose("sample", overrides=list(words))), trusted=False, open_run=lambda folder: None)
    check_points(door)
    return door.ensemble("ensemble")


@pytest.fixture(scope="module")
def ensembles() -> dict[str, Ensemble]:
    return {name: configured(f"ensemble={name}") for name in SIZES}


@pytest.mark.parametrize("name", SIZES)
def test_sizes(ensembles, name):
    plan, (tori, points, each) = ensembles[name].plan, SIZES[name]
    assert (len(ensembles[name].tori), len(plan.points), plan.replicas * plan.samples) == (tori, points, each)
    assert plan.protocol.start == "hot_and_cold"
    assert plan.replicas % 2 == 0  # as many hot as cold


def test_nets_are_not_tested_on_what_they_were_trained_with(ensembles):
    """Other seeds: the same point and seed would give the same trajectories."""
    seeds = {name: ensemble.plan.seed for name, ensemble in ensembles.items()}
    trained = {seeds[name] for name in TRAINED_ON}
    tested = {seeds[name] for name in ("flux_generalisation", "flux_extrapolation", "flux_violations", "flux_counting")}
    assert not trained & tested


def test_the_last_shard_tells_the_equilibration(tmp_path):
    ensemble = configured("ensemble=flux_toy", f"ensemble.path={tmp_path}/toy.zarr")
    verdict = tmp_path / "toy.zarr" / VERDICT
    assert ensemble.sample_shard(Shard(0, 2)) == (2, 3)
    assert not verdict.exists()
    assert ensemble.sample_shard(Shard(1, 2)) == (3, 3)
    assert json.loads(verdict.read_text())["points"]
