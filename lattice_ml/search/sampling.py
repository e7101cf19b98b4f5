"""Optuna's samplers and pruners, by the names that conf/search/*.yaml gives them."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from lattice_ml.ground.errors import UserError

if TYPE_CHECKING:
    from optuna.pruners import BasePruner
    from optuna.samplers import BaseSampler

SAMPLERS = {"tpe": "TPESampler", "nsga2": "NSGAIISampler", "random": "RandomSampler"}
PRUNERS = {"none": "NopPruner", "median": "MedianPruner", "hyperband": "HyperbandPruner"}

TPE = {"multivariate": True, "group": True, "constant_liar": True}
"""Parameters are drawn together, within each branch of a conditional space, and away from what others are trying."""


def build_sampler(chosen: str | Mapping[str, Any], seed: int, number: int) -> BaseSampler:
    """The sampler for one trial: what it draws is a function of (seed, number) and of the trials so far.

    chosen: a name of ``SAMPLERS``, or a mapping with ``name`` and the arguments of Optuna's class.
    """
    import optuna

    name, arguments = _named(chosen)
    own = int(np.random.SeedSequence([seed, number]).generate_state(1)[0])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        defaults = TPE if name == "tpe" else {}
        return _build(optuna.samplers, "sampler", SAMPLERS, name, {**defaults, **arguments, "seed": own})


def build_pruner(chosen: str | Mapping[str, Any]) -> BasePruner:
    """The pruner; chosen: a name of ``PRUNERS``, or a mapping with ``name`` and the arguments of Optuna's class."""
    import optuna

    name, arguments = _named(chosen)
    return _build(optuna.pruners, "pruner", PRUNERS, name, arguments)


def is_pruning(chosen: str | Mapping[str, Any]) -> bool:
    """May a trial be pruned?"""
    return _named(chosen)[0] != "none"


def _named(chosen: str | Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    arguments = {"name": chosen} if isinstance(chosen, str) else dict(chosen)
    return str(arguments.pop("name", None)), arguments


def _build(module: Any, kind: str, known: Mapping[str, str], name: str, arguments: Mapping[str, Any]) -> Any:
    if name not in known:
        raise UserError(f"there is no {kind} {name}: give search.{kind}=<one of {', '.join(known)}>.")
    try:
        return getattr(module, known[name])(**arguments)
    except (TypeError, ValueError) as error:
        raise UserError(
            f"search.{kind} = {name} does not take these arguments: {str(error).splitlines()[0].rstrip('.')}."
        ) from None
