"""Configurations and commands that others wrote run nothing; the traps in them would leave a mark.

The mark is a file, written by the import of a module as well as by a call of its function. `test_the_trap_works` shows
that the trap does go off where it is sprung.
"""

from __future__ import annotations

import pickle
import sys
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf
from traps import Malice

from lattice_ml.cli.config import CONF, validate
from lattice_ml.cli.entry import entry
from lattice_ml.cli.targets import check_classes, check_targets, permitted
from lattice_ml.ground.errors import UserError

ROOT = Path(__file__).resolve().parents[2]


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
            entry("train", validate)(work)()
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
    ["task._target_=lattice_ml.cli.entry.Path"],
    ["task._target_=lattice_ml.workflows.phase_diagram.PhaseDiagram"],
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
        f"lattice_ml.workflows.{name}"
        for name in (
            *("phase_diagram.PhaseDiagram", "nets.CompareNets", "flocks.FlockPhysics", "flocks.VaryActivity"),
            *("committee.CommitteeBoundaries", "committee.DensitySaliency", "unsupervised.LabelFree"),
            *("unsupervised.WithoutLabels", "latents.Latents", "latents.Queries", "latents.Pendulum"),
            "white_boxes.WhiteBoxes",
        )
    }
    for name in named:
        check_targets({"workflow" if ".workflows." in name else "x": {"_target_": name}})
        if permitted(name):
            check_classes({"_target_": name})


@pytest.mark.parametrize(
    "name", ["lattice_ml.runs.run.Path", "lattice_ml.report.page.NoSuch", "torch.nn.modules.module.OrderedDict"]
)
def test_a_class_of_elsewhere_under_a_permitted_name_is_refused(name) -> None:
    check_targets({"_target_": name})  # the name alone does not tell
    with pytest.raises(UserError):
        check_classes({"_target_": name})
