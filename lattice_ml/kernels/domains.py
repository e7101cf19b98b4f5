"""The torus cut into rectangular domains, coloured so that no two that share an edge have the same colour.

Domains of one colour can be updated at the same time, each while its neighbours stand still. Along an axis the colours
alternate, 0 1 0 1 ...; round a ring of an odd number of domains the last one is 2. Colours of the two axes add up,
modulo 2 where both rings are even (the checkerboard) and modulo 3 else, which keeps neighbours apart: along either
axis one summand changes and the other does not.

Source: synchronous sublattices, Shim & Amar, PRB 71, 125432 (2005); the three-colouring of odd tori, derived here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt32

from lattice_ml.ground.errors import UserError

NOBODY = np.uint32(2**32 - 1)
"""Fills the rows of ``Domains.members`` whose colour has fewer domains than another."""


@dataclass(frozen=True)
class Domains:
    """Domain ``i * ny + j`` holds the sites x_edges[i] <= x < x_edges[i + 1], y_edges[j] <= y < y_edges[j + 1].

    x_edges, y_edges: uint32. members: uint32 ``[colour, domain of this colour]``, domain numbers in increasing order,
    filled up with ``NOBODY``.
    """

    x_edges: UInt32[np.ndarray, " nx+1"]
    y_edges: UInt32[np.ndarray, " ny+1"]
    members: UInt32[np.ndarray, "colour domain"]

    @property
    def count(self) -> int:
        return (len(self.x_edges) - 1) * (len(self.y_edges) - 1)


def cut(extents: tuple[int, int], size: Sequence[int]) -> Domains:
    """Cut a torus into as many domains of at least ``size`` sites along x and y as fit, as equal as they can be.

    A size that reaches an extent leaves it whole. Raises ``UserError`` unless sizes are whole numbers of at least 1.
    """
    if len(size) != 2 or not all(isinstance(n, int) and not isinstance(n, bool) and n >= 1 for n in size):
        raise UserError(f"{list(size)} is no domain: give two whole numbers of at least 1, e.g. [9,9].")
    numbers = [max(1, extent // n) for extent, n in zip(extents, size, strict=True)]
    x_edges, y_edges = (
        (np.arange(n + 1) * extent // n).astype(np.uint32) for n, extent in zip(numbers, extents, strict=True)
    )
    colour = colouring((numbers[0], numbers[1])).ravel()
    groups = [np.flatnonzero(colour == c) for c in range(int(colour.max()) + 1)]
    members = np.full((len(groups), max(map(len, groups))), NOBODY, dtype=np.uint32)
    for row, group in zip(members, groups, strict=True):
        row[: len(group)] = group
    return Domains(x_edges, y_edges, members)


def colouring(numbers: tuple[int, int]) -> np.ndarray:
    """A proper colouring of the torus of nx × ny domains, int64 ``[nx, ny]``, with the fewest colours: 1, 2 or 3."""
    along_x, along_y = (_ring(n) for n in numbers)
    colours = max(along_x.max(), along_y.max()) + 1
    return (along_x[:, None] + along_y) % colours


def _ring(number: int) -> np.ndarray:
    """Colours round a ring of domains; a single one is its own neighbour and needs no other."""
    colour = np.arange(number) % 2
    if number % 2 and number > 1:
        colour[-1] = 2
    return colour
