"""Start states of the complex scalar field, drawn from the start stream of each trajectory.

- ``cold``: no flux, no l: the vacuum, winding number 0.
- ``hot``: a random rotation of -1, 0 or 1 on every plaquette, a random flux of as much along every straight line in
  time and in space, and l of 0, 1 or 2 on every link: closed, far from equilibrium, with a random winding number.
- ``hot_and_cold``: even replicas cold, odd ones hot: where their averages agree the ensemble has forgotten its start.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Int16

from lattice_ml.ground.errors import UserError
from lattice_ml.kernels import rng
from lattice_ml.systems.base import Point
from lattice_ml.systems.complex_scalar.fluxes import K_T, K_X, L_T
from lattice_ml.systems.complex_scalar.physics import ComplexScalar


def start_state(
    system: ComplexScalar, point: Point, seed: int, replica: int, start: str
) -> Int16[np.ndarray, "species t x"]:
    """A closed configuration, a function of (seed, replica, point) and the kind of start alone.

    Raises ``UserError`` if there is no such start.
    """
    if start not in system.starts:
        raise UserError(f"there is no start {start!r}: give one of {', '.join(system.starts)}.")
    (height, width), volume = system.extents, system.volume
    state = np.zeros((4, height, width), dtype=np.int16)
    if start == "cold" or (start == "hot_and_cold" and replica % 2 == 0):
        return state
    key = rng.stream_key(seed, replica, system.point_key(point), rng.START)
    draws = np.floor(3 * rng.uniforms(key, 0, 3 * volume + height + width)).astype(np.int16)
    plaquettes, free, lines = np.split(draws, [volume, 3 * volume])
    rotation = plaquettes.reshape(height, width) - 1
    # Plaquette (t, x) goes from (t, x) to (t + 1, x), (t + 1, x + 1), (t, x + 1) and back.
    state[K_T] = rotation - np.roll(rotation, 1, axis=1) + (lines[:width] - 1)
    state[K_X] = np.roll(rotation, 1, axis=0) - rotation + (lines[width:, None] - 1)
    state[L_T:] = free.reshape(2, height, width)
    return state
