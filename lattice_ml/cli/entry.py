"""From the command line to one function call: compose with Hydra, validate, and answer a mistake in one sentence.

Nothing heavy is imported before the composed configuration has passed its check.
"""

from __future__ import annotations

import difflib
import functools
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import hydra
import hydra._internal.hydra
from hydra._internal.utils import get_args_parser
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from lattice_ml.cli.composing import CheckedLoader, check_places, one_line, says_trust
from lattice_ml.cli.config import CONF, known_names
from lattice_ml.cli.door import did_you_mean
from lattice_ml.ground.errors import UserError
from lattice_ml.ground.redaction import redact

T = TypeVar("T")


def entry(config_name: str, check: Callable[[DictConfig], T]) -> Callable[[Callable[[T], None]], Callable[[], None]]:
    """Make ``function(checked)`` the main function of a command; ``checked`` is what ``check(config)`` makes of the
    composed configuration.

    A ``UserError``, a configuration that does not compose and an unphysical value end in one sentence on stderr and
    exit code 2; Ctrl-C in exit code 130; anything else is a defect of ours and keeps its traceback.
    """

    def decorate(function: Callable[[T], None]) -> Callable[[], None]:
        @functools.wraps(function)
        def job(config: DictConfig) -> None:
            with one_sentence(explain):  # here, since Hydra announces what leaves a job
                checked = check(config)
            with one_sentence(explain_work):
                function(checked)

        composed = hydra.main(version_base="1.3", config_path=str(CONF), config_name=config_name)(job)

        @functools.wraps(function)
        def main() -> None:
            os.environ["HYDRA_FULL_ERROR"] = "1"  # what does not compose reaches us instead of Hydra's own printer
            with one_sentence(explain):
                trusted = check_words(sys.argv[1:])
                # Hydra has no other place to look at what it composed before it acts on it.
                hydra._internal.hydra.ConfigLoaderImpl = functools.partial(CheckedLoader, trusted)  # type: ignore
                composed()

        return main

    return decorate


@contextmanager
def one_sentence(explanation: Callable[[BaseException], str | None]) -> Iterator[None]:
    """End the process on an error: with the explanation and exit code 2, or, on Ctrl-C, with exit code 130."""
    try:
        yield
    except KeyboardInterrupt:
        print("\nStopped; the same command goes on from here.", file=sys.stderr)
        sys.exit(130)
    except Exception as error:
        sentence = explanation(error)
        if sentence is None:
            raise
        print(f"error: {_shortened(redact(sentence))}", file=sys.stderr)
        sys.exit(2)


def explain_work(error: BaseException) -> str | None:
    """Once the configuration is sound, only a ``UserError`` is the user's; other errors are defects of ours."""
    said = (str(link) if isinstance(link, UserError) else _said_by_job(link) for link in _chain(error))
    return next(filter(None, said), None)


def explain(error: BaseException) -> str | None:
    """The one sentence that a configuration which does not compose or is not sound deserves; None if it is neither."""
    sentence = explain_work(error)
    if sentence is not None:
        return sentence
    for link in _chain(error):
        if isinstance(link, MissingConfigException) and link.missing_cfg_file is not None:
            return _unknown_choice(str(link.missing_cfg_file), link.options)
    if isinstance(error, OverrideParseException):
        return f"the override {error.override!r} cannot be read: give name=value, in quotes where the shell needs them."
    if isinstance(error, HydraException | OmegaConfBaseException):
        # Hydra wraps what it catches, sometimes in an error that says nothing.
        return _first_line(next((str(link) for link in _chain(error) if str(link).strip()), type(error).__name__))
    return None


def _said_by_job(error: BaseException) -> str | None:
    """The sentence with which a job of submitit ended itself: submitit raises an error that holds what it printed."""
    if not type(error).__module__.startswith("submitit."):
        return None
    said = re.findall(r"^error: (.+)$", str(error), re.MULTILINE)
    return said[-1] if said else None


def _shortened(sentence: str) -> str:
    """On one line, and very long words cut: a mistyped value may be a whole file."""
    return re.sub(r"\S{200,}", lambda word: f"{word[0][:97]}...", " ".join(sentence.split()))


def check_words(words: list[str]) -> bool:
    """Raise ``UserError`` on a command line that Hydra would fail at or should not follow; else: is it trust=true?"""
    parser = get_args_parser()
    parser.error = _not_understood  # type: ignore[method-assign]
    given = parser.parse_args(words)
    if given.experimental_rerun is not None:
        raise UserError("--experimental-rerun reads a pickle, which may run code: give the overrides of that run.")
    modes = [mode for mode in ("run", "multirun", "cfg", "info", "shell_completion") if getattr(given, mode)]
    if len(modes) > 1:
        raise UserError(f"--{modes[0]} and --{modes[1]} do not go together: give one of them.")
    if (given.resolve or given.package) and not (given.cfg or given.help):
        raise UserError("--resolve and --package go with --cfg job, which prints the configuration.")
    trusted = says_trust(given.overrides)
    if not trusted:
        check_places([place for place in (given.config_dir, given.config_path) if place is not None])
    for word in given.overrides:
        _refuse_empty_choice(word)
    return trusted


def _not_understood(message: str) -> None:
    raise UserError(f"{message}: give settings as name=value; --help says what else there is.")


def _refuse_empty_choice(word: str) -> None:
    """Raise ``UserError`` on ``group=null``, at which Hydra fails: a group is left out with ``~group``."""
    name, _, value = word.partition("=")
    if value in ("null", "") and name.isidentifier() and (CONF / name).is_dir():
        raise UserError(f"{word} is no choice of {name}: give ~{name} to leave it out.")


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _unknown_choice(missing: str, options: object) -> str:
    group, _, given = missing.rpartition("/")
    known = sorted(str(option) for option in options) if isinstance(options, list | tuple) else []
    if not known and (CONF / group).is_dir():
        known = sorted(path.stem for path in (CONF / group).glob("*.yaml"))
    close = difflib.get_close_matches(given, known, n=1, cutoff=0.4)
    meant = f"did you mean {group}={close[0]}? " if close else ""
    return f"there is no {group} '{given}': {meant}There are {', '.join(known) or 'none'}."


def _meant(setting: str) -> str:
    """The setting of the same group that is written alike, if there is one."""
    group, dot, given = setting.rpartition(".")
    return did_you_mean(given, group + dot, known_names(group or ".")) if (CONF / group).is_dir() else ""


def _first_line(message: str) -> str:
    """Hydra's and OmegaConf's messages are several lines: the first says what, a later one why."""
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    override = re.match(r"Could not override '([^']+)'", lines[0])
    if override:
        said = f"there is no setting '{override[1]}': {_meant(override[1])}"
        return f"{said}`--cfg job` after the command prints all there are."
    multiple = re.match(r"You must specify '([^']+)'", lines[0])
    if multiple:
        choices = ", ".join(sorted(path.stem for path in (CONF / multiple[1]).glob("*.yaml")))
        return f"say which {multiple[1]}: {multiple[1]}=<one of {choices}>."
    return one_line(Exception(message)) + "."
