"""Geometry of the torus: site numbers, neighbours, translations.

Site (x, y) of an Lx × Ly torus has the number ``x * Ly + y``, the C order of an array ``[x, y]``.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Integer, UInt8

RIGHT, LEFT, UP, DOWN = range(4)
"""Columns of the neighbour table: +x, -x, +y, -y."""


def neighbours(extents: tuple[int, int]) -> Integer[np.ndarray, "site direction"]:
    """Number of the site one step right, left, up and down of every site, int64 ``[site, direction]``."""
    sites = np.arange(extents[0] * extents[1]).reshape(extents)
    steps = ((-1, 0), (1, 0), (-1, 1), (1, 1))  # np.roll by -1 along x brings the right neighbour here
    return np.stack([np.roll(sites, shift, axis).ravel() for shift, axis in steps], axis=-1)


def steps_by_edge(extents: tuple[int, int]) -> tuple[UInt8[np.ndarray, " site"], Integer[np.ndarray, "edge direction"]]:
    """The neighbour table in compressed form: the edges a site lies on, and the change of site number for each.

    neighbour = site + step[edge[site], direction]. edge: uint8 ``[site]``, 0 in the interior, else one of 8 edges and
    corners; step: int64 ``[9, direction]``. It stays in the first-level cache where the neighbour table does not.
    """
    sites = np.arange(extents[0] * extents[1]).reshape(extents)
    along_x, along_y = (np.zeros(n, dtype=np.uint8) for n in extents)
    along_x[[0, -1]] = along_y[[0, -1]] = (1, 2)
    edge = (3 * along_x[:, None] + along_y).ravel()
    step = np.zeros((9, 4), dtype=np.int64)
    step[edge] = neighbours(extents) - sites.reshape(-1, 1)
    return edge, step


def translate(states: np.ndarray, dx: int, dy: int) -> np.ndarray:
    """States ``[..., x, y]`` moved by (dx, dy) on the torus: what stood at (x, y) stands at (x + dx, y + dy)."""
    return np.roll(states, (dx, dy), axis=(-2, -1))


def mirror(states: np.ndarray) -> np.ndarray:
    """States ``[..., x, y]`` reflected along x, the lattice's mirror image: (x, y) -> (Lx - 1 - x, y)."""
    return states[..., ::-1, :].copy()
