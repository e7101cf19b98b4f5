"""An ensemble on several tori: one section of the configuration, one store for each torus."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any


def is_family(section: Mapping[str, Any]) -> bool:
    """Does ``extents`` hold several tori, ``[[50, 2], [60, 4]]``, instead of one, ``[60, 4]``?"""
    return not all(isinstance(extent, int) for extent in section["extents"])


def members(section: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The sections of the single ensembles, plain values: one torus and one store each, in the order given.

    The store of the torus 50 × 2 lies at ``<path>-50x2.zarr`` where the family's ``path`` is ``<path>.zarr``. A section
    of a single torus is the only member of its family, with its path as it stands.
    """
    plain = dict(section)
    if not is_family(plain):
        return [plain]
    path = Path(plain["path"])
    return [
        {**plain, "extents": list(torus), "path": str(path.with_name(f"{path.stem}-{torus_name(torus)}{path.suffix}"))}
        for torus in plain["extents"]
    ]


def torus_name(extents: Any) -> str:
    """``60x4``, the extent of the first axis first."""
    return "x".join(str(extent) for extent in extents)
