"""Start states of the Ising model, drawn from the start stream of each trajectory.

- ``ordered``: all spins alike, up or down at random: T = 0. It relaxes fast at all temperatures but T_c.
- ``random``: every spin for itself: T = infinity. Far below T_c it coarsens, and may get stuck in stripes for good.

Trajectories of one seed, point and replica follow the same random words from whichever start, and the heat bath keeps
their order (more up spins stay more), so two starts end up in the same configuration: for independent ones take another
seed. Source of the coupling: J. G. Propp & D. B. Wilson, Random Struct. Algorithms 9, 223 (1996).
"""

from __future__ import annotations

import numpy as np
from jaxtyping import UInt8

from lattice_ml.ground.errors import UserError
from lattice_ml.kernels import rng
from lattice_ml.systems.base import Point
from lattice_ml.systems.ising.physics import Ising


def start_state(system: Ising, point: Point, seed: int, replica: int, start: str) -> UInt8[np.ndarray, "x y"]:
    """1 where the spin is up and 0 elsewhere, a function of (seed, replica, point) and the kind of start alone.

    Raises ``UserError`` if there is no such start.
    """
    if start not in system.starts:
        raise UserError(f"there is no start {start!r}: give one of {', '.join(system.starts)}.")
    key = rng.stream_key(seed, replica, system.point_key(point), rng.START)
    spins = 1 if start == "ordered" else system.volume
    up = rng.uniforms(key, 0, spins) < 0.5
    return np.broadcast_to(up, system.volume).astype(np.uint8).reshape(system.extents)
