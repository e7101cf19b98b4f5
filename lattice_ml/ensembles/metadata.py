"""The metadata of a store: read, judged to be plain numbers and ours, and compared with what is asked for.

They stand in the root's ``zarr.json``: the attributes, and what every array's own ``zarr.json`` says once more.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from lattice_ml.ensembles.integrity import cure, name_of
from lattice_ml.ensembles.layout import DIMENSIONS, KIND, VERSION, identity
from lattice_ml.ensembles.plan import Plan
from lattice_ml.ground.atomic import LOCK
from lattice_ml.ground.errors import UserError
from lattice_ml.systems.base import System
from lattice_ml.systems.sampler import Sampler

DTYPES = frozenset(f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)) | {"float32", "float64"}
CODECS = frozenset({"bytes", "blosc", "zstd", "gzip", "crc32c"})
"""What a store may be made of: numbers and the codecs of the Zarr v3 core, none of which runs code when read."""

PROVENANCE = ("package_version", "commit", "created")
ATTRIBUTES = ("schema", "system", "plan", "sampler", *PROVENANCE)
PLANNED = ("name", "points", "replicas", "samples", "seed", "protocol")
"""What a store says of itself and of its plan, at least."""


def read_metadata(path: Path) -> dict[str, Any]:
    """The root's ``zarr.json``, which holds the attributes and the consolidated metadata of every array."""
    if not path.exists():
        raise UserError(f"there is no ensemble at {path}: sample it with python sample.py ensemble=<name>.")
    foreign = UserError(f"{path} is not an ensemble of lattice_ml: give the path of one that sample.py wrote.")
    try:
        metadata = json.loads((path / "zarr.json").read_text())
    except FileNotFoundError:
        if not (path / LOCK).exists():
            raise foreign from None
        raise UserError(
            f"{path} was interrupted while it was created: give the command that began it again, "
            f"e.g. python sample.py ensemble={path.stem}."
        ) from None
    except (OSError, ValueError) as error:
        raise UserError(f"{path}/zarr.json cannot be read ({error}): {cure(_name_of(path))}.") from error
    if not isinstance(metadata, dict) or not isinstance(metadata.get("attributes"), dict):
        raise foreign
    attributes = metadata["attributes"]
    lacking = lacking_attributes(attributes)
    if "schema" not in attributes and len(lacking) == len(ATTRIBUTES):
        raise foreign
    require_version(path, attributes)
    if lacking:
        raise UserError(
            f"{path}/zarr.json lacks the attribute{'s' * (len(lacking) > 1)} {', '.join(lacking)}: "
            f"{cure(_name_of(path, attributes))}."
        )
    return metadata


def lacking_attributes(attributes: dict[str, Any]) -> list[str]:
    """The attributes that every store has and this one lost, ``plan.seed`` for one within the plan."""
    plan = attributes.get("plan")
    planned = [f"plan.{key}" for key in PLANNED if plan is not None and not (isinstance(plan, dict) and key in plan)]
    return [key for key in ATTRIBUTES if key not in attributes] + planned


def require_version(path: Path, attributes: dict[str, Any]) -> None:
    """Raise ``UserError`` if these are attributes of something else, or of a version newer than ours; not if unsaid."""
    kind, _, version = str(attributes.get("schema", f"{KIND}/{VERSION}")).partition("/")
    if kind != KIND or not version.isdecimal():
        raise UserError(f"{path} is not an ensemble of lattice_ml: give the path of one that sample.py wrote.")
    if int(version) > VERSION:
        raise UserError(
            f"{path} is written in version {version} of the store, this lattice_ml reads up to {VERSION}: upgrade it."
        )


def _name_of(path: Path, attributes: dict[str, Any] | None = None) -> str:
    """Of the ensemble: as the plan says, else as the folder's name says where the user has not changed it."""
    plan = (attributes or {}).get("plan")
    return str(plan.get("name", "<name>")) if isinstance(plan, dict) else path.stem.partition("-seed")[0]


def check_arrays(path: Path, metadata: dict[str, Any]) -> tuple[list[int], list[int], list[str]]:
    """Shape and chunk shape of the configurations and the names of the species, once every array is plain numbers."""
    try:
        arrays = metadata["consolidated_metadata"]["metadata"]
        for name, array in arrays.items():
            parts = {name_of(array["data_type"] if array["node_type"] == "array" else array["node_type"])} - DTYPES
            parts |= {name_of(codec) for codec in array["codecs"]} - CODECS
            parts |= {name_of(transformer) for transformer in array.get("storage_transformers", ())}
            if parts:
                raise UserError(
                    f"{path} holds {', '.join(sorted(parts))} in {name}: only arrays of plain numbers are opened, as "
                    "anything else may run code when it is read, so sample the ensemble anew."
                )
        array = arrays["configurations"]
        if tuple(array["dimension_names"]) != DIMENSIONS or array["chunk_key_encoding"]["configuration"] != {
            "separator": "."
        }:
            raise KeyError("dimension_names")
        species = arrays["species"]["attributes"]["flag_meanings"].split()
        return array["shape"], array["chunk_grid"]["configuration"]["chunk_shape"], species
    except (KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f"{path}/zarr.json does not follow the layout of docs/store.md ({error}): "
            f"{cure(_name_of(path, metadata['attributes']))}, or sample it anew."
        ) from error


def check_own_metadata(path: Path) -> None:
    """Raise ``UserError`` unless the metadata beside the chunks, where a writer looks, are the root's."""
    metadata = read_metadata(path)
    check_arrays(path, metadata)
    file = path / "configurations" / "zarr.json"
    try:
        own = json.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise UserError(f"{file} cannot be read ({error}): {cure(metadata['attributes']['plan']['name'])}.") from error
    if own != metadata["consolidated_metadata"]["metadata"]["configurations"]:
        raise UserError(
            f"{file} is not what {path.name}/zarr.json says of it: {cure(metadata['attributes']['plan']['name'])}."
        )


def check_store(path: Path, system: System, sampler: Sampler, plan: Plan) -> None:
    """Raise ``UserError`` with the first difference and its cure if the store was written for other parameters."""
    require_same(path, read_metadata(path)["attributes"], system, sampler, plan)


def require_same(path: Path, attributes: Any, system: System, sampler: Sampler, plan: Plan) -> None:
    """Raise ``UserError`` with the first difference between a store's attributes and what is asked for."""
    difference = _difference(attributes, system, sampler, plan)
    if difference:
        where, was, wanted = difference
        raise UserError(
            f"{path} was written for {where} = {was}, not for {wanted}: give this ensemble a name of its own, "
            f"e.g. ensemble.name={plan.name}_2, or remove {path}."
        )


def is_same(path: Path, system: System, sampler: Sampler, plan: Plan) -> bool:
    """Was the store written for this system, sampler and plan?"""
    return _difference(read_metadata(path)["attributes"], system, sampler, plan) is None


def _difference(stored: Any, system: System, sampler: Sampler, plan: Plan) -> tuple[str, str, str] | None:
    """Name, stored value and asked value of the first quantity that fixes the bits and differs."""
    asked = json.loads(json.dumps(identity(system, sampler, plan), allow_nan=False))
    differences = (
        _first_difference(stored.get(part), asked[part], "sampler" if part == "sampler" else "") for part in asked
    )
    return next(filter(None, differences), None)


def _first_difference(stored: Any, asked: Any, where: str) -> tuple[str, str, str] | None:
    """Name and both values of the first quantity in which two trees of plain JSON differ."""
    if isinstance(stored, dict) and isinstance(asked, dict):
        for key in [*asked, *(key for key in stored if key not in asked and key != "name")]:
            inner = f"{where}.{key}" if where and where != "points" else str(key)
            difference = _first_difference(stored.get(key), asked.get(key), inner)
            if difference:
                return difference
        return None
    if isinstance(stored, list) and isinstance(asked, list) and len(stored) == len(asked) and where == "sampler":
        pairs = (_first_difference(*pair, where) for pair in zip(stored, asked, strict=True))
        return next(filter(None, pairs), None)
    return None if stored == asked else (where, _shown(stored), _shown(asked))


def _shown(value: Any) -> str:
    if isinstance(value, list) and len(value) > 6:
        return f"{value[0]}, {value[1]} … {value[-1]} ({len(value)} values)"
    return "nothing" if value is None else json.dumps(value) if isinstance(value, list | dict) else str(value)
