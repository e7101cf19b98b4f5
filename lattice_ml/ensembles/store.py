"""An ensemble on disk, a Zarr v3 group that ``xarray.open_zarr`` opens: create or check it, fill it, open it.

The existence of a chunk's object means that the chunk is done. ``docs/store.md`` is the written contract.
"""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import xarray as xr
import zarr

from lattice_ml.ensembles.claims import living
from lattice_ml.ensembles.integrity import CheckedStore, cure
from lattice_ml.ensembles.layout import VERDICT, Chunk, empty_ensemble
from lattice_ml.ensembles.metadata import check_arrays, check_own_metadata, check_store, is_same, read_metadata
from lattice_ml.ensembles.plan import Plan
from lattice_ml.ground.atomic import LOCK, AtomicStore, disk_errors, lock, remove_partials
from lattice_ml.ground.errors import UserError
from lattice_ml.ground.files import write_file
from lattice_ml.systems.base import System
from lattice_ml.systems.sampler import Sampler


def prepare_store(path: str | Path, system: System, sampler: Sampler, plan: Plan) -> None:
    """Create the store, or check that the one that is there was written for the same system, plan and sampler.

    Raises ``UserError`` that names the first difference and the cure, or says why nothing can be written here. What a
    killed creation left behind is replaced, and so is a store that holds no configurations yet and that nobody is at
    work on. Version, commit and date are not compared, nor is the ensemble's name.
    """
    path = Path(path)
    with disk_errors(path):
        if (path / "zarr.json").exists():
            read_metadata(path)  # raises in a folder that is not ours to write a lock into
        else:
            _make_ours(path)
        if not (done_chunks(path) and (path / "zarr.json").exists()):
            with lock(path):
                begun = (path / "zarr.json").exists()
                useless = begun and not done_chunks(path) and not is_same(path, system, sampler, plan)
                if not begun or (useless and not living(path)):
                    _create(path, system, sampler, plan)
    check_store(path, system, sampler, plan)


def open_ensemble(path: str | Path) -> xr.Dataset:
    """The complete ensemble at ``path``, configurations read lazily; ``species`` carries the names of the species.

    Raises ``UserError`` if there is none, if it is no ensemble or one of a newer version, if an attribute or chunks are
    missing, or if it holds anything but plain numbers: objects and unknown codecs are refused before zarr sees them.
    So does reading an array, the configurations later, where an object is broken: see ``integrity.CheckedStore``.
    """
    path = Path(path)
    metadata = read_metadata(path)
    shape, chunk, species = check_arrays(path, metadata)
    name = metadata["attributes"]["plan"]["name"]
    expected = set(itertools.product(range(shape[0]), range(math.ceil(shape[1] / chunk[1]))))
    missing = len(expected - done_chunks(path))
    if missing:
        raise UserError(
            f"{path} lacks {missing} of its {len(expected)} chunks: finish it with the command that began it, "
            f"e.g. python sample.py ensemble={name}."
        )
    store = CheckedStore(path, metadata["consolidated_metadata"]["metadata"], name)
    dataset = xr.open_zarr(store, chunks=None, consolidated=True, zarr_format=3, decode_times=False)
    for values in dataset.coords.values():
        values.load()
    return dataset.assign_coords(species=species)


def points_of(ensemble: xr.Dataset) -> list[dict[str, float]]:
    """Control parameters of every point: the coordinates that run along ``point`` alone."""
    names = [str(name) for name, values in ensemble.coords.items() if values.dims == ("point",) and name != "point"]
    return [{name: float(ensemble[name].values[k]) for name in names} for k in range(ensemble.sizes["point"])]


def open_configurations(path: str | Path) -> zarr.Array:
    """The array to write finished chunks into, ``[point, replica, sample, species, x, y]``.

    Every chunk gets its object, even one of zeros alone, which zarr would leave out.
    """
    check_own_metadata(Path(path))
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
        raise UserError(f"{path} holds configurations but its zarr.json is gone: put it back, or {cure('<name>')}.")


def _create(path: Path, system: System, sampler: Sampler, plan: Plan) -> None:
    """Write metadata and coordinates; the root's ``zarr.json``, the last of them, is what makes the store exist."""
    (path / "zarr.json").unlink(missing_ok=True)
    (path / VERDICT).unlink(missing_ok=True)
    remove_partials(path)
    for key, content in empty_ensemble(system, sampler, plan):
        write_file(path / key, content)
