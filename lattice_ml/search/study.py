"""A study is opened by whoever comes first, and holds what it searches: two searches do not mix under one name."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lattice_ml.ground.errors import UserError
from lattice_ml.search.settings import PLACE
from lattice_ml.search.storage import Storage

if TYPE_CHECKING:
    import optuna
    from optuna.pruners import BasePruner

DEFINITION = "definition"
"""User attribute of a study: what is searched, and how."""
ELSEWHERE = ("paths", "run", "name", "logger", "ckpt_path", "trust", "storage")
"""Sections of train.py's configuration in which workers of one study may differ: none changes what is learned."""


def open_study(
    storage: Storage, name: str, definition: Mapping[str, Any], objectives: int, pruner: BasePruner, folder: Path
) -> optuna.Study:
    """The study of this name, begun if there is none; folder: where its trials' run folders lie.

    Raises ``UserError`` if the name stands for another search, or the folder holds the trials of another study.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    wanted = json.loads(json.dumps(definition))

    def decision() -> optuna.Study:
        try:
            study = optuna.load_study(study_name=name, storage=storage.backend, pruner=pruner)
        except KeyError:
            minimise = [optuna.study.StudyDirection.MINIMIZE] * objectives
            study = optuna.create_study(study_name=name, storage=storage.backend, directions=minimise, pruner=pruner)
        before = study.user_attrs.get(DEFINITION)
        if before is None:  # new, or begun by a worker that was killed here
            if study.get_trials(deepcopy=False):
                raise UserError(
                    f"the study {name} at {storage.place} is not one of sweep.py: say study=<another name>."
                )
            if left := sorted(folder.glob(f"{PLACE}*")):
                raise UserError(
                    f"{folder} holds trials, e.g. {left[0].name}, of a study that {storage.place} does not know: give "
                    "the storage that has it, move the folder away, or say study=<another name>."
                )
            study.set_user_attr(DEFINITION, wanted)
        elif before != wanted:
            where = next(_differences(before, wanted, ""))
            raise UserError(
                f"the study {name} at {storage.place} was begun with another {where}: say study=<another name>."
            )
        return study

    return storage.decide(decision)


def define(search: Mapping[str, Any], base: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """What makes a study: all that decides on its trials, but for where they lie and how many they are.

    search: the section of conf/search; base: train.py's configuration without what a trial draws; both plain.
    """
    learned = {key: value for key, value in base.items() if key not in ELSEWHERE}
    for part in ("ensemble", "survey", "extrapolation"):
        if learned.get(part):
            learned[part] = _placeless(learned[part])
    if learned.get("ensembles"):
        learned["ensembles"] = {name: part and _placeless(part) for name, part in learned["ensembles"].items()}
    elsewhere = {"trainer": ("accelerator", "devices"), "callbacks": ("progress", "lines")}
    for section, settings in elsewhere.items():
        learned[section] = {key: value for key, value in base[section].items() if key not in settings}
    said = {key: value for key, value in search.items() if key not in ("n_trials", "final", "references", "experiment")}
    return {"search": said, "base": learned, "seed": seed}


def _placeless(ensemble: Mapping[str, Any]) -> dict[str, Any]:
    """The section of an ensemble without where its store lies."""
    return {key: value for key, value in ensemble.items() if key != "path"}


def _differences(before: Any, now: Any, where: str) -> Iterator[str]:
    """The names of the settings in which two plain trees differ."""
    if isinstance(before, dict) and isinstance(now, dict):
        for key in sorted({*before, *now}):
            if before.get(key) != now.get(key):
                inner = key if where in ("", "base") else f"{where}.{key}"
                yield from _differences(before.get(key), now.get(key), inner)
        return
    yield where
