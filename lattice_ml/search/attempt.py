"""One trial in this process: its words become train.py's configuration, and the workflow's trial function runs it."""

from __future__ import annotations

import gc
from pathlib import Path

from hydra import compose
from omegaconf import DictConfig

from lattice_ml.cli.config import validate
from lattice_ml.cli.targets import find_trial
from lattice_ml.search.claims import Claim, Claims
from lattice_ml.search.outcome import Outcome
from lattice_ml.search.space import written
from lattice_ml.search.study import PLACE


def base_words(config: DictConfig) -> list[str]:
    """What every trial gives train.py beside what it draws: the search's experiment, and what the user adds."""
    return [*map(str, config.search.experiment), *map(str, config.overrides)]


def place_words(config: DictConfig) -> list[str]:
    """What train.py must be told to find the sweep's ensembles; nothing where they lie in the usual place."""
    usual = compose("train").paths.stores
    return [] if config.paths.stores == usual else [f"paths.stores={written(config.paths.stores)}"]


def compose_training(config: DictConfig, words: list[str]) -> DictConfig:
    """train.py's configuration of these words, at the places of the sweep and with its trust.

    Needs a Hydra that is running: that of sweep.py, whose loader checks what it composes.
    """
    composed = compose("train", [*words, *(["trust=true"] if config.trust else [])])
    composed.paths = config.paths
    return composed


def compose_trial(config: DictConfig, words: list[str], number: int) -> DictConfig:
    """The validated configuration of one trial, in its own run folder."""
    composed = compose_training(config, words)
    composed.name = config.study
    composed.run.id = place(number)
    validate(composed)
    return composed


def place(number: int) -> str:
    """The name of a trial's run folder in that of the study."""
    return f"{PLACE}{number:04d}"


def folder_of(config: DictConfig, number: int) -> Path:
    """A trial's run folder."""
    return Path(config.paths.runs) / config.study / place(number)


def attempt(config: DictConfig, limit: int | None, claims: Claims, claim: Claim) -> Outcome:
    """Train and test what the claim's trial drew, from where another worker was killed in it.

    limit: most trainable numbers of a net.

    Raises what ends a trial early (``Infeasible``, ``TrialPruned``, ``ClaimLost``, ``Diverged``, ``Taken``) and
    whatever else the training does.
    """
    from lattice_ml.search.pruning import Watch

    _free_memory()
    composed = compose_trial(config, claim.overrides, claim.number)
    try_one = find_trial(str(composed.workflow.trial), trusted=config.trust)
    return try_one(composed, Watch(claims, claim), limit)


def prepare(config: DictConfig) -> None:
    """Sample what the trials read (``workflow.trial_ensembles``), as far as it is not there; shared with other workers.

    Raises ``UserError`` on ensembles that no trial could train on.
    """
    from lattice_ml.cli.runtime import build_family, ensembles, family
    from lattice_ml.ensembles.equilibration import require_equilibrated

    base = compose_training(config, base_words(config))
    for part, section in ensembles(base).items():
        if part not in base.workflow.trial_ensembles:
            continue
        build_family(base.system, base.sampler, section)
        if "force" in base.data:  # a workflow that asks for equilibrium
            for member in family(section):
                require_equilibrated(member.path, force=base.data.force)


def _free_memory() -> None:
    """Give back what the trial before, and the traceback of one that failed, held."""
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
