"""Every experiment composes and passes its own schema; what does not is explained in one sentence."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hydra import compose, initialize_config_dir
from hydra.errors import InstantiationException
from omegaconf import DictConfig

from lattice_ml.cli.config import validate
from lattice_ml.cli.entry import CONF, explain
from lattice_ml.cli.sample import check_sampling
from lattice_ml.ground.errors import UserError

EXPERIMENTS = sorted(path.stem for path in (CONF / "experiment").glob("*.yaml"))
ENSEMBLES = sorted(path.stem for path in (CONF / "ensemble").glob("*.yaml"))


def composed(name: str, *overrides: str) -> DictConfig:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose(name, list(overrides))


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_every_experiment_composes_and_is_physical(experiment: str) -> None:
    config = composed("train", f"experiment={experiment}")
    validate(config).check_classes()
    assert config.name == experiment, "an experiment names its run folder after itself"


@pytest.mark.parametrize("ensemble", ENSEMBLES)
def test_every_ensemble_composes_and_is_physical(ensemble: str) -> None:
    config = composed("sample", f"ensemble={ensemble}", "ensemble.seed=7")
    assert check_sampling(config).ensemble.name == ensemble
    assert config.ensemble.path == f"stores/{ensemble}-seed7.zarr", "seeds do not overwrite one another"


def test_the_paper_ensemble_is_the_paper_s() -> None:
    ensemble = check_sampling(composed("sample")).ensemble
    plan = ensemble.plan
    temperatures = [point["T"] for point in plan.points]
    assert ensemble.tori == ((81, 81),)
    assert temperatures == [round(0.2 + 0.01 * k, 10) for k in range(81)]
    assert {point["rho0"] for point in plan.points} == {3.0}
    assert plan.replicas * plan.samples == 50


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("sampler.device=tpu",), "sampler.device = 'tpu' will not do"),
        (("shard=3/2",), "shard = 3/2 will not do"),
        (("repair=maybe",), "repair = 'maybe' will not do"),
        (("repair=true", "shard=1/2"), "leave out shard=1/2"),
        (("movie=1",), "movie = 1 will not do"),
        (("movie=true", "repair=true"), "leave out shard and repair"),
        (("film.frames=2001",), "film.frames = 2001 will not do"),
        (("film.spacing=0",), "film.spacing = 0 will not do"),
        (("+film.frame=3",), "did you mean film.frames?"),
        (("paths.runs=null",), "paths.runs"),
        (("+seed=-1",), "seed = -1 will not do"),
        (("~ensemble",), "ensemble is missing"),
        (("~sampler",), "sampler is missing"),
        (("system.D=inf",), "D = inf is not a hop rate"),
        (("ensemble.grid.T=[0.2,0.0]",), "T = 0 is not a temperature"),
    ],
)
def test_an_impossible_sampling_is_one_sentence(words: tuple[str, ...], sentence: str) -> None:
    with pytest.raises((UserError, InstantiationException)) as caught:
        check_sampling(composed("sample", *words))
    explained = explain(caught.value)
    assert explained is not None
    assert sentence in explained
    assert "\n" not in explained


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("trainer.max_epochs=0", "trainer.max_epochs = 0 will not do"),
        ("data.batch_size=2.5", "data.batch_size = 2.5 will not do"),
        ("data.split=[0.5,0.5]", "data.split"),
        ("task.l2=-1", "task.l2 = -1 will not do"),
        ("sampler.device=tpu", "sampler.device = 'tpu' will not do"),
        ("model.padding_mode=reflect", "model.padding_mode"),
        ("ensemble.grid.T=[0.2,0.0]", "T = 0 is not a temperature"),
        ("ensemble.grid.T=0.2:0.9:0.4", "give 0.2:0.6:0.4"),
        ("survey.grid.rho0=[-1]", "rho0 = -1 is not a density"),
        ("ensemble.protocol.start=stripes", "band, ordered, random"),
        ("seed=-1", "seed = -1"),
        ("system.D=abc", "D = 'abc' is not a number"),
        ("system.D=inf", "D = inf is not a hop rate"),
        ("system.eps=null", "eps = None is not a number"),
    ],
)
def test_an_impossible_value_is_one_sentence(override: str, sentence: str) -> None:
    config = composed("train", "experiment=aim_quick", override)
    with pytest.raises((UserError, InstantiationException)) as caught:  # Hydra wraps what a constructor raises
        validate(config).check_classes()
    explained = explain(caught.value)
    assert explained is not None
    assert sentence in explained
    assert "\n" not in explained


def test_a_defect_of_ours_is_not_explained_away() -> None:
    assert explain(RuntimeError("particle number not conserved")) is None
    assert explain(UserError("give T > 0.")) == "give T > 0."


@pytest.mark.parametrize(
    ("check", "words"),
    [("config import validate", '"train", ["experiment=aim_rho3"]'), ("sample import check_sampling", '"sample"')],
)
def test_heavy_packages_are_not_imported_before_the_configuration_is_checked(check: str, words: str) -> None:
    """What keeps `python train.py --help` quick."""
    heavy = "{'torch', 'lightning', 'numba', 'zarr', 'xarray', 'umap', 'captum', 'wandb', 'sklearn', 'matplotlib'}"
    code = f"""
import sys
from hydra import compose, initialize_config_dir
from lattice_ml.cli.entry import CONF
from lattice_ml.cli.{check}
with initialize_config_dir(str(CONF), version_base="1.3"):
    {check.split()[-1]}(compose({words}))
print(sorted({heavy} & set(sys.modules)))
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "[]"
