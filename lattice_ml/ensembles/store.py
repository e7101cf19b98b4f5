"""An ensemble on disk, a Zarr v3 group that ``xarray.open_zarr`` opens: create or check it, fill it, open it.

The existence of a chunk's object means that the chunk is done. ``docs/store.md`` is the written contract.
"""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path
from typing import Any

import xarray as xr
import zarr

from lattice_ml.ensembles.atomic import LOCK, AtomicStore, disk_errors, lock, remove_partials
from lattice_ml.ensembles.claims import living
from lattice_ml.ensembles.layout import DIMENSIONS, KIND, VERSION, Chunk, empty_ensemble, identity
from lattice_ml.ensembles.plan import Plan
from lattice_ml.errors import UserError
from lattice_ml.files import write_file
from lattice_ml.systems.base import Sampler, System

DTYPES = frozenset(f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)) | {"float32", "float64"}
CODECS = frozenset({"bytes", "blosc", "zstd", "gzip", "crc32c"})
"""What a store may be made of: numbers and the compressors of the Zarr v3 core, none of which runs code when read."""


def prepare_store(path: str | Path, system: System, sampler: Sampler, plan: Plan) -> None:
    """Create the store, or check that the one that is there was written for the same system, plan and sampler.

    Raises ``UserError`` that names the first difference and the cure, or says why nothing can be written here. What a
    killed creation left behind is replaced, and so is a store that holds no configurations yet and that nobody is at
    work on. Version, commit and date are not compared, nor is the ensemble's name.
    """
    path = Path(path)
    with disk_errors(path):
        if (path / "zarr.json").exists():
            _read_metadata(path)  # raises in a folder that is not ours to write a lock into
        else:
            _make_ours(path)
        if not (done_chunks(path) and (path / "zarr.json").exists()):
            with lock(path):
                begun = (path / "zarr.json").exists()
                useless = begun and not done_chunks(path) and _difference(path, system, sampler, plan)
                if not begun or (useless and not living(path)):
                    _create(path, system, sampler, plan)
    check_store(path, system, sampler, plan)


def check_store(path: Path, system: System, sampler: Sampler, plan: Plan) -> None:
    """Raise ``UserError`` with the first difference and its cure if the store was written for other parameters."""
    difference = _difference(path, system, sampler, plan)
    if difference:
        where, was, wanted = difference
        raise UserError(
            f"{path} was written for {where} = {was}, not for {wanted}: give this ensemble a name of its own, "
            f"e.g. ensemble.name={plan.name}_2, or remove {path}."
        )


def open_ensemble(path: str | Path) -> xr.Dataset:
    """The complete ensemble at ``path``, read lazily; ``species`` carries the names of the species.

    Raises ``UserError`` if there is none, if it is no ensemble or one of a newer version, if chunks are missing, or if
    it holds anything but plain numbers: objects and unknown codecs are refused before zarr sees them.
    """
    path = Path(path)
    metadata = _read_metadata(path)
    shape, chunk, species = _check_arrays(path, metadata)
    expected = set(itertools.product(range(shape[0]), range(math.ceil(shape[1] / chunk[1]))))
    missing = len(expected - done_chunks(path))
    if missing:
        name = metadata["attributes"].get("plan", {}).get("name", path.stem)
        raise UserError(
            f"{path} lacks {missing} of its {len(expected)} chunks: finish it with the command that began it, "
            f"e.g. python sample.py ensemble={name}."
        )
    dataset = xr.open_zarr(str(path), chunks=None, consolidated=True, zarr_format=3, decode_times=False)
    return dataset.assign_coords(species=species)


def points_of(ensemble: xr.Dataset) -> list[dict[str, float]]:
    """Control parameters of every point: the coordinates that run along ``point`` alone."""
    names = [str(name) for name, values in ensemble.coords.items() if values.dims == ("point",) and name != "point"]
    return [{name: float(ensemble[name].values[k]) for name in names} for k in range(ensemble.sizes["point"])]


def open_configurations(path: str | Path) -> zarr.Array:
    """The array to write finished chunks into, uint16 ``[point, replica, sample, species, x, y]``.

    Every chunk gets its object, even one of zeros alone, which zarr would leave out.
    """
    _check_own_metadata(Path(path))
    with zarr.config.set({"array.write_empty_chunks": True}):
        return zarr.open_array(AtomicStore(Path(path)), path="configurations", mode="r+", zarr_format=3)


def done_chunks(path: str | Path) -> set[Chunk]:
    """The chunks whose object exists, by name alone."""
    names = (entry.name.split(".") for entry in Path(path, "configurations").glob("c.*"))
    return {(int(name[1]), int(name[2])) for name in names if len(name) == 7 and all(map(str.isdigit, name[1:]))}


def _make_ours(path: Path) -> None:
    """Make the folder ours, or refuse: it must be new, empty, or left by a creation that was killed."""
    path.mkdir(parents=True, exist_ok=True)
    # In this order: another worker that creates the store now makes its lock first.
    if any(path.iterdir()) and not (path / LOCK).exists():
        raise UserError(f"{path} holds files that are no ensemble: give another place, e.g. ensemble.name=<new name>.")
    if done_chunks(path) and not (path / "zarr.json").exists():
        raise UserError(f"{path} holds configurations but its zarr.json is gone: put it back, or remove {path}.")


def _create(path: Path, system: System, sampler: Sampler, plan: Plan) -> None:
    """Write metadata and coordinates; the root's ``zarr.json``, the last of them, is what makes the store exist."""
    (path / "zarr.json").unlink(missing_ok=True)
    remove_partials(path)
    for key, content in empty_ensemble(system, sampler, plan):
        write_file(path / key, content)


def _read_metadata(path: Path) -> dict[str, Any]:
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
        raise UserError(f"{path}/zarr.json cannot be read ({error}): restore it, or remove {path}.") from error
    if not isinstance(metadata, dict) or not isinstance(metadata.get("attributes"), dict):
        raise foreign
    kind, _, version = str(metadata["attributes"].get("schema", "")).partition("/")
    if kind != KIND or not version.isdecimal():
        raise foreign
    if int(version) > VERSION:
        raise UserError(
            f"{path} is written in version {version} of the store, this lattice_ml reads up to {VERSION}: upgrade it."
        )
    return metadata


def _check_arrays(path: Path, metadata: dict[str, Any]) -> tuple[list[int], list[int], list[str]]:
    """Shape and chunk shape of the configurations and the names of the species, once every array is plain numbers."""
    try:
        arrays = metadata["consolidated_metadata"]["metadata"]
        for name, array in arrays.items():
            parts = {_name(array["data_type"] if array["node_type"] == "array" else array["node_type"])} - DTYPES
            parts |= {_name(codec) for codec in array["codecs"]} - CODECS
            parts |= {_name(transformer) for transformer in array.get("storage_transformers", ())}
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
        raise UserError(f"{path} does not follow the layout of docs/store.md ({error}): sample it anew.") from error


def _check_own_metadata(path: Path) -> None:
    """Raise ``UserError`` unless the metadata beside the chunks, where a writer looks, are the root's."""
    metadata = _read_metadata(path)
    _check_arrays(path, metadata)
    file = path / "configurations" / "zarr.json"
    try:
        own = json.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise UserError(f"{file} cannot be read ({error}): restore it, or remove {path}.") from error
    if own != metadata["consolidated_metadata"]["metadata"]["configurations"]:
        raise UserError(f"{file} is not what {path.name}/zarr.json says of it: restore it, or remove {path}.")


def _name(extension: Any) -> str:
    """The name of a data type, codec or transformer, which Zarr v3 writes as a string or as an object."""
    return str(extension["name"] if isinstance(extension, dict) else extension)


def _difference(path: Path, system: System, sampler: Sampler, plan: Plan) -> tuple[str, str, str] | None:
    """Name, stored value and asked value of the first quantity that fixes the bits and differs."""
    stored = _read_metadata(path)["attributes"]
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
