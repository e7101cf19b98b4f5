"""The Ising model on the square lattice: parameters, state, observables.

Every site of an Lx × Ly torus carries a spin s = ±1, the energy is

    E = - sum over bonds <ij> of s_i s_j,

and configurations have the probability exp(-E/T) / Z. Units: J = 1, k_B = 1, lattice constant 1, time in sweeps: one
update of every site. Below T_c = 2 / ln(1 + sqrt 2) it is a ferromagnet; ``onsager`` holds what is known exactly.

Source: L. Onsager, Phys. Rev. 65, 117 (1944).
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lattice_ml.ground.errors import UserError
from lattice_ml.systems.base import Point, System

if TYPE_CHECKING:
    import torch

FERROMAGNET, PARAMAGNET = "F", "P"


@dataclass(frozen=True)
class Ising(System):
    """The rules of the model on one torus.

    extents: sites (Lx, Ly), at least 3 each, so that the four neighbours of a site are four sites.
    A state is uint16 ``[..., 1, x, y]``: 1 where the spin is up, 0 where it is down. Raises ``UserError`` on other
    extents.
    """

    extents: tuple[int, int]

    name = "ising"
    values = (0, 1)
    species = ("up",)
    channels = ("spin",)
    phases = (FERROMAGNET, PARAMAGNET)

    def validate(self, point: Point) -> None:
        """Raise ``UserError`` unless the point is a temperature T > 0 and nothing else."""
        if set(point) != {"T"}:
            raise UserError(f"a point of the Ising model is given by T alone, not by {', '.join(sorted(point))}.")
        if not 0 < point["T"] < np.inf:
            raise UserError(f"T = {point['T']:g} is not a temperature: give T > 0, e.g. ensemble.grid.T=[2.0].")

    def point_key(self, point: Point) -> int:
        """A uint32 that names this point of this system in the random streams.

        The same T and extents give the same key, in whichever ensemble the point appears.
        """
        return zlib.crc32(f"{self.name} {self.extents[0]}x{self.extents[1]} T={point['T']:.10g}".encode())

    def check(self, states: np.ndarray, point: Point) -> None:
        """A site holds one spin, up or down; the dynamics conserves nothing else."""
        if states.max(initial=0) > 1:
            raise RuntimeError(f"a site holds {states.max()} up spins at {dict(point)}, not 0 or 1")

    def to_channels(self, states: torch.Tensor) -> torch.Tensor:
        """The spin s = ±1 of every site.

        states: any integer dtype ``[..., species, x, y]``; returns float32 ``[..., channel, x, y]``.
        """
        return states.float().mul_(2).sub_(1)

    def observables(self, states: np.ndarray, point: Point | None = None) -> dict[str, np.ndarray]:
        """Observables of states ``[..., species, x, y]``, each float64 ``[...]``.

        - ``magnetisation``: m = sum_i s_i / N, signed; ``order``: |m|;
        - ``energy``: E / N = - sum over bonds of s_i s_j / N, from -2 (ordered) to 0 (T = infinity) and beyond.
        """
        spin = 2 * states[..., 0, :, :].astype(np.int8) - 1
        right_and_up = np.roll(spin, -1, axis=-2) + np.roll(spin, -1, axis=-1)
        magnetisation = spin.sum(axis=(-2, -1), dtype=np.int64) / self.volume
        return {
            "magnetisation": magnetisation,
            "order": np.abs(magnetisation),
            "energy": -(spin * right_and_up).sum(axis=(-2, -1), dtype=np.int64) / self.volume,
        }

    def symmetries(self, fields: np.ndarray) -> list[np.ndarray]:
        """The spins ``[..., channel, x, y]`` turned over, s -> -s, which leaves every energy as it is."""
        return [-fields]
