"""Start states of the Active Ising Model, drawn from the start stream of each trajectory.

- ``band``: a slab of half the extent along x holds 1.6 rho0, all of one sign, in a gas of 0.4 rho0 with random signs,
  at a random position along x. The sign is random: the two are mirror images of each other, for a + band moves to the
  right and a - band to the left. It relaxes to liquid, band or gas, whichever is stable, in 350-1,150 units of time.
- ``ordered``: uniform positions, one random sign for all: the liquid far below the transition.
- ``random``: uniform positions and signs: T = infinity. In and below coexistence it gets trapped in lanes.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import UInt16

from lattice_ml.ground.errors import UserError
from lattice_ml.kernels import rng
from lattice_ml.systems.active_ising.physics import ActiveIsing
from lattice_ml.systems.base import Point

SLAB_SHARE = 0.8
"""Share of the particles in the slab: 1.6 rho0 on half of the torus."""


def start_state(
    system: ActiveIsing, point: Point, seed: int, replica: int, start: str
) -> UInt16[np.ndarray, "species x y"]:
    """Counts n+, n- of a start state, a function of (seed, replica, point) and the kind of start alone.

    Raises ``UserError`` if there is no such start.
    """
    if start not in system.starts:
        raise UserError(f"there is no start {start!r}: give one of {', '.join(system.starts)}.")
    (width, height), particles = system.extents, system.particles(point)
    key = rng.stream_key(seed, replica, system.point_key(point), rng.START)
    sign, shift = rng.uniforms(key, 0, 2)
    draws = rng.uniforms(key, 1, 3 * particles).reshape(3, particles)
    x = np.floor(draws[0] * width).astype(np.int64)
    y = np.floor(draws[1] * height).astype(np.int64)
    majority = int(sign >= 0.5)
    spin = (draws[2] < 0.5).astype(np.int64) if start == "random" else np.full(particles, majority)
    if start == "band":
        slab, first = width // 2, int(shift * width)
        gas = round(particles * SLAB_SHARE)  # particles from here on are the gas's
        x[:gas] = np.floor(draws[0, :gas] * slab)
        x[gas:] = slab + np.floor(draws[0, gas:] * (width - slab))
        x = (x + first) % width
        spin[gas:] = draws[2, gas:] < 0.5
    counts = np.zeros((2, width, height), dtype=np.uint16)
    np.add.at(counts, (spin, x, y), 1)
    return counts
