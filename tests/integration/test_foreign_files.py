"""Files that others wrote run nothing: configurations, checkpoints and stores that would leave a mark if they did.

The mark is a file, written by the import of a module as well as by a call of its function. `test_the_trap_works` shows
that each kind of trap does go off where it is sprung.
"""

from __future__ import annotations

import ast
import json
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from lightning.pytorch.trainer.connectors.checkpoint_connector import _CheckpointConnector
from omegaconf import OmegaConf

from lattice_ml.config import CONF, validate
from lattice_ml.entry import entry
from lattice_ml.errors import UserError
from lattice_ml.nets.phase_cnn import PhaseCNN
from lattice_ml.systems.active_ising.physics import ActiveIsing
from lattice_ml.targets import check_classes, check_targets, permitted

ROOT = Path(__file__).resolve().parents[2]
TRAP = """
import os, pathlib
def spring(*args, **kwargs):
    pathlib.Path(os.environ["MARK"]).touch()
class Trap:
    def __init__(self, *args, **kwargs):
        spring()
spring()
"""


@pytest.fixture
def mark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What appears if a trap goes off; the module ``trap_of_test`` can be imported, and its import is one."""
    home = tmp_path / "modules"
    home.mkdir()
    (home / "trap_of_test.py").write_text(TRAP)
    monkeypatch.syspath_prepend(str(home))
    monkeypatch.setenv("MARK", str(tmp_path / "mark"))
    monkeypatch.setenv("EVIL", "trap_of_test.spring")
    monkeypatch.setenv("PYTHONPATH", str(home))
    monkeypatch.delitem(sys.modules, "trap_of_test", raising=False)
    yield tmp_path / "mark"
    sys.modules.pop("trap_of_test", None)
    GlobalHydra.instance().clear()


class Command:
    """The entry script in this process: Hydra's own main, our checks, and a function that notes that it was reached."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self.monkeypatch, self.capsys = folder, monkeypatch, capsys
        self.reached = False

    def __call__(self, *words: str) -> int:
        def work(config):
            self.reached = True

        chosen = any(word.startswith(("experiment=", "--config-name")) for word in words)
        words = (*words, *([] if chosen else ["experiment=aim_toy"]))
        self.monkeypatch.setattr(sys, "argv", [str(ROOT / "train.py"), *words])
        self.monkeypatch.chdir(self.folder)
        try:
            entry("train")(work)()
        except SystemExit as ended:
            return int(ended.code or 0)
        return 0


@pytest.fixture
def command(tmp_path, monkeypatch, capsys):
    return Command(tmp_path, monkeypatch, capsys)


HYDRA = "# @package _global_\n"
FOREIGN = {
    "callback": HYDRA + "hydra:\n  callbacks:\n    x:\n      _target_: trap_of_test.Trap\n",
    "logging": HYDRA + "hydra:\n  job_logging:\n    version: 1\n    root: {handlers: [h]}\n"
    "    handlers:\n      h:\n        (): trap_of_test.spring\n",
    "trusting": HYDRA + "trust: true\ntask:\n  _target_: trap_of_test.spring\n",
    "tagged": HYDRA + "name: !!python/object/apply:trap_of_test.spring []\n",
    "target": HYDRA + "name: x\ntask:\n  _target_: trap_of_test.spring\n",
    "environment": HYDRA + "hydra:\n  job:\n    env_set: {PATH: /tmp/x, LD_PRELOAD: /tmp/y.so}\n",
}

TARGETS = [
    ["task._target_=os.system", "+task.command='touch $MARK'"],
    ["task._target_=builtins.eval", "+task._args_=['__import__(\"trap_of_test\")']"],
    ["task._target_=torch.hub.load", "+task.repo_or_dir=x"],
    ["task._target_=torch.load"],
    ["task._target_=torch.serialization.load"],
    ["task._target_=torch.utils.cpp_extension.load"],
    ["task._target_=torch.package.PackageImporter"],
    ["task._target_=torch.distributed.elastic.multiprocessing.subprocess_handler.SubprocessHandler"],
    ["task._target_=lightning.pytorch.LightningModule.load_from_checkpoint"],
    ["task._target_=lightning.pytorch.cli.LightningCLI"],
    ["task._target_=lattice_ml.entry.Path"],
    ["task._target_=lattice_ml.workflows.phase_diagram.find_phase_diagram"],
    ["workflow._target_=trap_of_test.spring"],
    ["model._target_=trap_of_test.Trap"],
    ["system._target_=trap_of_test.Trap"],
    ["sampler._target_=functools.partial", "+sampler._args_=[trap_of_test.spring]"],
    ["callbacks.best._target_=trap_of_test.spring", "+callbacks.best._partial_=true"],
    ["+callbacks.x={_target_: trap_of_test.spring, _partial_: true}"],
    ["+trainer.plugins=[1,[{a: [{_target_: trap_of_test.Trap}]}]]"],
    ["+data.augment.x={_target_: trap_of_test.Trap}"],
    ["+logger.x={_target_: trap_of_test.Trap}"],
    ["task._target_=${oc.env:EVIL}"],
    ["system._target_=${oc.env:EVIL}"],
    ["+system.trap=trap_of_test.Trap", "task._target_=${system.trap}"],
]
"""Refused by the schema."""

COMMANDS = [
    ["task._target_=os.system", "+task.command='touch $MARK'"],
    ["+hydra.callbacks.x._target_=trap_of_test.Trap"],
    ["-m", "hydra.launcher._target_=trap_of_test.Trap"],
    ["-m", "hydra.sweeper._target_=trap_of_test.Trap"],
    ["-m", "+hydra.launcher.setup=['touch $MARK']"],
    ["hydra.job_logging={version: 1, root: {handlers: [h]}, handlers: {h: {class: trap_of_test.Trap}}}"],
    ["+hydra.job.env_set.LD_PRELOAD=/tmp/x.so"],
    ["hydra.searchpath=[pkg://trap_of_test]"],
    ["hydra.searchpath=[structured://trap_of_test]"],
    ["--config-dir=structured://trap_of_test"],
    ["--config-path=pkg://trap_of_test"],
    *(["--config-dir=foreign", f"experiment={name}"] for name in FOREIGN),
    ["hydra.searchpath=[file://foreign]", "experiment=callback"],
    ["--config-path=FOREIGN/experiment", "--config-name=callback"],
    ["-m", "--config-dir=foreign", "experiment=aim_toy,callback"],
    ["-m", "--config-dir=foreign", "experiment=aim_toy,trusting"],
    ["-m", "--config-dir=foreign", "experiment=target", "hydra.sweeper.params={+trust: true}"],
    ["--experimental-rerun=FOREIGN/rerun.pickle"],
    ["--config-dir=foreign", "--cfg=job", "experiment=trusting"],
]
"""Refused on the way through Hydra's own main function, which would act on most of them before it calls ours."""


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """A folder of configurations, and a pickle, that somebody sent."""
    home = tmp_path / "foreign"
    (home / "experiment").mkdir(parents=True)
    for name, text in FOREIGN.items():
        (home / "experiment" / f"{name}.yaml").write_text(text)
    (home / "rerun.pickle").write_bytes(pickle.dumps(Malice("touch mark")))
    return home


@pytest.mark.parametrize("words", TARGETS, ids=" ".join)
def test_a_malicious_target_is_refused(words, mark) -> None:
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("train", ["experiment=aim_toy", *words])
    with pytest.raises(UserError, match="is not built") as caught:
        validate(config)
    assert "\n" not in str(caught.value)
    assert not mark.exists(), "the trap went off"
    assert "trap_of_test" not in sys.modules


@pytest.mark.parametrize("where", ["system.x", "system.eps", "task", "callbacks.best", "trainer.x"])
@pytest.mark.parametrize("escape", ["", "\\"], ids=["resolved", "escaped"])
def test_a_target_that_an_interpolation_makes_is_refused(where, escape, mark, monkeypatch) -> None:
    """Escaped, it is text for the schema and would be an interpolation for who reads it a second time."""
    monkeypatch.setenv("NESTED", "{_target_: trap_of_test.Trap}")
    with initialize_config_dir(str(CONF), version_base="1.3"):
        config = compose("train", ["experiment=aim_toy"])
    OmegaConf.update(config, where, escape + "${oc.create:${oc.env:NESTED}}", merge=False, force_add=True)
    with pytest.raises(UserError, match=r"is not built|escaped interpolation") as caught:
        validate(config)
    assert "\n" not in str(caught.value)
    assert not mark.exists(), "the trap went off"
    assert "trap_of_test" not in sys.modules


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_malicious_command_is_refused(words, mark, foreign, command, capsys) -> None:
    words = [word.replace("FOREIGN", str(foreign)) for word in words]
    code = command(*words)
    printed = capsys.readouterr()
    assert not mark.exists(), "the trap went off"
    assert "trap_of_test" not in sys.modules
    assert code == 2, printed
    assert len(printed.err.strip().splitlines()) == 1, printed.err
    assert printed.err.startswith("error: ")
    assert "unrecognized" not in printed.err, "that was not the reason"
    assert not command.reached, "not even the sound job of a sweep runs"


def test_the_trap_works(mark, foreign, command, capsys, monkeypatch) -> None:
    """The same words with trust=true reach our function, and Hydra would have built the callback."""
    assert command("--config-dir=foreign", "experiment=callback", "trust=true", "name=x") == 0, capsys.readouterr()
    assert command.reached
    assert mark.exists()


def test_what_the_configurations_of_this_repository_name_is_permitted() -> None:
    named = {
        line.split("_target_:")[1].split("#")[0].strip()
        for path in CONF.rglob("*.yaml")
        for line in path.read_text().splitlines()
        if "_target_:" in line
    }
    assert len(named) > 8
    assert {name for name in named if not permitted(name)} == {
        "lattice_ml.workflows.phase_diagram.find_phase_diagram",
        "lattice_ml.workflows.compare_nets.compare_nets",
        "lattice_ml.workflows.flock_physics.describe_flock",
        "lattice_ml.workflows.label_free.find_transitions",
        "lattice_ml.workflows.latents.find_latents",
        "lattice_ml.workflows.pendulum.rediscover_pendulum",
        "lattice_ml.workflows.phase_committee.find_boundaries",
        "lattice_ml.workflows.queries.answer_queries",
        "lattice_ml.workflows.unsupervised.find_without_labels",
        "lattice_ml.workflows.vary_activity.vary_activity",
        "lattice_ml.workflows.white_boxes.fit_white_boxes",
    }
    for name in named:
        check_targets({"workflow" if ".workflows." in name else "x": {"_target_": name}})
        if permitted(name):
            check_classes({"_target_": name})


@pytest.mark.parametrize(
    "name", ["lattice_ml.run.Path", "lattice_ml.report.page.NoSuch", "torch.nn.modules.module.OrderedDict"]
)
def test_a_class_of_elsewhere_under_a_permitted_name_is_refused(name) -> None:
    check_targets({"_target_": name})  # the name alone does not tell
    with pytest.raises(UserError):
        check_classes({"_target_": name})


class Malice:
    """Its unpickling runs a command."""

    def __init__(self, shell: str) -> None:
        self.shell = shell

    def __reduce__(self):
        return os.system, (self.shell,)


@pytest.fixture(params=["torch.save", "pickle"])
def malicious(request, tmp_path: Path, mark: Path) -> Path:
    path = tmp_path / "malicious.ckpt"
    payload = {"state_dict": {}, "epoch": 3, "hyper_parameters": Malice(f"touch {mark}")}
    if request.param == "pickle":
        path.write_bytes(pickle.dumps(payload))
    else:
        torch.save(payload, path)
    return path


def test_a_malicious_checkpoint_would_run(malicious: Path, mark: Path) -> None:
    if malicious.read_bytes()[:2] == b"PK":
        torch.load(malicious, weights_only=False)
    else:
        pickle.loads(malicious.read_bytes())
    assert mark.exists()


def test_a_run_does_not_resume_from_a_malicious_checkpoint(malicious: Path, mark: Path, tmp_path: Path) -> None:
    from lattice_ml.workflows.phase_training import resume_point

    system = ActiveIsing((9, 9))
    checkpoints = tmp_path / "checkpoints"
    checkpoints.mkdir()
    for name in ("last.ckpt", "best.ckpt"):
        (checkpoints / name).write_bytes(malicious.read_bytes())
    assert resume_point(checkpoints, PhaseCNN(2, (9, 9), 3), system) is None
    assert not mark.exists()


def test_a_malicious_checkpoint_is_not_loaded(malicious: Path, mark: Path) -> None:
    from lattice_ml.tasks.classify_phase import load_classifier

    system = ActiveIsing((9, 9))
    with pytest.raises(UserError, match="cannot be read as a checkpoint"):
        load_classifier(malicious, PhaseCNN(2, (9, 9), 3), system)
    assert not mark.exists()


@pytest.mark.slow
def test_a_malicious_checkpoint_to_start_from_is_refused(malicious: Path, mark: Path, tmp_path: Path) -> None:
    words = ["experiment=aim_toy", f"ckpt_path={malicious}", "logger=csv", f"paths.runs={tmp_path}/r"]
    ended = subprocess.run(
        [sys.executable, str(ROOT / "train.py"), *words, f"paths.stores={tmp_path}/s"],
        capture_output=True, text=True, timeout=120, cwd=tmp_path,
    )  # fmt: skip
    assert ended.returncode == 2, ended.stderr
    assert len(ended.stderr.strip().splitlines()) == 1, ended.stderr
    assert "cannot be read as a checkpoint" in ended.stderr
    assert not mark.exists()
    assert not (tmp_path / "r").exists()


def test_every_reader_of_checkpoints_asks_for_weights_only() -> None:
    """torch.load and what loads a checkpoint in Lightning says weights_only=True, wherever it is called."""
    assert "weights_only" in _CheckpointConnector._restore_modules_and_callbacks.__code__.co_varnames
    calls = []
    for path in (ROOT / "lattice_ml").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                owner = ast.unparse(node.func.value)
                loads = node.func.attr == "load" and owner in ("torch", "pickle", "joblib", "dill")
                lightning = node.func.attr == "load_from_checkpoint" or "ckpt_path" in [k.arg for k in node.keywords]
                if loads or lightning or owner in ("pickle", "cloudpickle", "marshal", "shelve"):
                    calls.append((path.name, node.lineno, {k.arg: ast.unparse(k.value) for k in node.keywords}))
    assert len(calls) >= 2
    assert [call for call in calls if call[2].get("weights_only") != "True"] == []


def test_yaml_is_safe_loaded_and_arrays_hold_no_objects() -> None:
    for path in [*(ROOT / "lattice_ml").rglob("*.py"), ROOT / "train.py", ROOT / "sample.py"]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                name = ast.unparse(node.func)
                assert name not in ("eval", "exec", "yaml.full_load", "yaml.unsafe_load"), path
                # a loader that is chosen at run time is one of the two safe ones: ruff's S506 sees to the rest
                assert name != "yaml.load" or "noqa: S506" in path.read_text().splitlines()[node.lineno - 1], path
                if name in ("np.load", "numpy.load"):
                    assert {k.arg: ast.unparse(k.value) for k in node.keywords}.get("allow_pickle") == "False", path


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of two points, half of it sampled: one chunk of two is there."""
    import numpy as np

    from lattice_ml.ensembles.store import open_configurations, prepare_store

    path = tmp_path_factory.mktemp("stores") / "half.zarr"
    prepare_store(path, *campaign())
    open_configurations(path)[0] = np.ones((3, 1, 2, 9, 9), dtype=np.uint16)
    return path


def campaign():
    from lattice_ml.ensembles.plan import Protocol, plan_grid
    from lattice_ml.systems.active_ising.sampler import ActiveIsingSampler

    plan = plan_grid("half", {"T": [0.4, 0.5], "rho0": [2.0]}, 3, 1, 7, Protocol(waiting=1.0))
    return ActiveIsing((9, 9)), ActiveIsingSampler("random_sequential"), plan


POISON = [
    ("data_type", {"name": "object", "configuration": {"object_codec_id": "pickle"}}),
    ("data_type", "variable_length_utf8"),
    ("codecs", [{"name": "numcodecs.pickle", "configuration": {}}]),
    ("codecs", [{"name": "vlen-bytes"}]),
    ("codecs", [{"name": "trap_of_test.Trap"}]),
    ("storage_transformers", [{"name": "trap_of_test.Trap"}]),
    ("chunk_grid", {"name": "trap_of_test.Trap", "configuration": {"chunk_shape": [1, 3, 1, 2, 9, 9]}}),
]


@pytest.mark.parametrize(("key", "value"), POISON, ids=[str(value)[:40] for _, value in POISON])
@pytest.mark.parametrize("file", ["zarr.json", "configurations/zarr.json"])
def test_a_malicious_store_is_neither_read_nor_resumed(key, value, file, store, tmp_path, mark, monkeypatch) -> None:
    """Metadata of an array stand twice: in the root, where readers look, and beside its chunks, where writers do."""
    import zarr

    from lattice_ml.ensembles.store import open_configurations, open_ensemble, prepare_store

    copy = tmp_path / "store.zarr"
    shutil.copytree(store, copy)
    metadata = json.loads((copy / file).read_text())
    array = metadata["consolidated_metadata"]["metadata"]["configurations"] if file == "zarr.json" else metadata
    array[key] = value
    (copy / file).write_text(json.dumps(metadata))

    def resume():
        prepare_store(copy, *campaign())
        open_configurations(copy)

    def read():
        open_ensemble(copy)

    monkeypatch.setattr(zarr, "open_array", lambda *_, **__: pytest.fail("zarr was asked to open it"))
    monkeypatch.setattr(zarr, "open_group", lambda *_, **__: pytest.fail("zarr was asked to open it"))
    for asked in (read, resume):
        with pytest.raises(UserError) as caught:
            asked()
        assert "\n" not in str(caught.value)
    assert not mark.exists()
    assert "trap_of_test" not in sys.modules
