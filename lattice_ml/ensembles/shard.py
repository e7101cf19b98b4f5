"""A shard: one of n equal parts of an ensemble's chunks, for job arrays: ``python sample.py shard=0/8``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple, TypeVar

from lattice_ml.ground.errors import UserError

T = TypeVar("T")


class Shard(NamedTuple):
    """Part ``number`` of ``parts``, counted from 0."""

    number: int
    parts: int

    def of(self, chunks: Sequence[T]) -> list[T]:
        """Every ``parts``-th chunk: all shards together are all chunks, and where these are in order of their work,
        shards are equal in work."""
        return list(chunks[self.number :: self.parts])

    def __str__(self) -> str:
        return f"shard {self.number}/{self.parts}"


def parse_shard(text: object) -> Shard | None:
    """``"2/8"`` to the third of eight shards, None to None; raises ``UserError`` on anything else."""
    if text is None:
        return None
    found = re.fullmatch(r"([0-9]{1,9})/([0-9]{1,9})", str(text))
    if not found or not int(found[1]) < int(found[2]):
        raise UserError(f"shard = {text} will not do: give part/parts counted from 0, e.g. shard=0/8 to shard=7/8.")
    return Shard(int(found[1]), int(found[2]))
