"""Samplers and pruners by name."""

import warnings

import optuna
import pytest

from lattice_ml.ground.errors import UserError
from lattice_ml.search.sampling import build_pruner, build_sampler, is_pruning


def drawn(chosen, seed, numbers):
    study = optuna.create_study()
    values = []
    for number in numbers:
        study.sampler = build_sampler(chosen, seed, number)
        trial = study.ask()
        values.append(trial.suggest_float("x", 0, 1))
        study.tell(trial, values[-1] ** 2)
    return values


@pytest.mark.parametrize("chosen", ["tpe", "nsga2", "random", {"name": "tpe", "n_startup_trials": 2}])
def test_draws_are_a_function_of_seed_and_number(chosen):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        first = drawn(chosen, 1, range(15))
    assert drawn(chosen, 1, range(15)) == first
    assert len(set(first)) == 15
    assert drawn(chosen, 2, range(15)) != first


def test_tpe_learns():
    assert min(drawn("tpe", 0, range(40))[20:]) < 0.05


@pytest.mark.parametrize(
    ("chosen", "kind"),
    [
        ("none", optuna.pruners.NopPruner),
        ("median", optuna.pruners.MedianPruner),
        ({"name": "hyperband", "min_resource": 2}, optuna.pruners.HyperbandPruner),
    ],
)
def test_a_pruner_by_name(chosen, kind):
    assert type(build_pruner(chosen)) is kind
    assert is_pruning(chosen) == (chosen != "none")


@pytest.mark.parametrize(
    ("build", "chosen", "said"),
    [
        (build_pruner, "best", "there is no pruner best: give search.pruner=<one of none, median, hyperband>"),
        (build_pruner, {"n": 1}, "there is no pruner None"),
        (build_pruner, {"name": "median", "steps": 1}, "search.pruner = median does not take these arguments"),
        (build_pruner, {"name": "median", "interval_steps": 0}, "does not take these arguments"),
        (lambda chosen: build_sampler(chosen, 0, 0), "grid", "there is no sampler grid"),
        (lambda chosen: build_sampler(chosen, 0, 0), {"name": "tpe", "a": 1}, "does not take these arguments"),
    ],
)
def test_mistakes_are_one_sentence(build, chosen, said):
    with pytest.raises(UserError, match=said.replace("(", r"\(")):
        build(chosen)
