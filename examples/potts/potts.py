"""The Potts model on the square lattice, H = - sum over bonds <ij> of delta(s_i, s_j), and a heat bath for it.

Known exactly: T_c = 1 / ln(1 + sqrt q), 0.9950 for q = 3, where order sets in continuously (q <= 4).
Source: R. J. Baxter, J. Phys. C 6, L445 (1973); F. Y. Wu, Rev. Mod. Phys. 54, 235 (1982).
"""

import itertools
from dataclasses import dataclass

import numpy as np
from numba import njit

from lattice_ml.systems.base import Sampler, System


@dataclass(frozen=True)
class Potts(System):
    """q colours on a torus of Lx × Ly sites; a site's state is its colour, 0 ... q - 1, and a net sees one channel for
    each. ``control`` is T, in units of the coupling."""

    extents: tuple[int, int]
    q: int = 3

    phases = ("ordered", "disordered")

    @property
    def values(self):
        return tuple(range(self.q))

    @property
    def channels(self):
        return tuple(f"colour_{k}" for k in self.values)

    def to_channels(self, states):
        return (states == states.new_tensor(self.values)[:, None, None]).float()

    def symmetries(self, fields):
        """The permutations of the colours leave the energy as it is."""
        return [fields[..., list(order), :, :] for order in itertools.permutations(self.values)][1:]


class HeatBath(Sampler):
    """Draws every site in turn from its law given its four neighbours, exact at every temperature."""

    def advance(self, system, point, state, sweeps, random):
        sweep(state[0], np.exp(np.arange(5) / point["T"]), system.q, sweeps, random)


@njit(nogil=True)
def sweep(colour, weight, q, sweeps, random):
    """colour: ``[x, y]``, changed in place. weight: exp(n / T) of a colour that n = 0 ... 4 neighbours have."""
    width, height = colour.shape
    for _ in range(sweeps):
        for x in range(width):
            for y in range(height):
                near = (colour[x - 1, y], colour[(x + 1) % width, y], colour[x, y - 1], colour[x, (y + 1) % height])
                total = 0.0
                for k in range(q):
                    total += weight[(near[0] == k) + (near[1] == k) + (near[2] == k) + (near[3] == k)]
                rest = random.random() * total
                for k in range(q):
                    rest -= weight[(near[0] == k) + (near[1] == k) + (near[2] == k) + (near[3] == k)]
                    if rest < 0:
                        break
                colour[x, y] = k
