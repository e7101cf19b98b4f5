"""Autoencoders on spins that are all alike but for a few: what is best is known."""

import os
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import pytest
import torch
import xarray as xr

from lattice_ml.data.configurations import Configurations
from lattice_ml.ground.errors import UserError
from lattice_ml.nets.autoencoder import TorusAutoencoder
from lattice_ml.nets.likelihoods import Likelihood
from lattice_ml.runs.batch_noise import BatchNoise
from lattice_ml.systems.ising.physics import Ising
from lattice_ml.tasks.autoencode import Autoencode, VariationalAutoencode
from lattice_ml.tasks.saved import load_into

SYSTEM = Ising((6, 6))
FLIPPED = 0.05


def data(samples: int = 40) -> Configurations:
    """All up or all down with equal probability, then every spin turned over with the probability 0.05."""
    rng = np.random.default_rng(0)
    sign = rng.integers(0, 2, (1, 10, samples, 1, 1, 1))
    turned = rng.random((1, 10, samples, 1, 6, 6)) < FLIPPED
    states = np.where(turned, 1 - sign, sign).astype(np.uint16)
    ensemble = xr.Dataset({"configurations": (("point", "replica", "sample", "species", "x", "y"), states)})
    return Configurations(ensemble, SYSTEM, batch_size=40, seed=0)


def make(source: Configurations, kind: type = VariationalAutoencode, **options: Any) -> Autoencode:
    torch.manual_seed(0)
    likelihood = Likelihood(SYSTEM.likelihood)
    net = TorusAutoencoder(1, (6, 6), likelihood.numbers, latents=2, stages=2, features=16)
    return kind(net, SYSTEM, likelihood, lr=1e-2, **options)


def fitted(task: Autoencode, source: Configurations, epochs: int, **options: Any) -> L.Trainer:
    options = {"callbacks": [BatchNoise(0)], **options}
    trainer = L.Trainer(
        accelerator="cpu", max_epochs=epochs, logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, num_sanity_val_steps=0, **options,
    )  # fmt: skip
    trainer.fit(task, datamodule=source)
    return trainer


def test_one_latent_holds_the_sign_and_the_loss_comes_near_the_entropy():
    source = data()
    task = make(source, warmup=0.5)
    trainer = fitted(task, source, 60)
    # -ln p of such a configuration on average: ln 2 for the sign, and the entropy of 36 flips.
    entropy = np.log(2) - 36 * (FLIPPED * np.log(FLIPPED) + (1 - FLIPPED) * np.log(1 - FLIPPED))
    spread = np.sqrt(36 * FLIPPED * (1 - FLIPPED)) * np.log(1 / FLIPPED - 1) / np.sqrt(80)
    loss = float(trainer.callback_metrics["val/loss"])
    # Never below (a bound on the surprise, 80 configurations), and at most a nat above: fitted to 240 configurations.
    assert entropy - 4 * spread < loss < entropy + 4 * spread + 1.0
    found = task.posteriors(source.side("test")[0])
    divergence = found.divergence().mean(0)
    assert sorted((divergence > 0.1).tolist()) == [False, True]  # the second latent is not in use
    assert 0.5 < divergence.max() < 1.5  # ln 2 = 0.69, and what the bound is short of it
    up = source.side("test")[1].float().mean((1, 2, 3)) > 0.5
    z = found.mean[:, int(divergence.argmax())]
    assert (z[up].min() > z[~up].max()) or (z[up].max() < z[~up].min())
    drawn = task.draw(torch.randn(400, 2), seed=1)
    order = np.abs(2 * drawn.mean((1, 2, 3)) - 1)
    assert np.mean(order > 0.6) > 0.8  # from the prior too, most configurations have a sign


def test_a_plain_autoencoder_has_numbers_without_noise_and_no_price():
    source = data(6)
    task = make(source, Autoencode)
    found = task.encode(source.side("test")[0])
    z, divergence = task.code(found)
    assert torch.equal(z, found.mean)
    assert not divergence.any()
    assert task.final_price == task.price == 0


@pytest.mark.skipif("PYTEST_XDIST_WORKER" in os.environ, reason="in a process of its own, by test_checkpoints.py")
def test_a_training_that_was_cut_short_ends_in_the_same_weights(tmp_path: Path):
    whole, source = make(data(12)), data(12)
    fitted(whole, source, 4)

    class Stop(L.Callback):
        def on_train_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
            trainer.should_stop = trainer.current_epoch == 1

    cut = make(source)
    fitted(cut, data(12), 4, callbacks=[BatchNoise(0), Stop()]).save_checkpoint(tmp_path / "last.ckpt")
    again = make(source)
    trainer = L.Trainer(
        accelerator="cpu", max_epochs=4, logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False, num_sanity_val_steps=0, callbacks=[BatchNoise(0)],
    )  # fmt: skip
    trainer.fit(again, datamodule=data(12), ckpt_path=tmp_path / "last.ckpt", weights_only=True)
    for own, other in zip(whole.state_dict().values(), again.state_dict().values(), strict=True):
        assert torch.equal(own, other)
    read = load_into(tmp_path / "last.ckpt", make(source))
    assert torch.equal(read.scale, cut.scale)
    with pytest.raises(UserError, match="weights of this Autoencode"):
        load_into(tmp_path / "last.ckpt", Autoencode(TorusAutoencoder(1, (6, 6), 1, 3), SYSTEM, read.likelihood))


def test_nonsense_is_refused():
    source = data(6)
    for name, value in (("beta", 0.0), ("warmup", 2.0)):
        options: dict[str, Any] = {name: value}
        with pytest.raises(UserError, match=name):
            make(source, **options)
    with pytest.raises(UserError, match="lr"):
        Autoencode(TorusAutoencoder(1, (6, 6), 1), SYSTEM, Likelihood(["bernoulli"]), lr=-1)
