"""The Active Ising Model: parameters, state, observables.

N = rho0 Lx Ly particles with spin s = ±1 live on an Lx × Ly torus, any number on a site. In continuous time

- a particle hops along +x at rate D (1 + eps s), along -x at rate D (1 - eps s), along +y and -y at rate D each;
- its spin flips, s -> -s, at rate exp(-s beta m_i / rho_i), beta = 1/T, itself included in m_i and rho_i,

with n±(i) the counts on site i, rho_i = n+ + n- and m_i = n+ - n-.
Units: k_B = 1, lattice constant 1, time 1/gamma, gamma = 1 the prefactor of the flip rate.

Source: Solon & Tailleur, PRL 111, 078101 (2013), and PRE 92, 042119 (2015), Sec. II.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lattice_ml.ground.errors import UserError
from lattice_ml.systems.base import Point, System

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class ActiveIsing(System):
    """The rules of the model on one torus.

    extents: sites (Lx, Ly); the drift is along x. D: hop rate, > 0. eps: self-propulsion, |eps| <= 1.
    Raises ``UserError`` on anything else.
    """

    extents: tuple[int, int]
    D: float = 1.0
    eps: float = 0.9

    name = "active_ising"
    species = ("plus", "minus")
    channels = ("magnetisation", "density")
    embedded = ("magnetisation",)
    phases = ("L", "L+G", "G")
    couplings = ("rho0",)
    time_unit = "1/gamma"
    starts = ("band", "ordered", "random")

    def __post_init__(self) -> None:
        extents = tuple(self.extents)
        if len(extents) != 2 or not all(isinstance(n, int) and n >= 3 for n in extents):
            raise UserError(
                f"extents = {list(extents)} is not a torus: give two whole numbers of at least 3, "
                "e.g. ensemble.extents=[81,81]."
            )
        object.__setattr__(self, "extents", extents)
        for name, value in (("D", self.D), ("eps", self.eps)):
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise UserError(f"{name} = {value!r} is not a number: give one, e.g. system.{name}=0.9.")
        if not 0 < self.D < np.inf:
            raise UserError(f"D = {self.D} is not a hop rate: give D > 0, e.g. system.D=1.")
        if not abs(self.eps) <= 1:
            raise UserError(
                f"eps = {self.eps} makes a hop rate D (1 ± eps) negative: give -1 <= eps <= 1, e.g. system.eps=0.9."
            )

    def validate(self, point: Point) -> None:
        """Raise ``UserError`` unless T > 0, rho0 > 0 and the number of particles rho0 Lx Ly is whole."""
        if set(point) != {"T", "rho0"}:
            raise UserError(
                f"a point of the Active Ising Model is given by T and rho0, not by {', '.join(sorted(point))}."
            )
        temperature, rho0 = point["T"], point["rho0"]
        if not 0 < temperature < np.inf:
            raise UserError(f"T = {temperature:g} is not a temperature: give T > 0, e.g. ensemble.grid.T=[0.3].")
        if not 0 < rho0 < np.inf:
            raise UserError(f"rho0 = {rho0:g} is not a density: give rho0 > 0, e.g. ensemble.grid.rho0=[3].")
        number = rho0 * self.volume
        if abs(number - round(number)) > 1e-6:
            nearest = max(round(number), 1) / self.volume
            raise UserError(
                f"rho0 = {rho0:g} puts {number:.6g} particles on {self.extents[0]} × {self.extents[1]} sites, "
                f"which is not a whole number: the nearest density that is one is rho0 = {nearest:.10g}."
            )

    def particles(self, point: Point) -> int:
        """Number of particles N = rho0 Lx Ly."""
        return round(point["rho0"] * self.volume)

    def work(self, point: Point) -> float:
        return float(self.particles(point))

    def point_key(self, point: Point) -> int:
        """A uint32 that names this point of this system in the random streams.

        The same T, rho0, D, eps and extents give the same key, in whichever ensemble the point appears.
        """
        name = (
            f"{self.name} {self.extents[0]}x{self.extents[1]} D={self.D:.10g} eps={self.eps:.10g} "
            f"T={point['T']:.10g} rho0={point['rho0']:.10g}"
        )
        return zlib.crc32(name.encode())

    def check(self, states: np.ndarray, point: Point) -> None:
        """The number of particles is conserved exactly."""
        counted = states.sum(axis=(-3, -2, -1), dtype=np.int64)
        if not np.all(counted == self.particles(point)):
            raise RuntimeError(
                f"particle number not conserved at {dict(point)}: {np.unique(counted)}, not {self.particles(point)}"
            )

    def to_channels(self, states: torch.Tensor) -> torch.Tensor:
        """Magnetisation m = n+ - n- and density rho = n+ + n- of every site.

        states: any integer dtype ``[..., species, x, y]``; returns float32 ``[..., channel, x, y]``.
        """
        import torch

        counts = states.float()
        plus, minus, channels = counts[..., 0, :, :], counts[..., 1, :, :], torch.empty_like(counts)
        torch.sub(plus, minus, out=channels[..., 0, :, :])
        torch.add(plus, minus, out=channels[..., 1, :, :])
        return channels

    def observables(self, states: np.ndarray, point: Point | None = None) -> dict[str, np.ndarray]:
        """Equal-time observables of states ``[..., species, x, y]``, each float64 ``[...]``.

        - ``magnetisation``: sum_i m_i / N, signed; ``order``: its modulus, the order parameter m̄;
        - ``minority``: sum_i min(n+, n-) / N, the fraction of particles whose spin is the rarer one on their site;
        - ``band_amplitude``: |sum_i m_i exp(-2 pi i x/Lx)| / N, the k_x = 1 mode of the magnetisation: large where
          a band stands across the system;
        - ``lane_amplitude``: the same along y: large where the system is trapped in counter-propagating lanes;
        - ``density_band``: the k_x = 1 mode of the density, normalised by N.
        """
        counts = states.astype(np.float64)
        plus, minus = counts[..., 0, :, :], counts[..., 1, :, :]
        m, rho = plus - minus, plus + minus
        number = rho.sum(axis=(-2, -1))
        magnetisation = m.sum(axis=(-2, -1)) / number
        wave_x = np.exp(-2j * np.pi * np.arange(self.extents[0]) / self.extents[0])
        wave_y = np.exp(-2j * np.pi * np.arange(self.extents[1]) / self.extents[1])
        return {
            "magnetisation": magnetisation,
            "order": np.abs(magnetisation),
            "minority": np.minimum(plus, minus).sum(axis=(-2, -1)) / number,
            "band_amplitude": np.abs(m.sum(axis=-1) @ wave_x) / number,
            "lane_amplitude": np.abs(m.sum(axis=-2) @ wave_y) / number,
            "density_band": np.abs(rho.sum(axis=-1) @ wave_x) / number,
        }

    def symmetries(self, fields: np.ndarray) -> list[np.ndarray]:
        """The model's mirror, m(x, y) -> -m(-x, y) and rho(x, y) -> rho(-x, y) of ``[..., channel, x, y]``, which maps
        the rules onto themselves: a spin flip turns the drift round, and the reflection turns it back."""
        image = fields[..., ::-1, :].copy()
        image[..., 0, :, :] *= -1
        return [image]

    def recognise(self, observables: Mapping[str, np.ndarray]) -> np.ndarray | None:
        """A band is there or not, and if not, is the lattice polarised: see ``naming.band_or_not``."""
        from lattice_ml.systems.active_ising.naming import band_or_not

        return band_or_not(observables)

    def name_groups(self, observables: Mapping[str, np.ndarray], group: np.ndarray) -> list[str] | None:
        """A phase for each group of configurations, or None if they are not phases: see ``naming.flocking_phases``."""
        from lattice_ml.systems.active_ising.naming import flocking_phases

        return flocking_phases(observables, group)
