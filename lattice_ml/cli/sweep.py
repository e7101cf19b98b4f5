"""Search over architectures and hyperparameters: ``python sweep.py search=flux_eq``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

from hydra import compose
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig
from pydantic import StrictBool, ValidationError

from lattice_ml.cli.config import CONF, Job, checked, plain_of, validate
from lattice_ml.cli.door import require_known
from lattice_ml.cli.entry import entry, explain
from lattice_ml.cli.sentences import sentence
from lattice_ml.cli.targets import check_targets
from lattice_ml.ground.errors import UserError
from lattice_ml.ground.ranges import Paths
from lattice_ml.search import job
from lattice_ml.search.settings import Search, Sweep, place
from lattice_ml.search.space import draw, written


@dataclass(frozen=True)
class Composer:
    """Makes jobs of words for train.py, at the places of the sweep and with its trust: ``search/job.py: Compose``.

    trusted: trust=true was typed on the sweep's own command line; words that say so do not count. Needs a Hydra that is
    running: that of sweep.py, whose loader checks what it composes.
    """

    paths: Paths
    trusted: bool

    def __call__(self, words: list[str], name: str, id: str = "auto") -> job.Job:
        try:
            composed = compose("train", words)
            composed.paths, composed.trust = self.paths.model_dump(), self.trusted
            composed.name, composed.run.id = name, id
        except Exception as error:
            said = explain(error)
            if said is None:
                raise
            raise UserError(said) from error
        made = validate(composed)
        require_searchable(made)
        made.check_classes()
        return cast(job.Job, made)

    @property
    def where(self) -> list[str]:
        """What train.py must be told to find the sweep's ensembles; nothing where they lie in the usual place."""
        usual = compose("train").paths.stores
        return [] if self.paths.stores == usual else [f"paths.stores={written(self.paths.stores)}"]


@dataclass(frozen=True)
class Command:
    """A sweep that was typed, checked: what it is, and what makes its jobs."""

    settings: Sweep
    compose: Composer


def check_sweep(config: DictConfig) -> Command:
    """The sweep of a composed configuration of sweep.py; needs the running Hydra.

    Raises ``UserError`` with one sentence on the first thing that is wrong with it. Beside the values, what every trial
    adds to train.py is composed and checked, and so is one random point of the space: a setting that does not exist is
    told here, and not by each trial.
    """
    if "space" not in (config.get("search") or {}):
        raise UserError(f"no search is named: give search=<one of {', '.join(choices())}>.")
    plain = plain_of(config)
    trusted = checked("trust", StrictBool, plain.get("trust", False))
    if not trusted:
        check_targets(plain)
    settings = settings_of(plain)
    settings.check()
    composer = Composer(settings.paths, trusted)
    require_one_device(composer(settings.base_words, settings.study))
    composer([*settings.base_words, *any_point(settings.search.space)], settings.study, place(0))
    return Command(settings, composer)


def settings_of(plain: dict[str, Any]) -> Sweep:
    """The settings of a resolved configuration of sweep.py; raises ``UserError`` on a name or a value."""
    require_known(plain, "", frozenset({*Sweep.model_fields, "trust"}))
    require_known(plain["search"], "search.", frozenset(Search.model_fields))
    try:
        return Sweep.model_validate({name: value for name, value in plain.items() if name != "trust"})
    except ValidationError as error:
        raise UserError(sentence(error)) from None


def require_searchable(made: Job) -> None:
    """Raise ``UserError`` on a workflow whose trials read nothing: it has none."""
    if not made.workflow.trial_reads:
        raise UserError(
            f"workflow._target_ = {made.plain['workflow']['_target_']} has no trial: give a workflow that can be "
            "searched, e.g. workflow=compare_nets."
        )


def require_one_device(base: job.Job) -> None:
    """Raise ``UserError`` if trials would train in several processes or on several devices."""
    trainer = base.workflow.training.trainer.settings
    if trainer.get("num_nodes", 1) != 1 or trainer.get("devices", 1) not in (1, "1"):
        raise UserError(
            "a trial trains on one device: leave out trainer=ddp and trainer.devices, and give workers=<n>."
        )


def choices() -> list[str]:
    """The searches there are."""
    return sorted(path.stem for path in (CONF / "search").glob("*.yaml"))


def any_point(space: dict[str, Any]) -> list[str]:
    """The overrides of one random point of the space."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    return draw(space, study.ask())


@entry("sweep", check_sweep)
def main(command: Command) -> None:
    """Be one worker of the study, from wherever it is; the same command again is one more."""
    from lattice_ml.search.sweep import sweep

    if command.settings.workers > 1 and HydraConfig.get().mode == RunMode.MULTIRUN:
        raise UserError("workers=<n> and --multirun do not go together: give one of them.")
    sweep(command.settings, command.compose, command.compose.where)
