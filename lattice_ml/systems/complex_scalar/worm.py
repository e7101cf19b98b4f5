"""The worm algorithm for the fluxes k, and a sweep of l after every few closings of the worm.

Beside the closed configurations there are those with one open worm: its tail is a site with divergence +1, its head one
with -1. Any pair of sites is allowed, and a configuration with head and tail has the weight of the product over links
and sites alone. A step of it, with this law for its stationary one:

1. one of four directions ±nu is drawn; moved there, the head would change k of that link by ±1;
2. the move is accepted with probability min(1, ratio), where

       ratio = exp(±mu delta_nu,t) × W(f_x ± 1) / W(f_x) × W(f_y ± 1) / W(f_y) × 1 / (|k| + l + 1)   if |k| rises,
               ...                                                             × (|k| + l)           if |k| falls;

3. if head and tail are on one site now, the worm is closed: both go to a site drawn at random.

**Configurations are read out, and l is swept, only where a step ends closed, and such steps are counted, the rejected
ones included.** The closed configurations among the steps follow exp(-S) / Z, so a fixed number of them later they do
again. The first closed one after a fixed number of *steps* does not: it favours states after which worms are short; nor
does every return from an excursion: it favours those that worms leave easily. ``closings`` such steps and one sweep of
l (``links``) are an update.

Words of the stream WORMS are used up in order: one for direction (two bits) and acceptance (30 bits, compared with the
ratio, a product of table entries, correctly rounded in float64), and one for the new site where there is one to be
drawn.

On the CPU the lanes of a call take turns step by step: what one waits for (a load, a multiplication) another uses. No
branch depends on what is drawn, but for the end of a worm.

Source: N. Prokof'ev & B. Svistunov, Phys. Rev. Lett. 87, 160601 (2001); for this model
C. Gattringer & T. Kloiber, Phys. Lett. B 720, 210 (2013), arXiv:1212.3770.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt32
from numba import njit

from lattice_ml.kernels import rng
from lattice_ml.kernels.device import Device, Kernel
from lattice_ml.kernels.lattice import DOWN, LEFT, RIGHT, UP, neighbours
from lattice_ml.systems.complex_scalar.links import draw, factors, link_order, sweep
from lattice_ml.systems.complex_scalar.physics import ComplexScalar
from lattice_ml.systems.complex_scalar.weights import Tables, tables
from lattice_ml.systems.sampler import Lane, Tick

CALL, SHORTEST_CALL = 2**22, 2**12
"""Link steps of a launch, shared by its lanes, some 50 ms on a CPU; and of each lane at least."""
BURST = 64
"""Link steps of every lane between two looks at its stock of random words; divides what a launch does."""
STOCK, BATCH = 256, 16
"""Words that a lane has in stock, a power of two, and blocks that are added to it at once."""
SCALE = 2.0**30

U0, U1, U2, U3, U8, U30, U32 = (np.uint64(n) for n in (0, 1, 2, 3, 8, 30, 32))
HEAD, TAIL, USED, TO_COME, ROW, TURN, LIVE = (np.uint64(n) for n in range(7))
LOW30, LAST = np.uint64(2**30 - 1), np.uint64(STOCK - 1)


@njit(nogil=True, error_model="numpy")
def measure_f(height, width, states, first, f, first_site):
    """f of every site of one configuration, uint64 sizes.

    states: int16, flat, the configuration from ``first`` on. f: int32, flat, written from ``first_site`` on.
    """
    k_t, k_x = first, first + height * width
    l_t, l_x = k_t + U2 * height * width, k_x + U2 * height * width
    for t in range(height):
        for x in range(width):
            site, before = t * width + x, (t if t else height) * width - width + x
            left = t * width + (x if x else width) - U1
            fluxes = (
                abs(states[k_t + site]) + abs(states[k_t + before]) + abs(states[k_x + site]) + abs(states[k_x + left])
            )
            free = states[l_t + site] + states[l_t + before] + states[l_x + site] + states[l_x + left]
            f[first_site + site] = fluxes + 2 * free


@njit(nogil=True, error_model="numpy")
def worm(
    threads, steps, height, width, readouts, rows, to, order, by_one, by_two, factor, fugacity, which, closings,
    worm_key, link_key, due, states, f, walker, clock, highest, out,
):  # fmt: skip
    """Advance every lane by ``steps`` link steps (a multiple of ``BURST``) or to its last read-out, if that is nearer.

    to: uint32 ``[4 site + direction]``, directions (+t, +x, -t, -x). order: see ``link_order``. by_one, by_two, factor:
    float64 ``[row, 2 f + way]`` and ``[2 n + way]``, ways down and up, with ``rows`` entries a row. fugacity: float64
    ``[row, direction]``, exp(±mu) in time. which: uint32 ``[lane]``, the row of a lane. closings: of an update, uint64
    ``[lane]``. worm_key, link_key: uint32 ``[lane, 4]``. due: uint64 ``[lane, readout]``, updates after which to read
    out. States, updated: states int16 ``[lane, species, t, x]``; walker uint64 ``[lane, 2]``: head, tail; clock
    uint64 ``[lane, 4]``: words used, updates done, closings of this update to come, read-outs done; highest: uint64
    ``[lane]``, the largest f met in a sweep of l. f: int32 ``[lane, t, x]``, overwritten. out: int16 ``[lane, readout,
    species, t, x]``.
    """
    high, wide, lanes = np.uint64(height), np.uint64(width), np.uint64(threads)
    volume = high * wide
    size = volume << U2
    flux, bonds, copies = states.reshape(-1), f.reshape(-1), out.reshape(-1)
    ratio, drift = by_one.reshape(-1), fugacity.reshape(-1)
    stock, words = np.empty(lanes * np.uint64(STOCK), np.uint32), np.empty(U2 * volume + U3, np.uint32)
    stocked = np.empty(lanes, np.uint64)
    now = np.zeros(lanes << U3, np.uint64)  # what a step reads of a lane side by side: it takes one register to address
    running = U0
    for lane in range(lanes):
        measure_f(high, wide, flux, lane * size, bonds, lane * volume)
        at = lane << U3
        now[at + HEAD], now[at + TAIL], now[at + USED] = walker[lane, 0], walker[lane, 1], clock[lane, 0]
        now[at + TO_COME], now[at + ROW] = clock[lane, 2], np.uint64(which[lane]) * rows
        now[at + TURN], now[at + LIVE] = np.uint64(which[lane]) << U2, np.uint64(clock[lane, 3] < readouts)
        stocked[lane] = clock[lane, 0] - clock[lane, 0] % np.uint64(4 * BATCH)
        running += now[at + LIVE]
    for _ in range(steps // np.uint64(BURST)):
        if running == U0:
            break
        for lane in range(lanes):
            while now[(lane << U3) + LIVE] and stocked[lane] < now[(lane << U3) + USED] + np.uint64(2 * BURST):
                place = (lane << U8) + (stocked[lane] & LAST)
                draw(worm_key[lane], stocked[lane] >> U2, np.uint64(BATCH), stock, place)
                stocked[lane] += np.uint64(4 * BATCH)
        for _ in range(BURST):
            for lane in range(lanes):
                at, shelf, start = lane << U3, lane << U8, lane * volume
                if now[at + LIVE] == U0:
                    continue
                head, used, row = now[at + HEAD], now[at + USED], now[at + ROW]
                word = np.uint64(stock[shelf + (used & LAST)])
                direction = word >> U30
                there = np.uint64(to[(head << U2) + direction])
                backwards = np.int64(direction >> U1)
                link = (start << U2) + (direction & U1) * volume + (there if backwards else head)
                k = np.int64(flux[link])
                rises = np.int64(1) + (((k ^ -backwards) + backwards) >> 63)  # 1 if k, as the head goes, is >= 0
                way = np.uint64(rises)
                number = np.uint64(abs(k) + np.int64(flux[link + (volume << U1)]))
                a, b = np.int64(bonds[start + head]), np.int64(bonds[start + there])
                p = drift[now[at + TURN] + direction] * factor[(number << U1) + way]
                p *= ratio[row + (np.uint64(a) << U1) + way] * ratio[row + (np.uint64(b) << U1) + way]
                accepted = (np.int64(word & LOW30) - np.int64(p + 0.5)) >> 63  # -1 or 0: nothing to branch on
                change = accepted & (2 * rises - 1)
                flux[link] = np.int16(k + (accepted & (1 - 2 * backwards)))
                bonds[start + head], bonds[start + there] = np.int32(a + change), np.int32(b + change)
                head += (there - head) & np.uint64(accepted)
                if head == now[at + TAIL]:
                    used += U1
                    head = (np.uint64(stock[shelf + (used & LAST)]) * volume) >> U32
                    now[at + TAIL] = head
                    now[at + TO_COME] -= U1
                    if now[at + TO_COME] == U0:
                        done, read = clock[lane, 1] + U1, clock[lane, 3]
                        top = sweep(
                            link_key[lane], done - U1, order, to, by_two[which[lane]], factor, volume, start << U2,
                            flux, start, bonds, words,
                        )  # fmt: skip
                        highest[lane] = max(highest[lane], top)
                        clock[lane, 1], now[at + TO_COME] = done, closings[lane]
                        if due[lane, read] == done:
                            first = (lane * readouts + read) * size
                            for n in range(size):
                                copies[first + n] = flux[(start << U2) + n]
                            clock[lane, 3] = read + U1
                            if read + U1 == readouts:
                                now[at + LIVE] = U0
                                running -= U1
                now[at + HEAD], now[at + USED] = head, used + U1
    for lane in range(lanes):
        at = lane << U3
        walker[lane, 0], walker[lane, 1] = now[at + HEAD], now[at + TAIL]
        clock[lane, 0], clock[lane, 2] = now[at + USED], now[at + TO_COME]


def direction_table(extents: tuple[int, int]) -> UInt32[np.ndarray, " 4*site"]:
    """The site one step along (+t, +x, -t, -x) of every site, ``[4 site + direction]``."""
    return neighbours(extents)[:, [RIGHT, UP, LEFT, DOWN]].astype(np.uint32).ravel()


KERNEL = Kernel(Path(__file__).with_suffix(".cu"), "worm", worm)


class Worms:
    """Trajectories of the worm algorithm side by side, one thread of the device for each.

    states: closed configurations, int16 ``[lane, species, t, x]`` of the host, or of the device to share them with
    other updates between calls. closings: of an update, for every lane.
    """

    def __init__(
        self, system: ComplexScalar, lanes: Sequence[Lane], seed: int, states: Any, closings: Sequence[int],
        device: Device,
    ) -> None:  # fmt: skip
        self.system, self.device, put = system, device, device.put
        names = [(lane.replica, system.point_key(lane.point)) for lane in lanes]
        self.keys = [put(rng.stream_keys(seed, names, stream)) for stream in (rng.WORMS, rng.LINKS)]
        self.states = put(states) if isinstance(states, np.ndarray) else states
        self.f = put(np.zeros((len(lanes), *system.extents), dtype=np.int32))
        self.tables = LaneTables(system, lanes)
        self.to = put(direction_table(system.extents))
        self.order = put(link_order(system.extents))
        self.fixed = [put(array) for array in self.tables.arrays()]
        self.closings = np.array(closings, dtype=np.uint64)
        self.walker = put(np.zeros((len(lanes), 2), dtype=np.uint64))
        clock = np.zeros((len(lanes), 4), dtype=np.uint64)
        clock[:, 2] = self.closings
        self.clock, self.highest = put(clock), put(np.zeros(len(lanes), dtype=np.uint64))

    def advance(self, due: Sequence[Sequence[int]], tick: Tick) -> Any:
        """Read every lane out after ``due`` updates since its start, each ``[lane][readout]``, increasing.

        Returns int16 ``[lane, readout, species, t, x]`` on the device. ``tick`` gets links × updates.
        Raises ``RuntimeError`` if a site outgrows the tables, which would falsify the law.
        """
        due_at = np.array(due, dtype=np.uint64).reshape(len(self.closings), -1)
        lanes, readouts = due_at.shape
        clock = self.device.get(self.clock).copy()
        if np.any(due_at[:, 0] <= clock[:, 1]) or np.any(np.diff(due_at.astype(np.int64)) <= 0):
            raise ValueError(f"read-outs after {due_at.tolist()} updates do not increase from {clock[:, 1].tolist()}")
        clock[:, 3] = 0
        self.clock = self.device.put(clock)
        out = np.zeros((lanes, readouts, 4, *self.system.extents), dtype=np.int16, like=self.states)
        given = self.device.put(due_at)
        closings = self.device.put(self.closings)
        steps = np.uint64(max(CALL // lanes, SHORTEST_CALL) // BURST * BURST)
        height, width = map(np.uint32, self.system.extents)
        told = self._progress(clock)
        while np.any(clock[:, 3] < readouts):
            self.device.launch(
                KERNEL, lanes, steps, height, width, np.uint64(readouts), np.uint64(self.tables.row), self.to,
                self.order, *self.fixed, closings, *self.keys, given, self.states, self.f, self.walker, self.clock,
                self.highest, out,
            )  # fmt: skip
            clock = self.device.get(self.clock).copy()
            if np.any(self.device.get(self.highest) + np.uint64(2) >= self.tables.largest):
                raise RuntimeError(f"the tables of W end at f = {self.tables.largest.min()} and a site has reached it")
            now = self._progress(clock)
            tick(2.0 * self.system.volume * (now - told))
            told = now
        return out

    def _progress(self, clock: np.ndarray) -> float:
        """Updates of all lanes, the one that each is at counted in closings."""
        return float((clock[:, 1] + 1 - clock[:, 2] / self.closings).sum())


class LaneTables:
    """Tables of several lanes, one row for each pair of couplings among them.

    row: entries of a row. largest: uint64 ``[lane]``, the f at which its table ends.
    """

    def __init__(self, system: ComplexScalar, lanes: Sequence[Lane]) -> None:
        points = [(float(lane.point["eta"]), float(lane.point["mu"])) for lane in lanes]
        self.points = list(dict.fromkeys(points))
        self.made: list[Tables] = [tables(eta, mu, system.lam) for eta, mu in self.points]
        self.which = np.array([self.points.index(point) for point in points], dtype=np.uint32)
        self.largest = np.array([self.made[n].largest for n in self.which], dtype=np.uint64)
        self.length = max(table.largest for table in self.made) + 1
        self.row = 2 * self.length

    def arrays(self) -> list[np.ndarray]:
        """by_one, by_two, factor, fugacity, which, as the kernel ``worm`` takes them."""
        by_one, by_two = np.zeros((2, len(self.made), self.row))
        for n, table in enumerate(self.made):
            by_one[n, : table.by_one.size] = table.by_one.ravel()
            by_two[n, : table.by_two.size] = table.by_two.ravel()
        # Scaled by a power of two, like the words that products are compared with: that changes no rounding.
        fugacity = np.array([[np.exp(mu), 1, np.exp(-mu), 1] for _, mu in self.points]) * SCALE
        return [by_one, by_two, factors(self.length).ravel(), fugacity, self.which]
