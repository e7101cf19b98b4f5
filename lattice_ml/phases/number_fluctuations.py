"""Density histograms of coarse-grained cells, and how the number of particles in a box fluctuates.

    <dN²> ∝ <N>^a

over square boxes of l × l sites on a torus of V sites: a = 1 where correlations are short-ranged, as in an ideal gas,
whose numbers are Poissonian; a > 1 are giant number fluctuations. The particles of the whole torus are conserved, which
takes the share l²/V of the variance away: it is given back, var / (1 - l² / V), exact for an ideal gas.

Source: Ramaswamy, Simha & Toner, EPL 62, 196 (2003); of this model, Solon & Tailleur, PRL 111, 078101 (2013).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Integer

SHORTEST, LONGEST = 8, 3
"""Boxes of the fit: sides from 8 sites, beyond the correlations of neighbours, to a third of the shorter extent."""


class Fluctuations(NamedTuple):
    """sides int64 ``[box]`` in sites; mean ``[box]`` <N>; variance ``[replica, box]`` <dN²>, corrected as above."""

    sides: np.ndarray
    mean: np.ndarray
    variance: np.ndarray

    def exponents(self, shortest: int) -> Float[np.ndarray, " replica"]:
        """a of every replica: the slope of log <dN²> over log <N>, boxes from ``shortest`` sites on; nan of one box."""
        chosen = self.sides >= shortest
        if chosen.sum() < 2:
            return np.full(len(self.variance), np.nan)
        return np.array([np.polyfit(np.log(self.mean[chosen]), np.log(own[chosen]), 1)[0] for own in self.variance])

    def fano(self) -> Float[np.ndarray, " replica"]:
        """<dN²> / <N> of the largest boxes: 1 for Poisson."""
        return self.variance[:, -1] / self.mean[-1]


def box_sides(extents: tuple[int, int], number: int = 10) -> list[int]:
    """Sides from 1 site to a third of the shorter extent, evenly in their logarithm."""
    longest = max(min(extents) // LONGEST, 1)
    return sorted({round(side) for side in np.geomspace(1, longest, number)})


def number_fluctuations(density: Integer[np.ndarray, "replica sample x y"], sides: Sequence[int]) -> Fluctuations:
    """Fluctuations over every box of each side, whose corner may be any site. density: particles on each site."""
    volume = density.shape[-2] * density.shape[-1]
    mean = density.mean()
    variance = np.array(
        [
            [np.mean((box_numbers(own, side) - mean * side**2) ** 2) / (1 - side**2 / volume) for side in sides]
            for own in density
        ]
    )
    return Fluctuations(np.array(sides), mean * np.array(sides) ** 2, variance)


def box_numbers(density: Integer[np.ndarray, "*batch x y"], side: int) -> np.ndarray:
    """Particles in the side × side box that begins at each site, float64 ``[..., x, y]``, round the torus."""
    found = density.astype(np.float64)
    for axis in (-2, -1):
        widths = [(0, 0)] * found.ndim
        widths[axis] = (1, side - 1)
        total = np.pad(found, widths, mode="wrap").cumsum(axis=axis)
        # The padded first entry is no part of any box: it only makes the sum before site 0.
        size = found.shape[axis]
        upper, lower = (np.take(total, np.arange(size) + shift, axis=axis) for shift in (side, 0))
        found = upper - lower
    return found


def cell_densities(density: Integer[np.ndarray, "*batch x y"], side: int) -> np.ndarray:
    """Particles per site in cells of side × side sites that tile the torus, as far as they fit, ``[..., cell]``."""
    nx, ny = density.shape[-2] // side, density.shape[-1] // side
    tiles = density[..., : nx * side, : ny * side].reshape(*density.shape[:-2], nx, side, ny, side)
    return tiles.mean(axis=(-3, -1), dtype=np.float64).reshape(*density.shape[:-2], nx * ny)
