import pickle
from pathlib import Path

import lightning as L
import numpy as np
import pytest
import torch
import xarray as xr
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from torch.nn import functional as F

from lattice_ml.data.augment import TorusShift
from lattice_ml.data.datamodule import EnsembleData
from lattice_ml.ground.errors import UserError
from lattice_ml.nets.phase_cnn import PhaseCNN
from lattice_ml.systems.active_ising.physics import ActiveIsing
from lattice_ml.tasks.classify_phase import ClassifyPhase, load_classifier

pytestmark = pytest.mark.filterwarnings("ignore")
EXTENTS = (9, 18)
SYSTEM = ActiveIsing(EXTENTS)


def net(seed: int = 0) -> PhaseCNN:
    torch.manual_seed(seed)
    return PhaseCNN(2, EXTENTS, 3)


def data() -> EnsembleData:
    """Three 'phases' that differ in how their six particles a site are magnetised: easy to tell apart."""
    rng = np.random.default_rng(1)
    shape = (3, 5, 6, *EXTENTS)
    plus = rng.binomial(6, np.array([0.95, 0.75, 0.5]).reshape(3, 1, 1, 1, 1), shape)
    states = np.stack([plus, 6 - plus], axis=3).astype(np.uint16)
    dataset = xr.Dataset({"configurations": (("point", "replica", "sample", "species", "x", "y"), states)})
    labels = np.broadcast_to(np.arange(3)[:, None, None], shape[:3])
    return EnsembleData(dataset, SYSTEM, labels, batch_size=16, augment=TorusShift(), seed=2)


def trainer(folder: Path, epochs: int) -> L.Trainer:
    best = ModelCheckpoint(folder, "best", monitor="val/loss", save_last=True, auto_insert_metric_name=False)
    return L.Trainer(
        accelerator="cpu",
        max_epochs=epochs,
        callbacks=[best, EarlyStopping("val/loss", patience=100)],
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        deterministic=True,
    )


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> tuple[Path, L.Trainer, ClassifyPhase]:
    folder = tmp_path_factory.mktemp("run")
    task, fit = ClassifyPhase(net(), SYSTEM, lr=3e-3, l2=1e-4), trainer(folder, epochs=12)
    fit.fit(task, datamodule=data())
    return folder, fit, task


def test_it_learns(run):
    _, fit, task = run
    fit.test(task, datamodule=data(), verbose=False)
    # The three magnetisations differ by hundreds of standard errors: every configuration can be told.
    assert fit.callback_metrics["test/acc"] == 1.0


def test_metrics_are_named_as_everywhere(tmp_path):
    fit = trainer(tmp_path, epochs=1)
    fit.fit(ClassifyPhase(net(), SYSTEM), datamodule=data())
    assert {"train/loss", "val/loss", "val/acc", "val/cross_entropy"} <= set(fit.callback_metrics)


def test_the_loss_is_cross_entropy_plus_the_squares_of_weights_without_biases():
    task = ClassifyPhase(net(), SYSTEM, l2=0.3)
    weights = [p for name, p in task.net.named_parameters() if name.endswith("weight")]
    expected = 0.3 * sum(float(w.detach().double().square().sum()) for w in weights)
    assert task.penalty().item() == pytest.approx(expected, rel=1e-5)
    x, y = torch.rand(4, 2, *EXTENTS), torch.tensor([0, 1, 2, 0])
    task.log = lambda *args, **kwargs: None  # type: ignore[method-assign]
    expected += float(F.cross_entropy(task(x), y).detach())
    assert task.training_step((x, y), 0).item() == pytest.approx(expected, rel=1e-5)


def test_the_input_is_divided_by_the_scale_of_the_training_data(run):
    _, _, task = run
    assert torch.equal(task.scale, data().scale())
    x = torch.rand(2, 2, *EXTENTS)
    torch.testing.assert_close(task(x), task.net(x / task.scale[:, None, None]))


def test_a_resumed_run_ends_in_the_same_bits(tmp_path):
    straight = ClassifyPhase(net(), SYSTEM)
    trainer(tmp_path / "straight", epochs=4).fit(straight, datamodule=data())
    trainer(tmp_path / "killed", epochs=2).fit(ClassifyPhase(net(), SYSTEM), datamodule=data())
    resumed = ClassifyPhase(net(seed=9), SYSTEM)
    trainer(tmp_path / "killed", epochs=4).fit(
        resumed, datamodule=data(), ckpt_path=tmp_path / "killed" / "last.ckpt", weights_only=True
    )
    for name, value in straight.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


def test_probabilities_of_numpy_and_torch_states_agree(run):
    _, _, task = run
    states = data().states[:7]
    found = task.probabilities(states.numpy().astype(np.uint16))
    assert found.dtype == np.float32
    assert found.shape == (7, 3)
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-6)
    np.testing.assert_array_equal(found, task.probabilities(states))
    x = SYSTEM.to_channels(states)
    np.testing.assert_allclose(found, task.predict_step((x, torch.zeros(7)), 0).detach().numpy(), rtol=1e-5)


def test_probabilities_do_not_depend_on_how_states_are_batched(run):
    _, _, task = run
    states = data().states[torch.arange(600) % 90]
    found = task.probabilities(states)
    np.testing.assert_allclose(found[:90], found[270:360], rtol=1e-5, atol=1e-7)
    assert task.probabilities(states[:0]).shape == (0, 3)


def test_memory_format_does_not_change_the_function():
    x = torch.rand(2, 2, *EXTENTS)
    last, contiguous = (ClassifyPhase(net(), SYSTEM, channels_last=option)(x) for option in (True, False))
    torch.testing.assert_close(last, contiguous)


@pytest.mark.parametrize("options", [{"lr": 0.0}, {"lr": -1.0}, {"l2": -0.1}, {"l2": float("nan")}])
def test_impossible_settings_are_refused(options):
    with pytest.raises(UserError, match="give"):
        ClassifyPhase(net(), SYSTEM, **options)


class TestLoad:
    def test_best_and_last_give_the_classifier_back(self, run):
        folder, _, task = run
        states = data().states
        last = load_classifier(folder / "last.ckpt", net(seed=7), SYSTEM)
        np.testing.assert_array_equal(last.probabilities(states), task.probabilities(states))
        assert (last.l2, last.lr, last.phases) == (1e-4, 3e-3, ("L", "L+G", "G"))
        assert not last.training
        assert load_classifier(folder / "best.ckpt", net(seed=7), SYSTEM).probabilities(states).shape == (90, 3)

    def test_checkpoints_hold_tensors_and_plain_values(self, run):
        checkpoint = torch.load(run[0] / "best.ckpt", weights_only=True)
        assert checkpoint["hyper_parameters"] == {
            "phases": ["L", "L+G", "G"],
            "system": SYSTEM.parameters(),
            "lr": 3e-3,
            "l2": 1e-4,
            "channels_last": True,
        }

    def test_a_missing_file(self, tmp_path):
        with pytest.raises(UserError, match="there is no checkpoint"):
            load_classifier(tmp_path / "best.ckpt", net(), SYSTEM)

    @pytest.mark.parametrize("kept", [0, 10, 1000, -100])
    def test_a_truncated_file(self, run, tmp_path, kept):
        path = tmp_path / "cut.ckpt"
        path.write_bytes((run[0] / "last.ckpt").read_bytes()[:kept])
        self.refused(path, "cannot be read")

    def test_a_pickle_that_would_run_code_does_not_run(self, tmp_path):
        proof = tmp_path / "proof"

        class Malice:
            def __reduce__(self):
                return Path.touch, (proof,)

        pickled, saved = tmp_path / "pickled.ckpt", tmp_path / "saved.ckpt"
        pickled.write_bytes(pickle.dumps(Malice()))
        torch.save({"state_dict": {}, "hyper_parameters": Malice()}, saved)
        for path in (pickled, saved):
            self.refused(path, "cannot be read")
        assert not proof.exists()

    @pytest.mark.parametrize("content", [{"model": {}}, [1, 2], {"state_dict": {}, "hyper_parameters": {"lr": 1}}, 3])
    def test_a_foreign_file(self, tmp_path, content):
        torch.save(content, tmp_path / "foreign.ckpt")
        self.refused(tmp_path / "foreign.ckpt", "not a checkpoint of a phase classifier")

    def test_another_net(self, run):
        with pytest.raises(UserError, match="another net"):
            load_classifier(run[0] / "best.ckpt", PhaseCNN(2, EXTENTS, 3, filters=4), SYSTEM)

    @staticmethod
    def refused(path: Path, message: str) -> None:
        with pytest.raises(UserError, match=message) as refusal:
            load_classifier(path, net(), SYSTEM)
        assert "\n" not in str(refusal.value)


@pytest.mark.slow
def test_a_compiled_net_is_the_same_function_with_the_same_weight_names() -> None:
    x = torch.randint(0, 5, (4, 2, *EXTENTS), generator=torch.Generator().manual_seed(3)).float()
    eager, compiled = ClassifyPhase(net(), SYSTEM), ClassifyPhase(net(), SYSTEM, compile=True)
    assert list(compiled.state_dict()) == list(eager.state_dict())
    torch.testing.assert_close(compiled(x), eager(x))


@pytest.mark.cuda
def test_training_on_a_gpu_predicts_what_the_cpu_does(tmp_path):
    best = ModelCheckpoint(tmp_path, "best", monitor="val/loss")
    fit = L.Trainer(
        accelerator="gpu", devices=1, max_epochs=3, callbacks=[best], logger=False, num_sanity_val_steps=0,
        deterministic=True,
    )  # fmt: skip
    module = data()
    fit.fit(ClassifyPhase(net(), SYSTEM), datamodule=module)
    assert module.states.device.type == module.labels.device.type == "cuda"
    on_cpu = load_classifier(tmp_path / "best.ckpt", net(), SYSTEM)
    expected = on_cpu.probabilities(data().states)
    on_gpu = load_classifier(tmp_path / "best.ckpt", net(), SYSTEM).to("cuda")
    np.testing.assert_allclose(on_gpu.probabilities(module.states), expected, atol=1e-4)
