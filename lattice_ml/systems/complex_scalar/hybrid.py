"""Checkerboard sweeps with or without worms between them.

The hybrid update is four checkerboard sweeps and then one worm update: both leave the law as it is. Where lines in time
are accepted, sweeps mix k, l and the winding numbers at a fraction of the cost of worms, which grow long there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from lattice_ml.kernels.device import Device
from lattice_ml.systems.complex_scalar.checkerboard import Checkerboard
from lattice_ml.systems.complex_scalar.physics import ComplexScalar
from lattice_ml.systems.complex_scalar.worm import Worms
from lattice_ml.systems.sampler import Lane, Tick

SWEEPS = 4
"""Checkerboard sweeps of an update."""


class Hybrid:
    """Trajectories side by side: an update is ``SWEEPS`` of the checkerboard and, if ``closings`` are given, worms.

    states: closed configurations, int16 ``[lane, species, t, x]`` of the host. closings: of a worm update, for every
    lane; None leaves the worms out.
    """

    def __init__(
        self, system: ComplexScalar, lanes: Sequence[Lane], seed: int, states: np.ndarray,
        closings: Sequence[int] | None, device: Device,
    ) -> None:  # fmt: skip
        self.system, self.device, self.states = system, device, device.put(states)
        self.checkerboard = Checkerboard(system, lanes, seed, self.states, device)
        self.worms = Worms(system, lanes, seed, self.states, closings, device) if closings else None
        if self.worms is not None:
            self.worms.states = self.states  # not a copy: both change the same configurations
        self.done = 0

    def advance(self, due: Sequence[Sequence[int]], tick: Tick) -> Any:
        """Read every lane out after ``due`` updates since its start, each ``[lane][readout]``, increasing.

        Returns int16 ``[lane, readout, species, t, x]`` on the device. ``tick`` gets links × updates. Lanes go on
        together, to the last time of any of them.
        """
        due_at = np.array(due, dtype=np.int64)
        lanes, readouts = due_at.shape
        out = self.device.put(np.zeros((lanes, readouts, 4, *self.system.extents), dtype=np.int16))
        while self.done < due_at.max():
            first = np.full(lanes, self.done * SWEEPS, dtype=np.uint64)
            self.done += 1
            self.checkerboard.advance(first, first + np.uint64(SWEEPS))
            if self.worms is not None:
                self.worms.advance([[self.done]] * lanes, lambda work: None)
            for lane, read in np.argwhere(due_at == self.done):
                out[int(lane), int(read)] = self.states[int(lane)]
            tick(2.0 * self.system.volume * lanes)
        return out
