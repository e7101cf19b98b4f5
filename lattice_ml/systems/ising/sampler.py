"""The sampler of the Ising model: trajectories of many lattices at once, on the CPU or on a GPU."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from lattice_ml.ground.errors import UserError
from lattice_ml.kernels.device import THREADS_TO_FILL, Where, open_device
from lattice_ml.systems.base import Lane, Point, Sampler, Tick
from lattice_ml.systems.ising.physics import Ising

LANE_BYTES = 2**33
"""Device memory that the trajectories of one call may take."""


class IsingSampler(Sampler):
    """Heat-bath sweeps of the Ising model on a checkerboard, exact in law at every temperature and extent.

    device: "auto", "cpu" or "cuda". trajectories: of the whole campaign; nothing here depends on it.
    Raises ``UserError`` if there is no such device.
    """

    def __init__(self, device: Where = "auto", trajectories: int = 1) -> None:
        self.device = open_device(device)

    def settings(self, point: Point) -> dict[str, Any]:
        """The algorithm and the version of its bits."""
        return {"algorithm": "checkerboard", "version": 1}

    def validate(self, system: Ising, point: Point, times: Sequence[float]) -> None:
        """Raise ``UserError`` on another system, or times that are no whole sweeps or do not increase from above 0."""
        if not isinstance(system, Ising):
            raise UserError(
                f"sampler=ising does not know the rules of {system.name}: give system=ising, or the sampler of "
                f"{system.name}, one of conf/sampler/."
            )
        if any(time != round(time) for time in times):
            raise UserError(
                f"read-out times {list(times)} are no whole numbers of sweeps: give such times in ensemble.protocol, "
                "e.g. waiting=1000 and spacing=100."
            )
        if any(later <= earlier for earlier, later in zip((0, *times), times, strict=False)):
            raise UserError(f"read-out times {list(times)} do not increase from above 0: give e.g. [1000, 1100].")

    def lanes_at_once(self, system: Ising, point: Point, readouts: int) -> int:
        """1 on the CPU; on a GPU as many as fill it with the threads of one colour, four sites each."""
        if self.device.name == "cpu":
            return 1
        colours = 2 if all(extent % 2 == 0 for extent in system.extents) else 3
        filling = THREADS_TO_FILL * 4 * colours // system.volume
        return max(1, min(filling, LANE_BYTES // ((16 + 4 * readouts) * system.volume)))

    def sample(self, system: Ising, lanes: Sequence[Lane], seed: int, start: str, tick: Tick) -> Any:
        """1 where the spin is up, of every lane at its ``times``: whole numbers of sweeps since the start state.

        Returns uint16 ``[lane, time, 1, x, y]`` on ``device``. The bits of a lane depend on (seed, point, replica,
        start) alone, and reading out leaves the trajectory as it is. ``tick`` is called with sites × sweeps several
        times a second. Several threads may call at once.
        Raises ``UserError`` on an unphysical point, an unknown start, or times that are no whole numbers of sweeps or
        do not increase from above 0.
        """
        from lattice_ml.systems.ising.checkerboard import Checkerboard  # numba: not at start-up
        from lattice_ml.systems.ising.start import start_state

        for point, _, times in lanes:
            self.validate(system, point, times)
            system.validate(point)
        up = np.stack([start_state(system, lane.point, seed, lane.replica, start) for lane in lanes])
        with self.device.stream():
            trajectories, readouts = Checkerboard(system, lanes, seed, up, self.device), []
            for times in zip(*(lane.times for lane in lanes), strict=True):
                trajectories.advance(times, tick)
                readouts.append(trajectories.states())
            return np.stack(readouts, axis=1)
