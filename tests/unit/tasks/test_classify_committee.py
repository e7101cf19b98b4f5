"""A committee of classifiers: each trains as if it were alone, and all are asked about any placement of their cells."""

import contextlib
from pathlib import Path

import lightning as L
import numpy as np
import pytest
import torch
import xarray as xr
import yaml
from lightning.pytorch.callbacks import ModelCheckpoint
from torch.nn import functional as F

from lattice_ml.cli.recipes import with_recipes
from lattice_ml.data.augment import TorusShift
from lattice_ml.data.datamodule import EnsembleData
from lattice_ml.ground.errors import UserError
from lattice_ml.nets.committee import Committee
from lattice_ml.nets.phase_cnn import PhaseCNN
from lattice_ml.nets.phase_equivariant import PhaseEquivariant
from lattice_ml.systems.active_ising.physics import ActiveIsing
from lattice_ml.tasks.classify_committee import ClassifyCommittee
from lattice_ml.tasks.members import load_members

pytestmark = pytest.mark.filterwarnings("ignore")
CONF = Path(__file__).parents[3] / "conf"
EXTENTS = (18, 18)
SYSTEM = ActiveIsing(EXTENTS)


def cells() -> PhaseEquivariant:
    return PhaseEquivariant(2, EXTENTS, 3, cell=3, filters=8, hidden=16)


def paper() -> PhaseCNN:
    return PhaseCNN(2, EXTENTS, 3, filters=2, hidden=4)


def committee(net=cells, members: int = 3, seed: int = 2, **options) -> ClassifyCommittee:
    return ClassifyCommittee(Committee.initialise(net, members, seed), SYSTEM, **{"lr": 1e-2} | options)


def states(extents: tuple[int, int] = EXTENTS, seed: int = 1) -> np.ndarray:
    """[point, replica, sample, species, x, y]: three 'phases' that differ in how their six particles a site are
    magnetised, one way or the other: 0.95, 0.75 or half of them are of one kind."""
    rng = np.random.default_rng(seed)
    shape = (3, 5, 6, *extents)
    plus = rng.binomial(6, np.array([0.95, 0.75, 0.5]).reshape(3, 1, 1, 1, 1), shape)
    return np.stack([plus, 6 - plus], axis=3).astype(np.uint16)


LABELS = np.broadcast_to(np.arange(3)[:, None, None], (3, 5, 6))


def data() -> EnsembleData:
    dataset = xr.Dataset({"configurations": (("point", "replica", "sample", "species", "x", "y"), states())})
    return EnsembleData(dataset, SYSTEM, LABELS, batch_size=16, augment=TorusShift(), seed=2)


class StopAfter(L.Callback):
    """What a kill at the end of an epoch leaves: the checkpoint of that epoch."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if trainer.current_epoch == self.epoch:
            raise KeyboardInterrupt


def fit(
    task: ClassifyCommittee, folder: Path, epochs: int, *callbacks: L.Callback, start: Path | None = None
) -> L.Trainer:
    last = ModelCheckpoint(folder, "last", save_on_train_epoch_end=True, enable_version_counter=False)
    trainer = L.Trainer(
        accelerator="cpu", max_epochs=epochs, callbacks=[last, *callbacks], logger=False, enable_progress_bar=False,
        enable_model_summary=False, num_sanity_val_steps=0, deterministic=True,
    )  # fmt: skip
    with contextlib.suppress(KeyboardInterrupt, SystemExit):
        trainer.fit(task, datamodule=data(), ckpt_path=start, weights_only=True)
    return trainer


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> tuple[Path, L.Trainer, ClassifyCommittee]:
    """Three nets of cells, where their checkpoint lies, and who trained them."""
    folder = tmp_path_factory.mktemp("committee")
    task = committee(l2=1e-4, schedule="cosine", lr=3e-2)
    return folder / "last.ckpt", fit(task, folder, 40), task


def test_every_member_learns(trained):
    _, trainer, task = trained
    fresh = states(seed=9).reshape(-1, 2, *EXTENTS)
    y = LABELS.reshape(-1)
    scores = task.judge(fresh, y)
    # The three magnetisations differ by dozens of standard errors: every configuration can be told.
    assert scores["acc"].tolist() == [1.0, 1.0, 1.0]
    assert (scores["cross_entropy"] < 0.3).all()
    assert {"train/loss", "val/loss", "val/acc", "val/cross_entropy", "val/best"} <= set(trainer.callback_metrics)
    assert torch.isfinite(task.best_loss).all()
    predicted = task.predict(fresh)
    assert not np.allclose(predicted[0], predicted[1])  # they are not one net


def test_probabilities_sum_to_one_and_know_no_translation(trained):
    _, _, task = trained
    asked = states(seed=4).reshape(-1, 2, *EXTENTS)[::7]
    found = task.probabilities(asked)
    assert (found.shape, found.dtype) == ((3, len(asked), 3), np.float32)
    np.testing.assert_allclose(found.sum(axis=-1), 1, rtol=1e-6)
    np.testing.assert_array_equal(found, task.probabilities(torch.from_numpy(asked.astype(np.int16))))
    np.testing.assert_allclose(found, torch.from_numpy(task.predict(asked)).softmax(-1), rtol=1e-6)
    moved = task.probabilities(np.roll(asked, (4, 7), axis=(-2, -1)))
    np.testing.assert_allclose(moved, found, atol=1e-5)
    assert task.probabilities(asked[:0]).shape == (3, 0, 3)


def test_other_tori_are_read_part_by_part(trained):
    _, _, task = trained
    wide = states((18, 36), seed=5).reshape(-1, 2, 18, 36)[::11]
    found = task.probabilities(wide)
    assert (found.argmax(-1) == LABELS.reshape(-1)[::11]).all()
    many = task.probabilities(np.tile(wide[:1], (2000, 1, 1, 1)))  # more than are read at a time
    np.testing.assert_allclose(many, np.broadcast_to(found[:, :1], many.shape), rtol=1e-4)
    with pytest.raises(UserError, match="do not fit cells of 3 × 3"):
        task.probabilities(np.ones((1, 2, 18, 20), dtype=np.uint16))


def test_the_input_is_divided_by_the_scale_of_the_training_data(trained):
    _, _, task = trained
    assert torch.equal(task.unit, data().scale())
    x = torch.rand(2, 2, *EXTENTS)
    torch.testing.assert_close(task.answer(task.net, x), task.net(x / task.unit[:, None, None]))


def test_the_loss_is_cross_entropy_plus_the_squares_of_weights():
    task = committee(l2=0.3)
    x, y = torch.rand(5, 2, *EXTENTS), torch.tensor([0, 1, 2, 0, 1])
    expected = sum(
        float(F.cross_entropy(task.net.member(m)(x), y).detach()) + 0.3 * float(task.net.squares()[m].detach())
        for m in range(3)
    )
    assert float(task.training_step((x, y), 0).detach()) == pytest.approx(expected, rel=1e-5)
    logits = torch.tensor([[[2.0, 0.0, 0.0], [0.0, 1.0, 3.0]]])
    scores = committee(members=1).scores(logits, torch.tensor([0, 1]))
    assert scores["acc"].tolist() == [[1.0, 0.0]]
    by_hand = [np.log(np.exp(2) + 2) - 2, np.log(1 + np.exp(1) + np.exp(3)) - 1]
    np.testing.assert_allclose(scores["cross_entropy"], [by_hand], rtol=1e-6)


def test_the_best_loss_is_that_of_the_best_weights(tmp_path):
    """By nets without cells, which are asked as they are trained."""
    task = committee(paper, l2=0.01)
    fit(task, tmp_path, 4)
    held = data()
    held = held.states[held.index["val"]], held.labels[held.index["val"]]
    found = task.judge(held[0].numpy(), held[1].numpy())["cross_entropy"]
    expected = found + 0.01 * task.best.squares().double().numpy()
    np.testing.assert_allclose(task.best_loss, expected, rtol=1e-5)


def test_l2_shrinks_the_weights_of_every_member(tmp_path):
    loose, tight = committee(paper, l2=0.0), committee(paper, l2=0.05)
    before = loose.net.squares().detach()
    assert torch.equal(before, tight.net.squares().detach())
    for name, task in (("loose", loose), ("tight", tight)):
        fit(task, tmp_path / name, 5)
    assert (tight.net.squares() < 0.8 * before).all()
    assert (tight.net.squares() < 0.8 * loose.net.squares()).all()
    assert loose.penalties().tolist() == [0.0] * 3


def test_members_train_together_as_alone(tmp_path):
    together, alone = committee(l2=1e-3), committee(l2=1e-3)
    alone = ClassifyCommittee(Committee([alone.net.member(1)]), SYSTEM, lr=1e-2, l2=1e-3)
    for name, task in (("together", together), ("alone", alone)):
        fit(task, tmp_path / name, 3)
    for one, many in zip(alone.net.member(0).parameters(), together.net.member(1).parameters(), strict=True):
        torch.testing.assert_close(many, one, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(together.best_loss[1], alone.best_loss[0], rtol=1e-4, atol=0)


def test_a_resumed_run_ends_in_the_same_bits(tmp_path):
    options = {"l2": 1e-3, "schedule": "cosine"}
    straight, killed = committee(**options), committee(**options)
    fit(straight, tmp_path / "straight", 4)
    fit(killed, tmp_path / "killed", 4, StopAfter(2))
    resumed, start = committee(seed=9, **options), tmp_path / "killed" / "last.ckpt"
    assert torch.load(start, weights_only=True)["epoch"] == 1
    fit(resumed, tmp_path / "resumed", 4, start=start)
    for name, value in straight.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"l2": -0.1}, "give l2 >= 0"),
        ({"l2": float("nan")}, "give l2 >= 0"),
        ({"l2": float("inf")}, "give l2 >= 0"),
        ({"lr": 0.0}, "give lr > 0"),
        ({"schedule": "plateau"}, "constant, cosine or one_cycle"),
        ({"patience": 0}, "patience = 0 epochs is none"),
    ],
)
def test_impossible_settings_are_refused(options, sentence):
    with pytest.raises(UserError, match=sentence):
        committee(**options)


def test_a_net_of_other_outputs_is_refused():
    with pytest.raises(UserError, match=r"the net has 2 outputs where L, L\+G, G are asked for"):
        ClassifyCommittee(Committee([PhaseCNN(2, EXTENTS, 2)]), SYSTEM)


def test_a_configuration_builds_it():
    section = yaml.safe_load((CONF / "task" / "classify_committee.yaml").read_text())
    del section["defaults"]
    task = with_recipes(section, False)(net=Committee.initialise(cells, 2, seed=0), system=SYSTEM, l2=0.2)
    assert isinstance(task, ClassifyCommittee)
    assert (task.l2, task.lr, task.schedule, task.amsgrad) == (0.2, 1e-3, "constant", False)


class TestLoad:
    def test_weights_and_units_come_back(self, trained):
        path, _, task = trained
        loaded = load_members(path, committee(seed=5, l2=1e-4))
        asked = states(seed=4).reshape(-1, 2, *EXTENTS)[:9]
        np.testing.assert_array_equal(loaded.predict(asked), task.predict(asked))
        assert torch.equal(loaded.unit, task.unit)
        assert not loaded.training

    def test_a_checkpoint_holds_tensors_and_plain_values(self, trained):
        settings = torch.load(trained[0], weights_only=True)["hyper_parameters"]
        assert settings == {
            "task": "ClassifyCommittee", "system": SYSTEM.parameters(), "members": 3, "classes": ["L", "L+G", "G"],
            "l2": 1e-4, "lr": 3e-2, "weight_decay": 0.0, "amsgrad": False, "schedule": "cosine",
        }  # fmt: skip

    def test_other_nets_are_refused(self, trained):
        with pytest.raises(UserError, match="holds 3 members of ClassifyCommittee, not 2"):
            load_members(trained[0], committee(members=2))
        with pytest.raises(UserError, match="weights of another net"):
            load_members(trained[0], committee(paper))
