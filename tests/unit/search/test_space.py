"""A space in YAML: what is drawn, how Hydra reads it back, how its parameters are called, and what is refused."""

from __future__ import annotations

from typing import Any

import optuna
import pytest
import yaml
from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import given, settings
from hypothesis import strategies as st

from lattice_ml.cli.config import CONF, plain_of, validate
from lattice_ml.cli.sweep import settings_of
from lattice_ml.ground.errors import UserError
from lattice_ml.search.outcome import Infeasible
from lattice_ml.search.space import check_space, draw, written
from lattice_ml.workflows.nets import trial as net_trial
from lattice_ml.workflows.phase_diagram import PhaseDiagram
from lattice_ml.workflows.phase_diagram import trial as phase_trial

SEARCHES = sorted(path.stem for path in (CONF / "search").glob("*.yaml"))
EVERYTHING = """
task.lr: {float: [1.0e-4, 1.0e-1], log: true}
task.schedule: {choice: [cosine, constant, null]}
model: {choice: {plain: flux/eq, wide: {name: [{int: [1, 3]}]}}}
model.layers:
  - repeat: {int: [0, 3]}
    name: conv
    of: [{conv: {int: [4, 12], step: 4}, kernel: {choice: [1, 2]}}, relu]
  - choice:
      average: {global_pool: average}
      flat: [flatten, {linear: {int: [1, 64], log: true}}]
    name: end
  - {optional: [{linear: 8}, relu]}
  - repeat: 2
    of: [{linear: {choice: [3, 5]}, bias: {choice: [true, false]}}]
  - {linear: 2}
"""


@pytest.fixture
def space() -> dict[str, Any]:
    return yaml.safe_load(EVERYTHING)


def trials(count: int, seed: int = 0) -> list[optuna.Trial]:
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
    return [study.ask() for _ in range(count)]


def read(overrides: list[str]) -> dict[str, Any]:
    """The values as Hydra understands them."""
    parsed = OverridesParser.create().parse_overrides(overrides)
    return {override.get_key_element(): override.value() for override in parsed}


def test_lists_are_spliced_and_only_the_chosen_branch_is_drawn(space: dict[str, Any]) -> None:
    given = {
        "task.lr": 0.0123456789,
        "task.schedule": "cosine",
        "model": "plain",
        "layers.conv.rounds": 2,
        "layers.conv.1.conv": 4,
        "layers.conv.1.kernel": 2,
        "layers.conv.2.conv": 12,
        "layers.conv.2.kernel": 1,
        "layers.end": "flat",
        "layers.end.flat.linear": 24,
        "layers.2": True,
        "layers.3.1.linear": 3,
        "layers.3.1.bias": True,
        "layers.3.2.linear": 5,
        "layers.3.2.bias": False,
    }
    trial = optuna.trial.FixedTrial(given)
    assert draw(space, trial) == [
        "task.lr=0.01235",
        "task.schedule=cosine",
        "model=flux/eq",
        "model.layers=[{conv:4,kernel:2},relu,{conv:12,kernel:1},relu,flatten,{linear:24},{linear:8},relu,"
        "{linear:3,bias:true},{linear:5,bias:false},{linear:2}]",
    ]
    assert trial.params == given, "something was drawn that is not in the net"


def test_a_trial_that_has_its_parameters_draws_the_same_again(space: dict[str, Any]) -> None:
    check_space(space)
    for trial in trials(30):
        drawn = draw(space, trial)
        assert draw(space, trial) == drawn
        assert draw(space, optuna.trial.FixedTrial(trial.params)) == drawn
        layers = read(drawn)["model.layers"]
        assert layers[-1] == {"linear": 2}
        assert not any(isinstance(layer, list) for layer in layers)


def test_names_do_not_depend_on_what_else_is_drawn(space: dict[str, Any]) -> None:
    """A parameter of one name has one distribution, which samplers that learn need."""
    seen: dict[str, Any] = {}
    for trial in trials(60):
        draw(space, trial)
        for name, distribution in trial.distributions.items():
            assert seen.setdefault(name, distribution) == distribution
    assert {"layers.conv.3.kernel", "layers.end.flat.linear", "model.wide.name"} <= set(seen)


def test_floats_are_short_and_stay_in_their_range() -> None:
    template = {"task.lr": {"float": [0.00012344, 0.00012346], "log": True}}
    for trial in trials(20):
        (word,) = draw(template, trial)
        assert 0.00012344 <= float(word.removeprefix("task.lr=")) <= 0.00012346
    assert draw({"a.b": {"float": [0.1, 1]}}, optuna.trial.FixedTrial({"a.b": 0.98765432}))[0] == "a.b=0.9877"


PLAIN = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(codec="ascii", categories=("L", "N", "P", "S", "Zs")), min_size=1).filter(str.strip),
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(st.recursive(PLAIN, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.just("conv"), inner)))
def test_hydra_reads_back_what_is_written(value: Any) -> None:
    assert read([f"key={written(value)}"])["key"] == value


@pytest.mark.parametrize(
    ("yaml_text", "said"),
    [
        ("", "search.space is empty"),
        ("[1]", "search.space is empty"),
        ("{task.lr: 0.1}", "draws nothing"),
        ("{'+task.lr': {int: [1, 2]}}", "'+task.lr'"),
        ("{3: {int: [1, 2]}}", "give the name of a setting"),
        ("{a.b: {int: [3, 1]}}", "give the lower number first"),
        ("{a.b: {int: [1, 2.5]}}", "give two numbers"),
        ("{a.b: {int: [1]}}", "give two numbers"),
        ("{a.b: {float: [yes, 2]}}", "give two numbers"),
        ("{a.b: {float: [0, 1], log: true}}", "above 0"),
        ("{a.b: {float: [0, .inf]}}", "give two numbers"),
        ("{a.b: {int: [1, 8], step: 2}}", "divides 8 - 1"),
        ("{a.b: {int: [1, 9], step: 2, log: true}}", "none beside log"),
        ("{a.b: {float: [1, 9], step: 2}}", "no setting 'step'"),
        ("{a.b: {int: [1, 9], lg: true}}", "no setting 'lg'"),
        ("{a.b: {int: [1, 9], name: 'x y'}}", "has the name 'x y'"),
        ("{a.b: {choice: []}}", "nothing to choose from"),
        ("{a.b: {choice: 3}}", "nothing to choose from"),
        ("{a.b: {choice: [1, 1]}}", "an option twice"),
        ("{a.b: {choice: [[1], 2]}}", "give them labels"),
        ("{a.b: {choice: {1: x}}}", "has the label 1"),
        ("{a.b: {choice: [.inf, 1]}}", "search.space.a.b holds inf"),
        ("{a.b: {choice: [2026-01-01, 1]}}", "holds datetime.date"),
        ("{a.b: {optional: 3}}", "is optional outside of a list"),
        ("{a.b: {repeat: 2, of: [{int: [1, 2]}]}}", "is repeat outside of a list"),
        ("{a.b: [{repeat: 2}]}", "says not what to repeat"),
        ("{a.b: [{repeat: {int: [1, 101]}, of: [1]}]}", "give 0 … 100"),
        ("{a.b: [{repeat: -1, of: [1]}]}", "give 0 … 100"),
        ("{a.b: [{repeat: 1.5, of: [1]}]}", "give 0 … 100"),
        ("{a.b: [{int: [1, 2], name: x}, {int: [1, 2], name: x}]}", "two parameters called b.x"),
    ],
)
def test_a_space_that_cannot_be_drawn_from_is_refused_in_one_sentence(yaml_text: str, said: str) -> None:
    with pytest.raises(UserError) as refused:
        check_space(yaml.safe_load(yaml_text))
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("search", SEARCHES)
def test_what_a_search_draws_are_nets_of_its_experiment(search: str) -> None:
    """Most draws can be trained; finalists and references compose as well."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        chosen = settings_of(plain_of(compose("sweep", [f"search={search}", f"study={search}"]))).search
        check_space(chosen.space)
        drawn = [draw(chosen.space, trial) for trial in trials(8)]
        for words in (drawn[0], *(chosen.references or {}).values()):
            validate(compose("train", [*chosen.experiment, *words, *chosen.final])).check_classes()
        workflows: list[Any] = [validate(compose("train", [*chosen.experiment, *words])).workflow for words in drawn]
    refused = []
    for workflow in workflows:
        try:
            trial = phase_trial if isinstance(workflow, PhaseDiagram) else net_trial
            trial.feasible(workflow, workflow.ensemble.system, chosen.max_parameters)
        except Infeasible as error:
            refused.append(str(error))
    assert all("parameters where at most" in why for why in refused), "the layers of a search fit each other"
    assert len(refused) < 6
