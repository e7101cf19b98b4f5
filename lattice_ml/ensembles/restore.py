"""What the metadata and the coordinates of a store have to be, beside what they are.

System, sampler and plan fix both, but for who made the store and when. What a file still says for itself is kept: the
provenance, the ensemble's name, attributes and coordinates that we do not know, and whether its arrays have checksums.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from lattice_ml.ensembles.integrity import CHECKSUM, Array, decode, name_of
from lattice_ml.ensembles.layout import empty_ensemble
from lattice_ml.ensembles.metadata import PROVENANCE, require_same, require_version
from lattice_ml.ensembles.plan import Plan
from lattice_ml.ground.errors import UserError
from lattice_ml.systems.base import System
from lattice_ml.systems.sampler import Sampler

FIXED = ("shape", "data_type", "chunk_grid", "chunk_key_encoding", "fill_value", "dimension_names", "node_type")
"""Of an array's metadata, what nobody may write in another way. Its codecs are ours of today, or those without
checksum; its attributes say the same, but for prose (``long_name``)."""


class Restoration(NamedTuple):
    """files: key and content of every file that is broken, in the order in which they are to be written. lost: what the
    attributes no longer say of system, plan and sampler, which are believed to be those of the command. configurations:
    the metadata of that array as they are, or will be."""

    files: dict[str, bytes]
    lost: list[str]
    configurations: Array


def restoration(path: Path, system: System, sampler: Sampler, plan: Plan) -> Restoration:
    """What is broken in the metadata and coordinates of the store at ``path``, and what has to stand there.

    Nothing is written. Raises ``UserError`` if what is left of the attributes, or a coordinate that is whole where they
    are not, belongs to other parameters or a newer version.
    """
    intended = dict(empty_ensemble(system, sampler, plan))
    root = json.loads(intended["zarr.json"])
    stored = _parsed(path / "zarr.json")
    attributes, lost = _attributes(path, _mapping(stored, "attributes"), root["attributes"])
    require_same(path, attributes, system, sampler, plan)

    copies = _mapping(_mapping(stored, "consolidated_metadata"), "metadata")
    arrays: dict[str, Array] = {}
    files: dict[str, bytes] = {}
    for name, wanted in root["consolidated_metadata"]["metadata"].items():
        own = _parsed(path / name / "zarr.json")
        arrays[name] = _array(path / name, [copies.get(name), own], wanted)
        if own != arrays[name]:
            files[f"{name}/zarr.json"] = _text(arrays[name])
        if name != "configurations":
            files |= _coordinate(path, name, arrays[name], wanted, intended, bool(lost))
    for name, copy in copies.items():  # a coordinate that somebody added
        if name not in arrays and copy == _parsed(path / name / "zarr.json"):
            arrays[name] = copy
    whole = {**root, "attributes": attributes}
    whole["consolidated_metadata"] = {**root["consolidated_metadata"], "metadata": arrays}
    if stored != whole:
        files["zarr.json"] = _text(whole)  # last: it is what makes the store exist
    return Restoration(files, lost, arrays["configurations"])


def _attributes(path: Path, stored: dict[str, Any], wanted: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The attributes with everything that is missing, and the names of those that fix bits and were."""
    require_version(path, stored)
    filled = {key: stored.get(key, "unknown" if key in PROVENANCE else value) for key, value in wanted.items()}
    lost = []
    for key in ("system", "plan", "sampler"):
        filled[key], missing = _filled(stored.get(key), wanted[key], key)
        lost += [name for name in missing if name != "plan.name"]
    return {**filled, **{key: value for key, value in stored.items() if key not in wanted}}, lost


def _filled(stored: Any, wanted: Any, where: str) -> tuple[Any, list[str]]:
    """A tree of plain JSON with what it lacks, and the names of that."""
    if stored is None:
        return wanted, [where]
    if isinstance(stored, dict) and isinstance(wanted, dict):
        parts = {key: _filled(stored.get(key), value, f"{where}.{key}") for key, value in wanted.items()}
        known = {key: part for key, (part, _) in parts.items()}
        return {**known, **stored, **known}, [name for _, missing in parts.values() for name in missing]
    return stored, []


def _array(folder: Path, copies: list[Any], wanted: Array) -> Array:
    """The metadata of an array: the first copy that can be right, else what they have to be."""
    sound = [copy for copy in copies if _is_sound(copy, wanted)]
    if sound and all(copy["codecs"] == sound[0]["codecs"] for copy in sound):
        return sound[0]
    plain = {**wanted, "codecs": _without_checksum(wanted)}
    for candidate in (wanted, plain):
        for file in folder.glob("c.*"):
            try:
                decode(file.read_bytes(), candidate)
            except ValueError:
                continue
            return candidate
    return wanted


def _is_sound(copy: Any, wanted: Array) -> bool:
    if not isinstance(copy, dict) or any(copy.get(key) != wanted[key] for key in FIXED):
        return False
    if copy.get("storage_transformers"):
        return False
    if copy.get("codecs") not in (wanted["codecs"], _without_checksum(wanted)):
        return False
    said, right = _mapping(copy, "attributes"), wanted["attributes"]
    return all(key in said and (key == "long_name" or said[key] == right[key]) for key in right)


def _coordinate(
    path: Path, name: str, array: Array, wanted: Array, intended: Mapping[str, bytes], lost: bool
) -> dict[str, bytes]:
    """The coordinate's object if it is broken, with a checksum if the array has them."""
    key = next(key for key in intended if key.startswith(f"{name}/c."))
    values = decode(intended[key], wanted)
    try:
        found = decode((path / key).read_bytes(), array)
    except (FileNotFoundError, ValueError):
        found = None
    if found is not None and np.array_equal(found, values):
        return {}
    if found is not None and lost:
        raise UserError(
            f"{path / key} holds other values than this command asks for, and the attributes that would settle it are "
            "gone: give the settings that the store was made with."
        )
    return {key: intended[key] if array["codecs"] == wanted["codecs"] else values.tobytes()}


def _without_checksum(array: Array) -> list[Any]:
    return [codec for codec in array["codecs"] if name_of(codec) != CHECKSUM]


def _mapping(tree: Any, key: str) -> dict[str, Any]:
    """A part of a tree of JSON that should be an object; an empty one where it is something else."""
    part = tree.get(key) if isinstance(tree, dict) else None
    return part if isinstance(part, dict) else {}


def _parsed(path: Path) -> Any:
    """The JSON in a file; None if there is none."""
    try:
        return json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return None


def _text(tree: Any) -> bytes:
    return json.dumps(tree, indent=2).encode()  # as zarr writes it
