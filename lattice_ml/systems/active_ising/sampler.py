"""The sampler of the Active Ising Model: which algorithm runs at which point, on which device."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import UInt16

from lattice_ml.ground.errors import UserError
from lattice_ml.ground.ranges import Positive
from lattice_ml.kernels.device import THREADS_TO_FILL, Where, open_device
from lattice_ml.kernels.domains import cut
from lattice_ml.systems.active_ising.physics import ActiveIsing
from lattice_ml.systems.base import Lane, Point, Sampler, Tick

if TYPE_CHECKING:
    from lattice_ml.systems.active_ising.event_driven import EventDriven
    from lattice_ml.systems.active_ising.random_sequential import RandomSequential
    from lattice_ml.systems.active_ising.sublattice import Sublattice

ALGORITHMS = ("event_driven", "random_sequential", "sublattice")
CROSSOVER = 0.55
"""From this temperature on the random-sequential update is the faster one: measured in benchmarks/active_ising.md."""
COLDEST = 0.1
"""Below this temperature the random-sequential update picks a particle more than 22,000 times for each hop."""
LANE_BYTES = 2**33
"""Device memory that the trajectories of one call may take."""
SHORTEST_WINDOW, LONGEST_WINDOW = 2.0**-20, 4.0
"""A window is a whole number of ticks of 2^-29, and a site's age must stay below 2^31 of them."""
MEASURED = 1 / 32
"""D dt up to which the bias of domains of 9 × 9 is known to be small: benchmarks/domain_bias.md."""
LONGEST_TIME = 1e7
"""Clocks count ticks of 2^-40 in 64 bits."""
MOST = 2**32
"""Sites or particles of all lanes of a call: kernels number them in 32 bits."""


class ActiveIsingSampler(Sampler):
    """Continuous-time trajectories of the Active Ising Model.

    algorithm: "event_driven" and "random_sequential" are exact; "sublattice" updates domains of the lattice at the same
    time, with a measured bias (docs/gpu.md); "exact" is the faster exact one at the point's temperature; "auto" is the
    same, but on a GPU that the campaign's ``trajectories`` alone do not fill it is sublattices.
    device: "cpu", "cuda", or "auto": "cuda" where there is one. domain: sites along x and y of a sublattice's domains,
    which are exact where they are as large as the torus. window: dt, the time that a domain runs while its neighbours
    stand still. At the defaults the bias is below the statistical error of 50 configurations.
    Raises ``UserError`` on anything else.
    """

    def __init__(
        self,
        algorithm: str = "auto",
        device: Where = "auto",
        domain: Sequence[int] = (9, 9),
        window: Positive = 0.03125,
        trajectories: int = 1,
    ) -> None:
        if algorithm not in ("auto", "exact", *ALGORITHMS):
            raise UserError(
                f"there is no algorithm {algorithm!r} for the Active Ising Model: give sampler.algorithm=auto, exact, "
                f"{', '.join(ALGORITHMS[:-1])} or {ALGORITHMS[-1]}."
            )
        number = isinstance(window, int | float) and not isinstance(window, bool)
        if not number or not SHORTEST_WINDOW <= window <= LONGEST_WINDOW:
            raise UserError(
                f"sampler.window = {window!r} will not do: give a time from {SHORTEST_WINDOW:g} to "
                f"{LONGEST_WINDOW:g}, e.g. 0.03125."
            )
        if not isinstance(domain, Sequence) or isinstance(domain, str):
            raise UserError(f"sampler.domain = {domain!r} is no domain: give two whole numbers, e.g. [9,9].")
        cut((3, 3), tuple(domain))  # raises on what is no domain
        self.device = open_device(device)
        self.domain, self.window = tuple(domain), float(window)
        filled = self.device.name == "cpu" or trajectories >= THREADS_TO_FILL
        self.algorithm = algorithm if algorithm != "auto" else "exact" if filled else "sublattice"
        self._chosen = algorithm == "auto"

    def settings(self, point: Point) -> dict[str, Any]:
        """The algorithm that runs at this point and the version of its bits; of sublattices domain and window too."""
        algorithm = self.algorithm
        if algorithm == "exact":
            algorithm = "event_driven" if point["T"] < CROSSOVER else "random_sequential"
        shape = {"domain": list(self.domain), "window": self.window} if algorithm == "sublattice" else {}
        return {"algorithm": algorithm, "version": 1, **shape}

    def validate(self, system: ActiveIsing, point: Point, times: Sequence[float]) -> None:
        """Raise ``UserError`` where the algorithm of this point does not reach: too cold, hops too rare, bad times."""
        if not isinstance(system, ActiveIsing):
            raise UserError(
                f"sampler=active_ising does not know the rules of {system.name}: give system=active_ising, or the "
                f"sampler of {system.name}, one of conf/sampler/."
            )
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
        if any(later <= earlier for earlier, later in zip((0.0, *times), times, strict=False)):
            raise UserError(f"read-out times {list(times)} do not increase from above 0: give e.g. [1500, 1600].")
        if times and times[-1] > LONGEST_TIME:
            raise UserError(
                f"the read-out time {times[-1]:g} is beyond the samplers' clocks: stay below {LONGEST_TIME:g}."
            )
        if algorithm == "sublattice" and self._chosen and system.D * self.window > MEASURED:
            raise UserError(
                f"the bias of domains is not known for D dt = {system.D * self.window:g}: give "
                f"sampler.algorithm=exact, or sampler.window={MEASURED / system.D:g} or less."
            )
        windows = [time / self.window for time in times] if algorithm == "sublattice" else []
        if any(abs(number - round(number)) > 1e-6 for number in windows):
            raise UserError(
                f"read-out times {list(times)} are no whole numbers of windows of {self.window:g}: give a "
                "sampler.window that divides the times of ensemble.protocol."
            )

    def lanes_at_once(self, system: ActiveIsing, point: Point, readouts: int) -> int:
        """1 on the CPU; on a GPU as many as fill it, as far as they fit into ``LANE_BYTES``."""
        if self.device.name == "cpu":
            return 1
        threads = cut(system.extents, self.domain).members.shape[1] if self.algorithm == "sublattice" else 1
        # A site's record of 8 bytes and what unpacking it takes; two copies of every read-out; positions.
        size = (48 + 8 * readouts) * system.volume + 4 * system.particles(point)
        return max(1, min(THREADS_TO_FILL // threads, LANE_BYTES // size))

    def sample(
        self, system: ActiveIsing, lanes: Sequence[Lane], seed: int, start: str, tick: Tick
    ) -> UInt16[np.ndarray, "lane time species x y"]:
        """Counts n+, n- of every lane at its times (increasing, > 0, since the start state; unit: 1/gamma).

        The bits of a lane depend on (seed, point, replica, start, settings) and, in one case, on its times: with the
        event-driven update, a read-out at another time than a multiple of 4 brings all flip chains to the present and
        so makes the trajectory another, equally exact one.
        ``tick`` is called with particles × time several times a second. Several threads may call at once.
        Raises ``UserError`` on an unphysical point, an unknown start, or times that do not increase from above 0 or,
        for sublattices, are not whole numbers of windows.
        """
        from lattice_ml.systems.active_ising.start import start_state  # numba: not at start-up

        for point, _, times in lanes:
            system.validate(point)
            self.validate(system, point, times)
        if sum(max(system.volume, system.particles(lane.point)) for lane in lanes) >= MOST:
            raise UserError(f"{len(lanes)} lattices of this size are too many for one call: give fewer lanes.")
        groups: dict[str, list[int]] = {}
        for n, lane in enumerate(lanes):
            groups.setdefault(self.settings(lane.point)["algorithm"], []).append(n)
        parts = []
        with self.device.stream():
            for algorithm, members in groups.items():
                group = [lanes[n] for n in members]
                counts = np.stack([start_state(system, lane.point, seed, lane.replica, start) for lane in group])
                trajectories = self._trajectories(algorithm, system, group, seed, counts)
                readouts = []
                for times in zip(*(lane.times for lane in group), strict=True):
                    trajectories.advance(times, tick)
                    readouts.append(trajectories.counts())
                parts.append(np.stack(readouts, axis=1))
            order = np.argsort([n for members in groups.values() for n in members])
            return parts[0] if len(parts) == 1 else np.concatenate(parts)[self.device.put(order)]

    def _trajectories(
        self, algorithm: str, system: ActiveIsing, lanes: Sequence[Lane], seed: int, counts: np.ndarray
    ) -> EventDriven | RandomSequential | Sublattice:
        from lattice_ml.systems.active_ising import event_driven, random_sequential, sublattice

        if algorithm == "event_driven":
            return event_driven.EventDriven(system, lanes, seed, counts, self.device)
        if algorithm == "random_sequential":
            return random_sequential.RandomSequential(system, lanes, seed, counts, self.device)
        domains = cut(system.extents, self.domain)
        return sublattice.Sublattice(system, lanes, seed, counts, self.device, domains, self.window)
