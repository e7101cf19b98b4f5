"""A search space as it is written in YAML, and the drawing of one point of it: overrides for train.py.

A space is a mapping from an override's key to a template. What a template draws takes its place; everything else in it
stands for itself:

- ``{choice: [32, 64]}``: one of these numbers, texts, true, false or null;
- ``{choice: {narrow: X, deep: Y}}``: one of these templates, by its label; of the other nothing is drawn;
- ``{int: [1, 9], step: 2}`` or ``log: true``; ``{float: [1e-4, 1e-1], log: true}``: both ends included; a float is
  rounded to four digits, so that the line stays readable;
- ``{repeat: 2, of: [X, ...]}``: the list so many times, every round with draws of its own; the number may be an int
  that is drawn;
- ``{optional: X}``: X or nothing.

The last two stand in a list only, and what they, or a choice, draw as a list is spliced into it.

A parameter of the study is named by the override's key (``task.lr``), and inside of a list or mapping by the key's last
word and the way from there, e.g. ``layers.3.linear``; a list that draws in one place only adds no number. Beside what
is drawn, ``name: conv`` stands in place of the last word of the way: the number of rounds of a repeat so named is
``layers.conv.rounds``, and what the second round draws ``layers.conv.2.kernel``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from lattice_ml.ground.errors import UserError

if TYPE_CHECKING:
    import optuna

DRAWN = {
    "choice": frozenset[str](),
    "int": frozenset({"log", "step"}),
    "float": frozenset({"log"}),
    "repeat": frozenset({"of"}),
    "optional": frozenset[str](),
}
"""What marks a mapping as one to be drawn, and the settings beside it; ``name`` may stand beside each."""

KEY = re.compile(r"[A-Za-z_][\w/@]*(\.\w+)*", re.ASCII)
"""Of an override that sets a value: no ``+``, ``~`` or blanks."""

NO_TEXT = ("true", "false", "null", "nan", "inf")
"""Words that Hydra reads as something else than text."""

MOST_ROUNDS = 100
DIGITS = 4


def draw(space: Mapping[str, Any], trial: optuna.trial.BaseTrial) -> list[str]:
    """Overrides for Hydra, one for each key, e.g. ``["task.lr=0.0031", "model.layers=[{conv:32,kernel:1},relu]"]``.

    A function of the trial's parameters alone: drawn again from a trial that has them, they are the same.
    """
    return [f"{key}={written(_value(template, _first(key, template), trial))}" for key, template in space.items()]


def check_space(space: Any) -> None:
    """Raise ``UserError`` with one sentence on a space that cannot be drawn from."""
    if not isinstance(space, Mapping) or not space:
        raise UserError("search.space is empty: give overrides with what is to be drawn, as in conf/search/toy.yaml.")
    names: list[str] = []
    for key, template in space.items():
        if not isinstance(key, str) or not KEY.fullmatch(key):
            raise UserError(f"search.space has the key {key!r}: give the name of a setting, e.g. task.lr.")
        names += _names(template, _first(key, template), f"search.space.{key}", listed=False)
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UserError(f"search.space draws two parameters called {twice}: give one of them another name, name: ...")
    if not names:
        raise UserError("search.space draws nothing: give a choice, an int or a float, as in conf/search/toy.yaml.")


def written(value: Any) -> str:
    """A plain value as Hydra reads it back from a command line."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, Mapping):
        return "{" + ",".join(f"{key}:{written(inner)}" for key, inner in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ",".join(map(written, value)) + "]"
    text = str(value)
    if re.fullmatch(r"[A-Za-z_][\w/.]*", text, re.ASCII) and text.lower() not in (
        "true",
        "false",
        "null",
        "nan",
        "inf",
    ):
        return text
    # Hydra reads a backslash as itself but before a quotation mark.
    return "'" + re.sub(r"(\\*)('|$)", lambda end: 2 * end[1] + ("\\'" if end[2] else ""), text) + "'"


def _first(key: str, template: Any) -> str:
    """What the names of the parameters under a key begin with."""
    plain = isinstance(template, Mapping) and _kind(template) in ("int", "float", "choice")
    return key if plain else key.rpartition(".")[2]


def _kind(template: Any) -> str | None:
    """Which of ``DRAWN`` a mapping is; None of one that stands for itself."""
    return next((kind for kind in DRAWN if kind in template), None) if isinstance(template, Mapping) else None


def _called(template: Mapping[str, Any], name: str) -> str:
    """The parameter's name: its place, of which ``name:`` replaces the last word."""
    own = template.get("name")
    if own is None:
        return name
    above = name.rpartition(".")[0]
    return f"{above}.{own}" if above else str(own)


def _placed(template: Sequence[Any], name: str) -> list[tuple[Any, str]]:
    """Every item of a list with the name of its place, which needs no number where only this item draws."""
    several = sum(map(_draws, template)) > 1
    return [
        (item, f"{name}.{number}" if several or (_kind(item) and "name" in item) else name)
        for number, item in enumerate(template)
    ]


def _draws(template: Any) -> bool:
    """Is anything drawn in a template?"""
    inner = template.values() if isinstance(template, Mapping) else template if isinstance(template, list) else ()
    return _kind(template) is not None or any(map(_draws, inner))


def _value(template: Any, name: str, trial: optuna.trial.BaseTrial) -> Any:
    """What a template draws that stands for one value."""
    kind = _kind(template)
    if kind is None:
        if isinstance(template, Mapping):
            return {key: _value(inner, f"{name}.{key}", trial) for key, inner in template.items()}
        if isinstance(template, list | tuple):
            return [item for inner, place in _placed(template, name) for item in _items(inner, place, trial)]
        return template
    name = _called(template, name)
    if kind == "int":
        low, high = template["int"]
        return trial.suggest_int(name, low, high, step=template.get("step", 1), log=template.get("log", False))
    if kind == "float":
        low, high = template["float"]
        drawn = trial.suggest_float(name, low, high, log=template.get("log", False))
        return min(max(float(f"{drawn:.{DIGITS}g}"), low), high)
    options = template["choice"]
    chosen = trial.suggest_categorical(name, list(options))
    return _value(options[chosen], f"{name}.{chosen}", trial) if isinstance(options, Mapping) else chosen


def _items(template: Any, name: str, trial: optuna.trial.BaseTrial) -> list[Any]:
    """What an item of a list becomes: one item, or those that are spliced in."""
    kind = _kind(template)
    if kind == "repeat":
        name = _called(template, name)
        rounds = _value(template["repeat"], f"{name}.rounds", trial)
        each = (_value(template["of"], f"{name}.{number}", trial) for number in range(1, rounds + 1))
        return [item for items in each for item in items]
    if kind == "optional":
        name = _called(template, name)
        if not trial.suggest_categorical(name, [False, True]):
            return []
        drawn = _value(template["optional"], name, trial)
        return drawn if isinstance(drawn, list) else [drawn]
    drawn = _value(template, name, trial)
    return drawn if kind == "choice" and isinstance(drawn, list) else [drawn]


def _names(template: Any, name: str, where: str, listed: bool) -> Iterator[str]:
    """Every parameter that could be drawn; raises ``UserError`` on a template that cannot be.

    ``where``: the place in the YAML, for the message. ``listed``: the template is an item of a list.
    """
    if isinstance(template, list | tuple):
        for number, (inner, place) in enumerate(_placed(template, name)):
            yield from _names(inner, place, f"{where}[{number}]", listed=True)
        return
    if not isinstance(template, Mapping):
        _require_plain(template, where)
        return
    kind = _kind(template)
    if kind is None:
        for key, inner in template.items():
            yield from _names(inner, f"{name}.{key}", f"{where}.{key}", listed=False)
        return
    _require_settings(template, kind, where)
    name = _called(template, name)
    if kind in ("repeat", "optional") and not listed:
        raise UserError(f"{where} is {kind} outside of a list: put it into one, or give a choice.")
    if kind == "repeat":
        yield from _rounds(template, name, where)
    elif kind == "optional":
        yield name
        yield from _names(template["optional"], name, where, listed=False)
    else:
        yield name
        if kind == "choice":
            yield from _options(template["choice"], name, where)
        else:
            _require_range(template, kind, where)


def _rounds(template: Mapping[str, Any], name: str, where: str) -> Iterator[str]:
    times = template["repeat"]
    if _kind(times) == "int":
        yield from _names(times, f"{name}.rounds", f"{where}.repeat", listed=False)
        most, least = times["int"][1], times["int"][0]
    else:
        most = least = times
    if (
        any(not isinstance(n, int) or isinstance(n, bool) for n in (least, most))
        or not 0 <= least <= most <= MOST_ROUNDS
    ):
        raise UserError(f"{where} repeats {times!r} times: give 0 … {MOST_ROUNDS}, or e.g. {{int: [1, 4]}}.")
    if not isinstance(template.get("of"), list | tuple):
        raise UserError(f"{where} says not what to repeat: give of: [...], a list.")
    for number in range(1, most + 1):
        yield from _names(template["of"], f"{name}.{number}", f"{where}.of", listed=False)


def _options(options: Any, name: str, where: str) -> Iterator[str]:
    if isinstance(options, Mapping) and options:
        for label, inner in options.items():
            if not isinstance(label, str):
                raise UserError(f"{where} has the label {label!r}: give a word, in quotes where YAML would change it.")
            yield from _names(inner, f"{name}.{label}", f"{where}.{label}", listed=False)
        return
    if not isinstance(options, list | tuple) or not options:
        raise UserError(f"{where} has nothing to choose from: give choice: [a, b] or choice: {{label: ...}}.")
    if any(isinstance(option, Mapping | list | tuple) for option in options):
        raise UserError(f"{where} chooses among lists or mappings: give them labels, choice: {{label: ...}}.")
    for option in options:
        _require_plain(option, where)
    if len(set(map(repr, options))) < len(options):
        raise UserError(f"{where} has an option twice: give each once.")


def _require_plain(value: Any, where: str) -> None:
    if value is not None and (not isinstance(value, bool | int | float | str) or value in (math.inf, -math.inf)):
        raise UserError(f"{where} holds {value!r}: give numbers, texts, true, false or null.")


def _require_settings(template: Mapping[str, Any], kind: str, where: str) -> None:
    known = {kind, "name", *DRAWN[kind]}
    unknown = next((str(key) for key in template if key not in known), None)
    if unknown is not None:
        raise UserError(f"{where} has no setting {unknown!r} beside {kind}: give {', '.join(sorted(known))}.")
    own = template.get("name")
    if own is not None and not (isinstance(own, str) and re.fullmatch(r"\w+", own, re.ASCII)):
        raise UserError(f"{where} has the name {own!r}: give a word of letters and digits.")


def _require_range(template: Mapping[str, Any], kind: str, where: str) -> None:
    ends, log, step = template[kind], template.get("log", False), template.get("step", 1)
    number = int if kind == "int" else (int, float)
    sound = isinstance(ends, list | tuple) and len(ends) == 2
    if not sound or any(not isinstance(end, number) or isinstance(end, bool) or not math.isfinite(end) for end in ends):
        raise UserError(f"{where} is {kind}: {ends!r}: give two numbers, e.g. {{{kind}: [1, 9]}}.")
    low, high = ends
    if low >= high:
        raise UserError(f"{where} goes from {low} to {high}: give the lower number first.")
    if not isinstance(log, bool) or (log and low <= 0):
        raise UserError(f"{where} has log {log!r} from {low} on: give true or false, and true above 0 only.")
    if kind == "int" and (not isinstance(step, int) or step < 1 or (log and step > 1) or (high - low) % step):
        raise UserError(
            f"{where} has step {step!r}: give a whole number that divides {high} - {low}, and none beside log: true."
        )
