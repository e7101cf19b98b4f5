"""Colours of plaquettes and links of a torus: those of one colour share no site and can be changed at the same time.

Round a ring of places of which neighbours touch, two colours do if their number is even, three if it is odd: the last
place has the third. Plaquettes touch along both axes, diagonally too, so a colour is a pair of those of their row and
their column. Links of one direction touch along it alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from jaxtyping import UInt32

TIME, SPACE = 0, 1
"""Directions nu; species nu holds k and species 2 + nu holds l of the links in that direction."""


def ring(extent: int) -> list[tuple[int, int]]:
    """Colours of a ring of neighbours, each (first, count): the places first, first + 2, ..."""
    even = [(0, extent // 2), (1, extent // 2)]
    return [*even, (extent - 1, 1)] if extent % 2 else even


def plaquette_colours(extents: tuple[int, int]) -> list[tuple[int, int, int, int]]:
    """(first t, count, first x, count) of every colour; along both axes every other plaquette is of the colour."""
    return [(*rows, *columns) for rows in ring(extents[0]) for columns in ring(extents[1])]


def link_colours(extents: tuple[int, int], direction: int) -> list[tuple[int, int, int, int, int, int]]:
    """(first t, count, step, first x, count, step) of every colour of the links in one direction."""
    if direction == TIME:
        return [(first, count, 2, 0, extents[1], 1) for first, count in ring(extents[0])]
    return [(0, extents[0], 1, first, count, 2) for first, count in ring(extents[1])]


def numbered(colours: Sequence[tuple[int, ...]], counts: slice) -> tuple[UInt32[np.ndarray, "colour column"], int]:
    """Colours with two more columns, their groups of four and the number of the first one, and the groups of all."""
    groups = [-(-math.prod(colour[counts]) // 4) for colour in colours]
    first = np.cumsum([0, *groups])
    rows = [(*colour, g, n) for colour, g, n in zip(colours, groups, first[:-1], strict=True)]
    return np.array(rows, dtype=np.uint32), int(first[-1])
