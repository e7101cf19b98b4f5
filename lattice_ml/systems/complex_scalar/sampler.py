"""The sampler of the complex scalar field: which algorithm runs at which point, on which device."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from lattice_ml.ground.errors import UserError
from lattice_ml.kernels.device import THREADS_TO_FILL, Where, open_device
from lattice_ml.systems.base import Lane, Point, Sampler, Tick
from lattice_ml.systems.complex_scalar.physics import ComplexScalar

if TYPE_CHECKING:
    from lattice_ml.systems.complex_scalar.pilot import Pilot

ALGORITHMS = ("worm", "checkerboard", "hybrid")
LANE_BYTES = 2**33
"""Device memory that the trajectories of one call may take."""
LONGEST = 2**32
"""Elementary updates of a trajectory: kernels number them in 32 bits."""


class ComplexScalarSampler(Sampler):
    """Configurations of the flux form, closed or with open worms.

    algorithm: "worm" (correct everywhere), "checkerboard" (plaquettes, straight lines, l: keeps its winding number
    where lines in time are hardly ever accepted), "hybrid" (both), or "auto": hybrid where a pilot run measures a line
    acceptance of at least a hundredth, worm elsewhere. device: "auto", "cpu" or "cuda". trajectories: of the whole
    campaign; nothing here depends on it. Raises ``UserError`` on anything else.

    The unit of time, an update, is as many elementary updates as the pilot finds to be at least twice the integrated
    autocorrelation time at the point. With open worms, the closed configuration of a read-out is copied and worms are
    opened in the copy; the trajectory goes on from the closed one.
    """

    def __init__(self, algorithm: str = "auto", device: Where = "auto", trajectories: int = 1) -> None:
        if algorithm not in ("auto", *ALGORITHMS):
            raise UserError(
                f"there is no algorithm {algorithm!r} for the complex scalar field: give sampler.algorithm=auto, "
                f"{', '.join(ALGORITHMS[:-1])} or {ALGORITHMS[-1]}."
            )
        self.algorithm, self.device = algorithm, open_device(device)

    def settings(self, point: Point) -> dict[str, Any]:
        """The algorithm as it was asked for and the version of its bits; what auto takes follows from the point."""
        return {"algorithm": self.algorithm, "version": 1}

    def validate(self, system: ComplexScalar, point: Point, times: Sequence[float]) -> None:
        """Raise ``UserError`` on another system, or times that are no whole updates or do not increase from above 0."""
        if not isinstance(system, ComplexScalar):
            raise UserError(
                f"samplers of fluxes do not know the rules of {system.name}: give system=complex_scalar, or the "
                f"sampler of {system.name}, one of conf/sampler/."
            )
        if any(time != round(time) for time in times):
            raise UserError(
                f"read-out times {list(times)} are no whole numbers of updates: give such times in ensemble.protocol, "
                "e.g. waiting=32 and spacing=1."
            )
        if any(later <= earlier for earlier, later in zip((0, *times), times, strict=False)):
            raise UserError(f"read-out times {list(times)} do not increase from above 0: give e.g. [32, 33].")

    def lanes_at_once(self, system: ComplexScalar, point: Point, readouts: int) -> int:
        """1 on the CPU, where a call has the replicas of one chunk; on a GPU as many as fill it, one thread each."""
        if self.device.name == "cpu":
            return 1
        # States, f and, twice over, what is read out of every site.
        size = (12 + 20 * readouts) * system.volume
        return max(1, min(THREADS_TO_FILL, LANE_BYTES // size))

    def record(self, system: ComplexScalar, point: Point) -> dict[str, Any]:
        """What the pilot measured at the point and what runs there."""
        return self._pilot(system, point)._asdict()

    def sample(self, system: ComplexScalar, lanes: Sequence[Lane], seed: int, start: str, tick: Tick) -> Any:
        """k_t, k_x, l_t, l_x of every lane at its ``times``: whole numbers of updates since the start state.

        Returns int16 ``[lane, time, species, t, x]`` on ``device``. The bits of a lane depend on (seed, point, replica,
        start, algorithm) alone, and reading out leaves the trajectory as it is. ``tick`` is called with links × time
        several times a second. Several threads may call at once.
        Raises ``UserError`` on an unphysical point, an unknown start, or times that are no whole numbers of updates or
        do not increase from above 0; ``RuntimeError`` if a site outgrows the tables of weights.
        """
        from lattice_ml.systems.complex_scalar.open_worms import add_worms  # numba: not at start-up
        from lattice_ml.systems.complex_scalar.start import start_state

        for point, _, times in lanes:
            system.validate(point)
            self.validate(system, point, times)
        pilots = [self._pilot(system, lane.point) for lane in lanes]
        due = [[round(time) * pilot.thin for time in lane.times] for lane, pilot in zip(lanes, pilots, strict=True)]
        if any(row and row[-1] >= LONGEST for row in due):
            raise UserError(f"{max(row[-1] for row in due)} elementary updates are too many: stay below {LONGEST}.")
        groups: dict[tuple[str, int], list[int]] = {}
        for n, pilot in enumerate(pilots):  # checkerboards of several lanes go on together, to equal times
            groups.setdefault((pilot.algorithm, 0 if pilot.algorithm == "worm" else pilot.thin), []).append(n)
        parts = []
        with self.device.stream():
            for (algorithm, _), members in groups.items():
                group, reads = [lanes[n] for n in members], [due[n] for n in members]
                states = np.stack([start_state(system, lane.point, seed, lane.replica, start) for lane in group])
                closings = [pilots[n].closings for n in members]
                trajectories = self._trajectories(algorithm, system, group, seed, states, closings)
                share = sum(lane.times[-1] for lane in group) / sum(row[-1] for row in reads)
                part = trajectories.advance(reads, lambda work, share=share: tick(work * share))
                add_worms(system, group, seed, reads, part, self.device)
                parts.append(part)
            order = np.argsort([n for members in groups.values() for n in members])
            return parts[0] if len(parts) == 1 else np.concatenate(parts)[self.device.put(order)]

    def _pilot(self, system: ComplexScalar, point: Point) -> Pilot:
        from lattice_ml.systems.complex_scalar.pilot import pilot

        return pilot(system, point, self.algorithm)

    def _trajectories(
        self, algorithm: str, system: ComplexScalar, lanes: Sequence[Lane], seed: int, states: np.ndarray,
        closings: Sequence[int],
    ) -> Any:  # fmt: skip
        if algorithm == "worm":
            from lattice_ml.systems.complex_scalar.worm import Worms

            return Worms(system, lanes, seed, states, closings, self.device)
        from lattice_ml.systems.complex_scalar.hybrid import Hybrid

        return Hybrid(system, lanes, seed, states, closings if algorithm == "hybrid" else None, self.device)
