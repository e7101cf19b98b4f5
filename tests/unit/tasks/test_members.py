"""How members are trained: together as alone, stopped one by one, restarted bit for bit."""

import contextlib
from pathlib import Path

import lightning as L
import numpy as np
import pytest
import torch
import yaml
from lightning.pytorch.callbacks import ModelCheckpoint

from lattice_ml.cli.recipes import with_recipes
from lattice_ml.data.members import MemberData
from lattice_ml.ground.errors import UserError
from lattice_ml.nets.lattice_cnn import LatticeCNN
from lattice_ml.nets.members import Members
from lattice_ml.systems.complex_scalar.physics import ComplexScalar
from lattice_ml.tasks.count_violations import CountViolations
from lattice_ml.tasks.detect_violations import DetectViolations
from lattice_ml.tasks.members import MemberTask, load_members
from lattice_ml.tasks.regress_observables import RegressObservables

pytestmark = pytest.mark.filterwarnings("ignore")
CONF = Path(__file__).parents[3] / "conf"
EXTENTS = (4, 4)
SYSTEM = ComplexScalar(EXTENTS)
COUNT = [{"conv": 4, "kernel": 2, "bias": False}, "leaky_relu", {"global_pool": "sum"}, {"linear": 1, "bias": False}]
REGRESS = [{"conv": 6, "kernel": 1}, "leaky_relu", {"conv": 6, "kernel": 2}, "leaky_relu", {"global_pool": "average"},
           {"linear": 2}]  # fmt: skip
POINT = {"eta": 4.01, "mu": 1.0}


def states(count: int = 220) -> np.ndarray:
    rng = np.random.default_rng(5)
    return np.concatenate(
        [rng.integers(-1, 2, (count, 2, *EXTENTS)), rng.poisson(0.5, (count, 2, *EXTENTS))], axis=1
    ).astype(np.int16)


def counting(members: int | list[int] = 3, **options) -> tuple[CountViolations, MemberData]:
    numbers = range(members) if isinstance(members, int) else members
    whole = Members.initialise(lambda: LatticeCNN(4, EXTENTS, 1, COUNT), 3, seed=2)
    own = Members([whole.member(m) for m in numbers])
    y = SYSTEM.observables(states())["violations"][:, None]
    return CountViolations(own, SYSTEM, **options), MemberData(states(), y, SYSTEM, list(numbers), 20, size=90, seed=1)


class StopAfter(L.Callback):
    """What a kill at the end of an epoch leaves: the checkpoint of that epoch."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        if trainer.current_epoch == self.epoch:
            raise KeyboardInterrupt


def fit(
    task: MemberTask, data: MemberData, folder: Path, epochs: int, *callbacks: L.Callback, start: Path | None = None
) -> L.Trainer:
    last = ModelCheckpoint(folder, "last", save_on_train_epoch_end=True, enable_version_counter=False)
    trainer = L.Trainer(
        accelerator="cpu", max_epochs=epochs, callbacks=[last, *callbacks], logger=False, enable_progress_bar=False,
        enable_model_summary=False, num_sanity_val_steps=0, deterministic=True,
    )  # fmt: skip
    with contextlib.suppress(KeyboardInterrupt, SystemExit):
        trainer.fit(task, datamodule=data, ckpt_path=start, weights_only=True)
    return trainer


@pytest.mark.parametrize("schedule", ["constant", "cosine", "one_cycle"])
def test_members_train_together_as_alone(schedule, tmp_path):
    together, data = counting(schedule=schedule, weight_decay=0.01)
    fit(together, data, tmp_path / "together", 4)
    alone, data = counting([1], schedule=schedule, weight_decay=0.01)
    fit(alone, data, tmp_path / "alone", 4)
    for one, many in zip(alone.parameters(), together.parameters(), strict=True):
        torch.testing.assert_close(many[1], one[0], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(together.best_loss[1], alone.best_loss[0], rtol=1e-4, atol=0)


def test_it_learns_and_judges_by_the_best_weights(tmp_path):
    task, data = counting(lr=3e-2)
    trainer = fit(task, data, tmp_path, 30)
    assert {"train/loss", "val/loss", "val/mse", "val/accuracy", "val/best"} <= set(trainer.callback_metrics)
    held = data.index["val"][1].numpy()
    y = data.targets.numpy()
    before = CountViolations(counting()[0].net, SYSTEM).judge(states(), y)["mse"]
    found = task.judge(states(), y)
    assert (found["mse"] < 0.2 * before).all()
    # The best loss is that of the best weights on the member's own validation part.
    assert task.judge(states()[held], y[held])["mse"][1] == pytest.approx(float(task.best_loss[1]), rel=1e-4)
    prediction = task.predict(states())
    assert (prediction.shape, prediction.dtype) == ((3, 220, 1), np.float32)
    np.testing.assert_allclose(((prediction - y) ** 2).mean((1, 2)), found["mse"], rtol=1e-5)
    alone = task.best.member(2)(SYSTEM.to_channels(torch.from_numpy(states())))
    np.testing.assert_allclose(prediction[2], alone.detach(), rtol=1e-4, atol=1e-4)


def test_a_resumed_run_ends_in_the_same_bits(tmp_path):
    straight, data = counting()
    fit(straight, data, tmp_path / "straight", 5)
    killed, data = counting()
    fit(killed, data, tmp_path / "killed", 5, StopAfter(2))
    resumed, data = counting()
    for parameter in resumed.parameters():
        parameter.data.zero_()
    start = tmp_path / "killed" / "last.ckpt"
    assert torch.load(start, weights_only=True)["epoch"] == 1
    fit(resumed, data, tmp_path / "resumed", 5, start=start)
    assert torch.isfinite(straight.best_loss).all()
    for name, value in straight.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


def test_members_stop_one_by_one(tmp_path):
    task, _ = counting(patience=2)
    losses = [[3.0, 1.0, 5.0], [2.0, 2.0, float("nan")], [1.0, 0.9, 4.0], [0.5, 1.0, 3.0], [0.6, 1.0, 9.0], [0, 0, 9.0]]
    kept = []
    for epoch, loss in enumerate(losses):
        for parameter in task.net.parameters():
            parameter.data.fill_(epoch)
        task._keep_best(torch.tensor(loss, dtype=torch.float64))
        kept.append(next(iter(task.best.parameters())).flatten(1)[:, 0].tolist())
    # Member 1 has waited two epochs after epoch 2 and stands still at the loss of 0 that it would have met.
    assert kept == [[0, 0, 0], [1, 0, 0], [2, 2, 2], [3, 2, 3], [3, 2, 3], [5, 2, 3]]
    assert task.best_loss.tolist() == [0.0, 0.9, 3.0]
    assert task.stopped.tolist() == [False, True, True]


def test_training_ends_when_all_have_stopped_and_stays_ended(tmp_path):
    task, data = counting(patience=1, lr=10.0, schedule="constant")  # so large a step that losses rise
    trainer = fit(task, data, tmp_path, 50)
    assert task.stopped.all()
    assert trainer.current_epoch < 50
    again, data = counting(patience=1, lr=10.0, schedule="constant")
    resumed = fit(again, data, tmp_path / "again", 50, start=tmp_path / "last.ckpt")
    assert resumed.global_step == trainer.global_step


def test_the_units_of_a_regression_do_not_change_what_is_reported(tmp_path):
    drawn = states()
    y = RegressObservables.targets(SYSTEM, drawn, POINT)
    assert (y.shape, y.dtype) == ((220, 2), np.float32)
    known = SYSTEM.observables(drawn, POINT)
    np.testing.assert_array_equal(y, np.stack([known["n"], known["phi2"]], axis=1).astype(np.float32))
    data = MemberData(drawn, y, SYSTEM, 2, 50, size=90)
    net = Members.initialise(lambda: LatticeCNN(4, EXTENTS, 2, REGRESS), 2, seed=0)
    task = RegressObservables(net, SYSTEM, standardise=True)
    fit(task, data, tmp_path, 3)
    own = data.train_targets()
    torch.testing.assert_close(task.shift, own.mean(1))
    torch.testing.assert_close(task.scale, own.std(1, unbiased=False))
    output = task.best(SYSTEM.to_channels(torch.from_numpy(drawn))).detach()
    prediction = torch.from_numpy(task.predict(drawn))
    torch.testing.assert_close(prediction, own.mean(1)[:, None] + own.std(1, unbiased=False)[:, None] * output)
    scores = task.judge(drawn, y)
    squared = (prediction.numpy() - y) ** 2
    np.testing.assert_allclose(scores["mse"], squared.mean((1, 2)), rtol=1e-5)
    np.testing.assert_allclose(scores["mse_phi2"], squared[..., 1].mean(1), rtol=1e-5)
    loss = task.losses(output, torch.from_numpy(y)).mean(1)
    spread = own.std(1, unbiased=False).numpy()
    np.testing.assert_allclose(loss, (squared / spread[:, None] ** 2).mean((1, 2)), rtol=1e-4)
    plain = RegressObservables(net, SYSTEM, standardise=False)
    torch.testing.assert_close(
        plain.losses(prediction, torch.from_numpy(y)).mean(1).numpy(), scores["mse"], check_dtype=False
    )


def test_detection_is_a_matter_of_the_logits_sign():
    task = DetectViolations(Members([LatticeCNN(4, EXTENTS, 1, COUNT)]), SYSTEM)
    assert DetectViolations.targets(SYSTEM, states()[:2], {**POINT, "worms": 3}).tolist() == [[1], [1]]
    assert DetectViolations.targets(SYSTEM, states()[:1], POINT).tolist() == [[0]]
    logit, y = torch.tensor([[[2.0], [-1.0], [0.5]]]), torch.tensor([[1.0], [1.0], [0.0]])
    entropy = torch.tensor([[1 + np.exp(-2.0), 1 + np.exp(1.0), 1 + np.exp(0.5)]]).log().float()
    torch.testing.assert_close(task.losses(logit, y), entropy)
    scores = task.scores(task.predicted(logit), y)
    torch.testing.assert_close(scores["cross_entropy"], entropy)
    assert scores["accuracy"].tolist() == [[1, 0, 0]]


def test_a_count_is_right_when_it_rounds_to_the_number():
    task, _ = counting()
    assert CountViolations.targets(SYSTEM, states()[:2], {**POINT, "worms": 4}).tolist() == [[4], [4]]
    scores = task.scores(torch.tensor([[[4.4], [4.6], [3.0]]]), torch.full((3, 1), 4.0))
    assert scores["accuracy"].tolist() == [[1, 0, 0]]
    torch.testing.assert_close(scores["mse"], torch.tensor([[0.16, 0.36, 1.0]]))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"lr": 0.0}, "give lr > 0"),
        ({"weight_decay": -1.0}, "give at least 0"),
        ({"schedule": "plateau"}, "constant, cosine or one_cycle"),
        ({"patience": 0}, "patience = 0 epochs is none"),
    ],
)
def test_impossible_settings_are_refused(options, sentence):
    with pytest.raises(UserError, match=sentence):
        counting(**options)


@pytest.mark.parametrize(
    ("name", "model_name", "outputs"),
    [("regress_observables", "eq", 2), ("detect_violations", "detect_eq", 1), ("count_violations", "count_eq_1", 1)],
)
def test_a_configuration_builds_every_task_and_net(name, model_name, outputs):
    def read(path):
        return yaml.safe_load((CONF / f"{path}.yaml").read_text())

    model, section = with_recipes(read(f"model/flux/{model_name}"), False), read(f"task/{name}")
    (by_hand, _) = section.pop("defaults")
    net = Members.initialise(lambda: model(in_channels=4, extents=EXTENTS, outputs=outputs), 2, seed=0)
    recipe = with_recipes(section, False)
    task = recipe(net=net, system=SYSTEM)
    assert task.predict(states()[:3]).shape == (2, 3, outputs)
    oracle = with_recipes(read(f"model/{by_hand['/model@_global_.oracle']}"), False)
    task.oracle(oracle(in_channels=4, extents=EXTENTS, outputs=outputs), SYSTEM, {"eta": 4.01, "mu": 1.0})
    with pytest.raises(UserError, match="has no setting 'patients'"):
        recipe.but(patients=3)(net=net, system=SYSTEM)


def test_nets_are_not_compared_on_a_task_that_does_not_say_what_is_right():
    with pytest.raises(UserError, match="task=regress_observables and data=members"):
        MemberTask.require(SYSTEM, ("eta", "mu"))


def test_a_net_of_other_outputs_is_refused():
    with pytest.raises(UserError, match="the net has 1 outputs where n, phi2 are asked for"):
        RegressObservables(Members([LatticeCNN(4, EXTENTS, 1, COUNT)]), SYSTEM)


class TestLoad:
    @pytest.fixture(scope="class")
    @classmethod
    def run(cls, tmp_path_factory) -> tuple[Path, CountViolations]:
        folder = tmp_path_factory.mktemp("run")
        task, data = counting()
        fit(task, data, folder, 2)
        return folder / "last.ckpt", task

    def test_best_weights_come_back(self, run):
        path, task = run
        other, _ = counting()
        loaded = load_members(path, other)
        np.testing.assert_array_equal(loaded.predict(states()), task.predict(states()))
        assert not loaded.training

    def test_a_checkpoint_holds_tensors_and_plain_values(self, run):
        settings = torch.load(run[0], weights_only=True)["hyper_parameters"]
        assert (settings["task"], settings["members"], settings["system"]) == (
            "CountViolations",
            3,
            SYSTEM.parameters(),
        )

    def test_another_task_or_net_is_refused(self, run, tmp_path):
        net = Members([LatticeCNN(4, EXTENTS, 1, COUNT)] * 3)
        with pytest.raises(UserError, match="holds 3 members of CountViolations, not 3 of DetectViolations"):
            load_members(run[0], DetectViolations(net, SYSTEM))
        with pytest.raises(UserError, match="not 1 of CountViolations"):
            load_members(run[0], counting([0])[0])
        wider = [{"conv": 5, "kernel": 2, "bias": False}, *COUNT[1:]]
        with pytest.raises(UserError, match="weights of another net"):
            load_members(run[0], CountViolations(Members([LatticeCNN(4, EXTENTS, 1, wider)] * 3), SYSTEM))
        torch.save({"state_dict": {}}, tmp_path / "foreign.ckpt")
        with pytest.raises(UserError, match="not a checkpoint of CountViolations"):
            load_members(tmp_path / "foreign.ckpt", counting()[0])
