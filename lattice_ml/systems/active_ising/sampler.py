"""The sampler of the Active Ising Model: which exact algorithm runs at which point."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import UInt16

from lattice_ml.errors import UserError
from lattice_ml.systems.active_ising.physics import ActiveIsing
from lattice_ml.systems.base import Lane, Point, Tick

ALGORITHMS = ("event_driven", "random_sequential")
CROSSOVER = 0.55
"""From this temperature on the random-sequential update is the faster one: measured in benchmarks/active_ising.md."""
COLDEST = 0.1
"""Below this temperature the random-sequential update picks a particle more than 22,000 times for each hop."""


class ActiveIsingSampler:
    """Exact continuous-time trajectories of the Active Ising Model.

    algorithm: "event_driven", "random_sequential", or "auto": the faster of the two at the point's temperature.
    device: "cpu". Raises ``UserError`` on anything else.
    """

    def __init__(self, algorithm: str = "auto", device: str = "cpu") -> None:
        if algorithm not in ("auto", *ALGORITHMS):
            raise UserError(
                f"there is no algorithm {algorithm!r} for the Active Ising Model: give sampler.algorithm=auto, "
                f"{' or '.join(ALGORITHMS)}."
            )
        if device != "cpu":
            raise UserError(f"the Active Ising Model has no sampler for device {device!r}: give sampler.device=cpu.")
        self.algorithm, self.device = algorithm, device

    def settings(self, point: Point) -> dict[str, Any]:
        """The algorithm that runs at this point and the version of its bits."""
        algorithm = self.algorithm
        if algorithm == "auto":
            algorithm = "event_driven" if point["T"] < CROSSOVER else "random_sequential"
        return {"algorithm": algorithm, "version": 1}

    def validate(self, system: ActiveIsing, point: Point) -> None:
        """Raise ``UserError`` where the algorithm of this point does not reach: too cold, or hops too rare."""
        algorithm = self.settings(point)["algorithm"]
        if algorithm == "random_sequential" and point["T"] < COLDEST:
            raise UserError(
                f"the random-sequential update does not reach T = {point['T']:g}: give T >= {COLDEST:g} or "
                "sampler.algorithm=event_driven."
            )
        if algorithm == "event_driven" and system.D * system.particles(point) < 2:
            raise UserError(
                f"{system.particles(point)} particles at D = {system.D:g} hop too rarely for the event-driven update: "
                "give more of them or sampler.algorithm=random_sequential."
            )

    def sample(
        self, system: ActiveIsing, lanes: Sequence[Lane], seed: int, start: str, times: Sequence[float], tick: Tick
    ) -> UInt16[np.ndarray, "lane time species x y"]:
        """Counts n+, n- of every lane at ``times`` (increasing, > 0, since the start state; unit: 1/D at D = 1).

        The bits of a lane depend on (seed, point, replica, start, algorithm) and, in one case, on ``times``: with the
        event-driven update, a read-out at another time than a multiple of 4 brings all flip chains to the present and
        so makes the trajectory another, equally exact one.
        ``tick`` is called with particles × time several times a second. Several threads may call at once.
        Raises ``UserError`` on an unphysical point, an unknown start or times that do not increase from above 0.
        """
        from lattice_ml.systems.active_ising import event_driven, random_sequential  # numba: not at start-up
        from lattice_ml.systems.active_ising.start import start_state

        if any(later <= earlier for earlier, later in zip((0.0, *times), times, strict=False)):
            raise UserError(f"read-out times {list(times)} do not increase from above 0: give e.g. [1500, 1600].")
        trajectories = {
            "event_driven": event_driven.Trajectory,
            "random_sequential": random_sequential.Trajectory,
        }
        states = np.empty((len(lanes), len(times), 2, *system.extents), dtype=np.uint16)
        for lane, (point, replica) in zip(states, lanes, strict=True):
            system.validate(point)
            self.validate(system, point)
            counts = start_state(system, point, seed, replica, start)
            trajectory = trajectories[self.settings(point)["algorithm"]](system, point, seed, replica, counts)
            for state, time in zip(lane, times, strict=True):
                trajectory.advance(time, tick)
                state[:] = trajectory.counts()
        return states
