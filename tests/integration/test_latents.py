"""Encoders as a user runs them: every kind on every system at toy size, and the pendulum whose answer is known."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from toy_experiment import train

from lattice_ml.cli.config import open_run
from lattice_ml.ground.errors import UserError
from lattice_ml.workflows.latents import Latents, Pendulum, Queries


def run(folder: Path, *words: str) -> None:
    train(folder, "logger=csv", f"paths.stores={folder / 'stores'}", *words)


def results(folder: Path, name: str) -> dict[str, Any]:
    home = folder / "runs" / name / "001"
    assert (home / "report.html").is_file()
    assert (home / "checkpoints" / "best.ckpt").is_file()
    return json.loads((home / "results.json").read_text())


def test_a_variational_autoencoder_of_spins(tmp_path: Path):
    run(tmp_path, "experiment=ising_vae_toy", "latents.dimensions=[1]")
    found = results(tmp_path, "ising_vae_toy")
    assert found["likelihood"] == {"up": "bernoulli"}
    assert set(found["information"]["ksg"]["z1"]) == {"magnetisation", "order", "energy", "T"}
    assert found["information"]["of_control_parameters"]["T"]["energy"]["value"] > 0  # energy follows temperature
    for test in ("density histogram", "structure factor", "observables"):
        assert set(found["two_sample"][test]) == {"prior", "posteriors", "halves_of_the_ensemble"}
        assert found["two_sample"][test]["halves_of_the_ensemble"]["p"] > 0.01  # one law, whatever was trained
    assert [row["latents"] for row in found["dimensions"]] == [1]
    figures = {path.stem for path in (tmp_path / "runs/ising_vae_toy/001/figures").glob("*.png")}
    assert figures >= {"information", "traversals", "interpolation", "prior", "dimensions", "latent_plane", "training"}


@pytest.mark.parametrize(
    ("words", "kind"),
    [(("latents.dimensions=null",), Latents), (("task=answer_queries", "latents.dimensions=null"), Queries)],
)
def test_a_finished_run_is_opened_again_with_the_means_of_its_latents(
    tmp_path: Path, words: tuple[str, ...], kind: type
):
    run(tmp_path, "experiment=ising_vae_toy", *words, "name=encoded")
    results(tmp_path, "encoded")
    finished = open_run(tmp_path / "runs" / "encoded" / "001")
    assert isinstance(finished.workflow, kind)
    explained = finished.explained()
    assert explained.outputs == ("z1", "z2")
    assert not explained.classes
    unseen = explained.unseen()
    assert 0 < unseen.sizes["replica"] < finished.workflow.ensembles["ensemble"].plan.replicas
    states = unseen["configurations"].transpose("point", "replica", "sample", "species", "x", "y").to_numpy()
    x = explained.system.to_channels(torch.from_numpy(states[:, 0, -1].astype(np.int32)))
    with torch.inference_mode():
        torch.testing.assert_close(explained.score(x), explained.task.posteriors(x).mean)


def test_a_pendulum_has_no_lattice_to_be_asked_about(tmp_path: Path):
    run(tmp_path, "experiment=pendulum", "data.pendula=50", "trainer.max_epochs=1", "latents.information=ksg")
    finished = open_run(tmp_path / "runs" / "pendulum" / "001")
    assert isinstance(finished.workflow, Pendulum)
    with pytest.raises(UserError, match="trained no net on a lattice"):
        finished.explained()


def test_mistakes_are_told_in_one_sentence(forked: Callable[..., Any], tmp_path: Path):
    for words, cure in (
        (("experiment=ising_vae_toy", "task=answer_queries", "~question"), "question=profile"),
        (("experiment=pendulum", "model.latents=0", "logger=csv"), "model.latents=3"),
        (("experiment=aim_quick", "workflow=latents"), "task=autoencoder"),
        (("experiment=aim_quick", "workflow=queries", "question=profile"), "task=answer_queries"),
        (("experiment=ising_vae_toy", "data=members"), "data=default"),
        (("experiment=ising_vae_toy", "latents.information=mine"), "latents.information = 'mine' will not do"),
        (("experiment=ising_vae_toy", "latents.dimensions=[0]"), "latents.dimensions.0 = 0 will not do"),
        (("experiment=ising_vae_toy", "+latents.dimension=[1]"), "did you mean latents.dimensions?"),
    ):
        ended = forked("train.py", *words, folder=tmp_path)
        assert ended.returncode == 2
        assert ended.stderr.startswith("error: ")
        assert cure in ended.stderr


@pytest.mark.slow
def test_a_plain_autoencoder_has_no_prior_to_draw_from(tmp_path: Path):
    run(tmp_path, "experiment=ising_vae_toy", "task=autoencoder", "latents.dimensions=null")
    plain = results(tmp_path, "ising_vae_toy")
    assert "two_sample" not in plain
    assert not any(name.startswith("KL") for name in plain["metrics"])


@pytest.mark.slow
@pytest.mark.parametrize(
    "words",
    [
        ("experiment=aim_vae_toy",),
        ("experiment=aim_ive_toy",),
        ("experiment=aim_ive_toy", "question=correlation", "name=aim_ive_toy"),
        ("experiment=flux_vae_toy",),
        ("experiment=flux_vae_toy", "task=answer_queries", "name=flux_vae_toy"),
        ("experiment=flux_vae_toy", "task=beta_vae", "name=flux_vae_toy"),
        ("experiment=ising_vae_toy", "task=answer_queries", "question=correlation", "name=ising_vae_toy"),
    ],
    ids=" ".join,
)
def test_every_encoder_on_every_system(tmp_path: Path, words: tuple[str, ...]):
    run(tmp_path, *words)
    found = results(tmp_path, words[0].partition("=")[2])
    assert found["information"]["ksg"]["z1"]
    assert len(found["dimensions"]) == 2


@pytest.mark.slow
def test_the_pendulum_is_two_numbers(tmp_path: Path):
    """Iten et al.: an error below 2 % of the amplitude with two latents, which are smooth functions of omega and b."""
    run(tmp_path, "experiment=pendulum", "latents.information=ksg")
    found = results(tmp_path, "pendulum")
    metrics = {name: row["value"] for name, row in found["metrics"].items()}
    assert metrics["rmse_in_percent_of_the_amplitude"] < 2
    assert metrics["latents_in_use"] == 2
    assert metrics["R2_of_omega_as_a_cubic_of_the_latents"] > 0.99
    assert metrics["R2_of_damping_as_a_cubic_of_the_latents"] > 0.99
    told = found["information"]["ksg"]
    assert max(row["omega"]["value"] for row in told.values()) > 0.5
    assert max(row["b / 2m"]["value"] for row in told.values()) > 0.3
