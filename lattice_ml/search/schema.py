"""What a composed configuration of sweep.py must be, checked before any work: a search that no trial would refuse."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from omegaconf import DictConfig, OmegaConf
from pydantic import Field, StrictBool, StrictStr, ValidationError

from lattice_ml.cli.config import CONF, require_known, validate
from lattice_ml.cli.schema import Count, Name, Paths, Positive, Section, Seed, Text, sentence
from lattice_ml.cli.targets import check_targets, find_trial
from lattice_ml.ground.errors import UserError
from lattice_ml.search.attempt import base_words, compose_training, compose_trial
from lattice_ml.search.sampling import build_pruner, build_sampler, is_pruning
from lattice_ml.search.space import check_space, draw

Words = list[Annotated[str, Field(strict=True, pattern=r"^[^\x00]+$")]]
Whole = Annotated[int, Field(ge=0, lt=2**31, strict=True)]
Choice = StrictStr | dict[str, Any]


class Search(Section):
    """What one file of conf/search says, with what it leaves out from conf/sweep.yaml."""

    experiment: Words
    space: Annotated[dict[str, Any], Field(min_length=1)]
    objectives: Annotated[list[Literal["validation", "parameters"]], Field(min_length=1, max_length=2)]
    max_parameters: Count | None
    pruner: Choice
    sampler: Choice
    n_trials: Count
    references: dict[str, Words] | None
    final: Words


class _Sweep(Section):
    """A whole configuration of sweep.py."""

    search: Search
    study: Name
    n_trials: Count
    workers: Count
    storage: Text | None
    seed: Seed
    overrides: Words
    finalists: Whole
    retrain: Count
    heartbeat: Positive
    grace: Positive
    retries: Whole
    paths: Paths
    trust: StrictBool


def check_sweep(config: DictConfig) -> None:
    """Raise ``UserError`` with one sentence on the first thing that is wrong with a sweep; needs the running Hydra.

    Beside the values, what every trial adds to train.py is composed and validated, and so is one random point of the
    space: a setting that does not exist is told here, and not by each trial.
    """
    if "space" not in (config.get("search") or {}):
        raise UserError(f"no search is named: give search=<one of {', '.join(choices())}>.")
    plain: Any = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    if not config.trust:
        check_targets(plain)
    require_known(plain, "", frozenset(_Sweep.model_fields))
    require_known(plain["search"], "search.", frozenset(Search.model_fields))
    try:
        _Sweep.model_validate(plain)
    except ValidationError as error:
        raise UserError(sentence(error)) from None
    if config.grace < 2 * config.heartbeat:
        raise UserError(
            f"grace = {config.grace:g} s is too short for a heartbeat every {config.heartbeat:g} s: give grace=<at "
            f"least {2 * config.heartbeat:g}>."
        )
    search = search_of(config)
    if len(set(search.objectives)) < len(search.objectives):
        raise UserError(f"search.objectives = {search.objectives} names one twice: give each once.")
    if len(search.objectives) > 1 and is_pruning(search.pruner):
        raise UserError(
            "Optuna prunes for one objective only: give search.pruner=none, or search.objectives=[validation]."
        )
    build_pruner(search.pruner)
    build_sampler(search.sampler, config.seed, 0)
    check_space(search.space)
    base = compose_training(config, base_words(config))
    base.name = config.study
    validate(base)
    find_trial(str(base.workflow.get("trial")), trusted=config.trust)
    if base.trainer.get("num_nodes", 1) != 1 or base.trainer.get("devices", 1) not in (1, "1"):
        raise UserError(
            "a trial trains on one device: leave out trainer=ddp and trainer.devices, and give workers=<n>."
        )
    compose_trial(config, [*base_words(config), *any_point(search.space)], 0)


def choices() -> list[str]:
    """The searches there are."""
    return sorted(path.stem for path in (CONF / "search").glob("*.yaml"))


def search_of(config: DictConfig) -> Search:
    """The search of a sweep's configuration."""
    return Search.model_validate(OmegaConf.to_container(config.search, resolve=True))


def any_point(space: dict[str, Any]) -> list[str]:
    """The overrides of one random point of the space."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    return draw(space, study.ask())
