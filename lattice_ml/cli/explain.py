"""Explain a finished run: ``python -m lattice_ml.explain runs/<name>/<id> method=attribution``.

Writes ``<run>/explain/<method>/`` with figures, results.json and a page. Methods, with what else they take as
``name=value``:

  attribution   configurations=3 output=<name> methods=[saliency,...] seed=0
  features      output=<name> kinds=[linear,tree,random_forest] forests=10 seed=0
  hidden        layer=<name> colour=[<observable>,...] seed=0

For all: stores=<folder>, where the ensembles of the run lie now; net=<name>, one of several that were compared,
or the committee of an L2 term, net=0.01; trust=true, for a run with classes of your own: what the run folder says of
itself does not count.
"""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable
from typing import Any

import yaml

from lattice_ml.cli.config import open_run
from lattice_ml.cli.entry import explain_work, one_sentence
from lattice_ml.ground.errors import UserError

METHODS = {
    "attribution": "lattice_ml.workflows.explanations.attribution.explain_attribution",
    "features": "lattice_ml.workflows.explanations.features.explain_features",
    "hidden": "lattice_ml.workflows.explanations.hidden.explain_hidden",
}


def explain(arguments: list[str]) -> None:
    """Open the run of the arguments and explain it; raises ``UserError`` on what the user can mend."""
    words = [word for word in arguments if "=" not in word]
    given = dict(word.split("=", 1) for word in arguments if "=" in word)
    if len(words) != 1 or words[0] in ("-h", "--help"):
        raise UserError(
            "give one finished run and a method: python -m lattice_ml.explain runs/<name>/<id> method=attribution."
        )
    method = given.pop("method", None)
    if method not in METHODS:
        raise UserError(f"method={method} is no explanation: give method=<one of {', '.join(METHODS)}>.")
    stores, net, trusted = given.pop("stores", None), given.pop("net", None), is_trusted(given.pop("trust", "false"))
    module, _, name = METHODS[method].rpartition(".")
    function = getattr(importlib.import_module(module), name)
    settings = typed(function, method, given)
    finished = open_run(words[0], stores, trusted)
    function(finished, finished.explained(net), **settings)


def is_trusted(word: str) -> bool:
    """Has the user typed trust=true? Raises ``UserError`` on what is neither yes nor no."""
    if word.lower() not in ("true", "false"):
        raise UserError(f"trust = {word} will not do: give trust=true if you know every line of the run's config.yaml.")
    return word.lower() == "true"


def typed(function: Callable[..., None], method: str, given: dict[str, str]) -> dict[str, Any]:
    """The settings with the types of the function's own defaults, read as YAML. Raises ``UserError`` on an unknown
    one."""
    taken = inspect.signature(function).parameters.values()
    known = {parameter.name: parameter for parameter in taken if parameter.default is not parameter.empty}
    settings: dict[str, Any] = {}
    for name, text in given.items():
        if name not in known:
            raise UserError(f"method={method} has no setting {name!r}: it has {', '.join(known)}.")
        try:
            value = yaml.safe_load(text)
        except yaml.YAMLError:
            value = None
        default = known[name].default
        many = "list" in str(known[name].annotation)
        wanted = int if isinstance(default, int) else list if many else str
        value = [value] if many and isinstance(value, str) else value
        if not isinstance(value, wanted) or isinstance(value, bool) or (isinstance(value, int) and value < 0):
            kind = {int: "a whole number", list: "a list, e.g. [a,b]", str: "a name"}[wanted]
            raise UserError(f"{name} = {text} will not do: give {kind}.")
        settings[name] = value
    return settings


def main() -> int:
    """Explain the run of the command line; a user's mistake is one sentence on stderr and exit code 2."""
    with one_sentence(explain_work):
        explain(sys.argv[1:])
    return 0
