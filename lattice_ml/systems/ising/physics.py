"""The Ising model on the square lattice: parameters, state, observables.

Every site of an Lx × Ly torus carries a spin s = ±1, the energy is

    E = - sum over bonds <ij> of s_i s_j,

and configurations have the probability exp(-E/T) / Z. Units: J = 1, k_B = 1, lattice constant 1, time in sweeps: one
update of every site. Below T_c = 2 / ln(1 + sqrt 2) it is a ferromagnet; ``onsager`` holds what is known exactly.

Source: L. Onsager, Phys. Rev. 65, 117 (1944).
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float, Int64

from lattice_ml.ground.errors import UserError
from lattice_ml.systems.base import Point

if TYPE_CHECKING:
    import torch

FERROMAGNET, PARAMAGNET = "F", "P"


@dataclass(frozen=True)
class Ising:
    """The rules of the model on one torus.

    extents: sites (Lx, Ly), at least 3 each, so that the four neighbours of a site are four sites.
    A state is uint16 ``[..., 1, x, y]``: 1 where the spin is up, 0 where it is down. Raises ``UserError`` on other
    extents.
    """

    extents: tuple[int, int]

    name = "ising"
    species = ("up",)
    channels = ("spin",)
    phases = (FERROMAGNET, PARAMAGNET)
    control = "T"
    time_unit = "sweeps"
    dtype = "uint16"
    watched = ()
    starts = ("ordered", "random")

    def __post_init__(self) -> None:
        extents = tuple(self.extents)
        if len(extents) != 2 or not all(isinstance(n, int) and n >= 3 for n in extents):
            raise UserError(
                f"extents = {list(extents)} is not a torus: give two whole numbers of at least 3, "
                "e.g. ensemble.extents=[32,32]."
            )
        object.__setattr__(self, "extents", extents)

    @property
    def volume(self) -> int:
        """Number of sites."""
        return self.extents[0] * self.extents[1]

    def parameters(self) -> dict[str, Any]:
        return {"name": self.name, "extents": list(self.extents)}

    def validate(self, point: Point) -> None:
        """Raise ``UserError`` unless the point is a temperature T > 0 and nothing else."""
        if set(point) != {"T"}:
            raise UserError(f"a point of the Ising model is given by T alone, not by {', '.join(sorted(point))}.")
        if not 0 < point["T"] < np.inf:
            raise UserError(f"T = {point['T']:g} is not a temperature: give T > 0, e.g. ensemble.grid.T=[2.0].")

    def work(self, point: Point) -> float:
        """Spin updates in a sweep: the number of sites."""
        return float(self.volume)

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

    def statistics(self, states: np.ndarray) -> dict[str, np.ndarray]:
        """None beside the observables."""
        return {}

    def mirror(self, field: np.ndarray) -> np.ndarray:
        """The spins ``[..., x, y]`` turned over, s -> -s, which leaves every energy as it is."""
        return -field

    def recognise(self, observables: Mapping[str, np.ndarray]) -> np.ndarray | None:
        """None: Onsager's T_c is exact, and the report stands it beside what was found."""
        return None

    def name_groups(
        self, observables: Mapping[str, Float[np.ndarray, " n"]], group: Int64[np.ndarray, " n"]
    ) -> list[str] | None:
        """F or P for each group of configurations, or None if the groups are not these phases.

        The groups are cut where their mean ``order`` jumps most: those above are F, those below P. It is no clear cut,
        and None, if the least ordered F group is not twice as ordered as the most ordered P group, or if over a tenth
        of a group lies on the other side of the middle of the jump: such a group mixes phases.
        """
        size = np.bincount(group)
        order = np.bincount(group, observables["order"]) / size
        ranked = np.sort(order)
        if len(ranked) < 2:
            return None
        widest = int(np.argmax(np.diff(ranked)))
        low, high = ranked[widest], ranked[widest + 1]
        cut = (low + high) / 2
        ordered = order > cut
        astray = (observables["order"] > cut) != ordered[group]
        if high == 0 or high < 2 * low or np.any(np.bincount(group, astray) > size / 10):
            return None
        return [FERROMAGNET if above else PARAMAGNET for above in ordered]
