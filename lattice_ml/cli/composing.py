"""Hydra's composition, checked before Hydra acts on it: what is composed may come from files that others wrote.

Hydra itself builds callbacks, a launcher and a sweeper from the ``hydra`` section, sets environment variables by it,
configures logging by it, and imports what a search path names, all before our function is called.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from lattice_ml.ground.errors import UserError

PLUGINS = ("hydra._internal.core_plugins.", "hydra_plugins.")
HANDLERS = ("logging.StreamHandler", "logging.FileHandler", "logging.NullHandler")
SHELL = ("setup", "python", "srun_args", "additional_parameters")
"""Settings of the SLURM launcher that are run by a shell."""
TRUST = frozenset({"trust=true", "+trust=true", "++trust=true"})


@contextmanager
def readable() -> Iterator[None]:
    """Make a ``UserError`` of what Hydra stumbles over while it composes: nothing of ours runs there."""
    try:
        yield
    except (UserError, HydraException, OmegaConfBaseException):
        raise
    except RecursionError:
        raise UserError("the configuration does not compose: a value refers to itself.") from None
    except Exception as error:
        raise UserError(f"the configuration does not compose: {one_line(error)}.") from error


def says_trust(words: list[str]) -> bool:
    """Has the user typed trust=true? A file that says so of itself does not count."""
    return any(word.lower() in TRUST for word in words)


class CheckedLoader(ConfigLoaderImpl):
    """Hydra's loader, the one place that every composition passes, single runs and every job of a sweep alike.

    trusted: the user typed trust=true. Raises ``UserError`` on what would run code otherwise.
    """

    def __init__(self, trusted: bool, config_search_path: Any) -> None:
        super().__init__(config_search_path=config_search_path)
        self.trusted = trusted

    def load_configuration(
        self,
        config_name: str | None,
        overrides: list[str],
        *args: Any,
        validate_sweep_overrides: bool = True,
        **kwargs: Any,
    ) -> DictConfig:
        if not validate_sweep_overrides and not any(word.lstrip("+").startswith("hydra.mode") for word in overrides):
            # Hydra composes everything once to learn hydra.mode; an error means that the flag --multirun decides.
            raise HydraException("hydra.mode is not given")
        with readable():
            config = super().load_configuration(
                config_name, overrides, *args, validate_sweep_overrides=validate_sweep_overrides, **kwargs
            )
        if not self.trusted:
            if config.get("trust"):
                raise UserError("trust is said on the command line alone, not in a file: give trust=true there.")
            check_hydra(config.hydra)
        return config

    def _process_config_searchpath(self, config_name: str | None, parsed_overrides: Any, repo: Any) -> None:
        if not self.trusted:
            loaded = repo.load_config(config_path=config_name) if config_name else None
            primary = loaded.config if loaded is not None and OmegaConf.is_dict(loaded.config) else OmegaConf.create()
            given = OmegaConf.select(primary, "hydra.searchpath") or []
            for override in parsed_overrides:
                if override.get_key_element() == "hydra.searchpath":
                    given = override.value() or []
            check_places(given if isinstance(given, list) or OmegaConf.is_list(given) else [given])
        super()._process_config_searchpath(config_name, parsed_overrides, repo)


def check_places(places: Any) -> None:
    """Raise ``UserError`` unless every place that configurations are read from is a folder: a package is imported."""
    for place in places:
        folder = str(place).removeprefix("file://")
        if "://" in folder or not Path(folder).is_dir():
            raise UserError(f"configurations are not read from {place}: give a folder.")


def check_hydra(hydra: DictConfig) -> None:
    """Raise ``UserError`` on a ``hydra`` section that would run code, or write down the configuration unredacted."""
    if hydra.get("callbacks"):
        raise _refused("hydra.callbacks", "as callbacks of Hydra run code")
    for part in ("launcher", "sweeper"):
        section = hydra.get(part) or {}
        target = str(section.get("_target_"))
        if not target.startswith(PLUGINS):
            raise _refused(f"hydra.{part}._target_ = {target}", "as that is no plugin of Hydra")
        for name in SHELL:
            if section.get(name):
                raise _refused(f"hydra.{part}.{name}", "as a shell runs it")
    if hydra.job.get("env_set"):
        raise _refused("hydra.job.env_set", "as the environment decides which programs run")
    for part in ("job_logging", "hydra_logging"):
        _check_logging(f"hydra.{part}", OmegaConf.to_container(hydra[part], resolve=False) if hydra.get(part) else None)
    if hydra.get("output_subdir") is not None:
        raise UserError("hydra.output_subdir is not used: the configuration stands in the run's folder as config.yaml.")


def _check_logging(where: str, node: Any) -> None:
    """Nothing but streams and files: Python's logging calls what ``()``, ``class`` and ``ext://`` name."""
    children = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in children:
        harmful = key == "()" or (key == "class" and value not in HANDLERS)
        named = isinstance(value, str) and ("ext://" in value or "cfg://" in value)
        if harmful or (named and value not in ("ext://sys.stdout", "ext://sys.stderr")):
            raise _refused(f"{where}.{key}", "as logging would run it")
        _check_logging(f"{where}.{key}", value)


def _refused(setting: str, why: str) -> UserError:
    return UserError(f"{setting} is not taken, {why}: leave it out, or give trust=true if you wrote it.")


def one_line(error: BaseException) -> str:
    """The first line of an error, or its kind if it says nothing, without a full stop."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0].rstrip(".:") if lines else type(error).__name__
