"""Whether an object of a store is whole, and the one sentence that a reader gets where it is not.

A store of today ends every object with the CRC-32C of what stands before it: a flip of one to three bits, and any burst
of up to 32, is always found, anything else but for one case in 2³². Stores from before that have no checksums: there a
wrong length is found, and what cannot be decompressed, and no more.

Source: Castagnoli, Bräuer, Herrmann, IEEE Trans. Commun. 41, 883 (1993); the codec ``crc32c`` of the Zarr v3 core.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import google_crc32c
import numpy as np
from numcodecs import Blosc, GZip, Zstd
from zarr.core.buffer import Buffer
from zarr.storage import LocalStore

from lattice_ml.ground.errors import UserError

Array = Mapping[str, Any]
"""What the ``zarr.json`` of an array says."""

CHECKSUM = "crc32c"
DECOMPRESS: dict[str, Callable[[bytes], Any]] = {
    "blosc": lambda content: Blosc().decode(content),
    "zstd": lambda content: Zstd().decode(content),
    "gzip": lambda content: GZip().decode(content),
}


def name_of(extension: Any) -> str:
    """The name of a data type, codec or transformer, which Zarr v3 writes as a string or as an object."""
    return str(extension["name"] if isinstance(extension, dict) else extension)


def has_checksum(array: Array) -> bool:
    """Does every object of this array end with the checksum of what stands before it?"""
    return name_of(array["codecs"][-1]) == CHECKSUM


def decode(content: bytes, array: Array) -> np.ndarray:
    """The chunk that an object holds, in the shape of the array's chunks (at the rim of the array too).

    Raises ``ValueError`` that says in a few words what is wrong with the object.
    """
    shape = array["chunk_grid"]["configuration"]["chunk_shape"]
    dtype = np.dtype(name_of(array["data_type"]))
    for codec in reversed(array["codecs"]):
        name = name_of(codec)
        if name == CHECKSUM:
            content = _without_checksum(content)
        elif name == "bytes":
            big = isinstance(codec, dict) and codec.get("configuration", {}).get("endian") == "big"
            dtype = dtype.newbyteorder(">" if big else "<")
        else:
            content = _decompressed(content, name, math.prod(shape) * dtype.itemsize)
    if len(content) != math.prod(shape) * dtype.itemsize:
        raise ValueError(f"it holds {len(content)} bytes and not {math.prod(shape) * dtype.itemsize}")
    return np.frombuffer(content, dtype).reshape(shape)


def fault(content: bytes | None, array: Array) -> str | None:
    """What is wrong with an object, in a few words; None if nothing can be found. Reading it then gives a chunk."""
    if content is None:
        return "it is missing"
    try:
        if has_checksum(array):
            _without_checksum(content)
        else:
            decode(content, array)
    except ValueError as error:
        return str(error)
    return None


def cure(name: str) -> str:
    """What to type where something in the store of the ensemble ``name`` is broken."""
    return f"mend it with the command that made it and repair=true, e.g. python sample.py ensemble={name} repair=true"


class CheckedStore(LocalStore):
    """zarr's folder store for readers, where a missing or broken object is a ``UserError`` and never data.

    arrays: the metadata of every array by its name. name: of the ensemble.
    """

    def __init__(self, root: Path, arrays: Mapping[str, Array], name: str, *, read_only: bool = True) -> None:
        super().__init__(root, read_only=read_only)
        self.arrays, self.name = arrays, name

    def with_read_only(self, read_only: bool = False) -> CheckedStore:
        return type(self)(self.root, self.arrays, self.name, read_only=read_only)

    async def get(self, key: str, prototype: Any = None, byte_range: Any = None) -> Buffer | None:
        return self._checked(key, await super().get(key, prototype, byte_range))

    def get_sync(self, key: str, *, prototype: Any = None, byte_range: Any = None) -> Buffer | None:
        return self._checked(key, super().get_sync(key, prototype=prototype, byte_range=byte_range))

    def _checked(self, key: str, found: Buffer | None) -> Buffer | None:
        folder, _, name = key.rpartition("/")
        array = self.arrays.get(folder)
        if array is None or not name.startswith("c."):
            return found
        wrong = fault(None if found is None else found.to_bytes(), array)
        if wrong is not None:
            raise UserError(f"{self.root / key} is broken, as {wrong}: {cure(self.name)}.")
        return found


def _without_checksum(content: bytes) -> bytes:
    whole, stored = content[:-4], content[-4:]
    if len(stored) < 4 or google_crc32c.value(whole) != int.from_bytes(stored, "little"):
        raise ValueError("its checksum is not that of its content" if content else "it is empty")
    return whole


def _decompressed(content: bytes, codec: str, size: int) -> bytes:
    """Decompressed content of ``size`` bytes. Blosc itself believes its header, and reads and allocates by it."""
    if codec == "blosc":
        said, length = (int.from_bytes(content[k : k + 4], "little") for k in (4, 12))
        if len(content) < 16 or length != len(content) or said != size:
            raise ValueError("it is cut short or its header is broken" if content else "it is empty")
    try:
        return bytes(DECOMPRESS[codec](content))
    except (RuntimeError, ValueError, OSError, EOFError) as error:
        raise ValueError("it cannot be decompressed") from error
