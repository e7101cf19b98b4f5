"""Synchronous sublattices of the Active Ising Model: domains of one colour at the same time, their neighbours frozen.

The torus is cut into domains (``lattice_ml.kernels.domains``). For a window of time dt each colour in turn runs the
event-driven dynamics inside its domains; particles may hop out onto a neighbour's sites, where they wait for that
domain's turn. A window takes the colours in order, the next one in reverse: the symmetric product of the colours'
propagators, whose error is of second order in dt. What is lost is the time order of events across a border within a
window, so the bias also falls as border over volume. A domain as large as the torus has no border and is exact.

In a domain, a hop event comes at rate 4 D n, n the particles now inside; the particle is found by its row, then its
site. The rest of an event is that of ``event_driven``, and so are the lazy chains of flips, brought to the end of the
window when it closes. Every domain has random streams of its own, hence bits do not depend on who runs when.

Source: Shim & Amar, PRB 71, 125432 (2005) (synchronous sublattice algorithm); the symmetric order is Strang's, SIAM J.
Numer. Anal. 5, 506 (1968). Measured bias: docs/gpu.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import UInt16
from numba import njit

from lattice_ml.kernels import rng
from lattice_ml.kernels.device import Device, Kernel
from lattice_ml.kernels.domains import NOBODY, Domains
from lattice_ml.systems.active_ising.flip_chain import (
    ALL_NEW,
    HELD,
    LOW16,
    LOW32,
    MINUS_ONE,
    PLUS_ONE,
    TICKS,
    U1,
    U16,
    U32,
    RateTables,
    advance,
    flip_batch,
    hop,
    quiet,
    right_thresholds,
    unpack,
)
from lattice_ml.systems.active_ising.physics import ActiveIsing
from lattice_ml.systems.sampler import Lane, Tick

WINDOWS = 16  # between two looks at whether a site has outgrown the tables


@njit(forceinline=True, error_model="numpy")
def occupation(entry):
    """Particles on the site of a record."""
    return (entry & LOW16) + ((entry >> U16) & LOW16)


@njit(nogil=True, error_model="numpy")
def run_domain(
    record, rows, clock, x0, x1, y0, y1, strip, begin, window, unit, right, bits, quick, rate, share, hop_key, flip_key
):
    """One domain for one window of ``window`` ticks from tick ``begin``; False where a site outgrew the tables.

    record: uint64 ``[x, y]``, see ``event_driven.run``. rows: uint32 ``[x, strip]``, particles of every row of every
    strip of domains along y. clock: uint64 ``[4]``: tick of the last event, number of the next event, number of the
    next flip trial, windows done. unit: float32, mean ticks between the hops of one particle. Called again with larger
    tables, it goes on where it stopped.
    """
    width, height, strips = record.shape[0], record.shape[1], rows.shape[1]
    end, most = begin + window, (U1 << bits) - U1
    now, number, trials = clock[0], clock[1], clock[2:3]
    words = flip_batch(flip_key, trials)
    particles = np.uint64(0)
    for x in range(x0, x1):
        particles += np.uint64(rows[x, strip])
    while now < end and particles > 0:
        w0, w1, w2, w3 = rng.block(hop_key, number)
        time = now + np.uint64(rng.exponential(w0) * (unit / np.float32(np.int64(particles))) + np.float32(0.5))
        if time > end:
            number += U1
            break
        left, x, y = rng.index_below(w1, particles), x0, y0
        while left >= np.uint64(rows[x, strip]):
            left -= np.uint64(rows[x, strip])
            x += 1
        a = record[x, y]
        while left >= occupation(a):
            left -= occupation(a)
            y += 1
            a = record[x, y]
        rho, before = occupation(a), trials[0]
        if rho >= most:
            clock[0], clock[1] = now, number
            return False
        age, head = (time - (a >> U32)) & LOW32, w3 & LOW16
        still, a = quiet(a, age, head, bits, quick), a & LOW32
        if not still:
            a = advance(a, age, np.float64(np.int64(head)), HELD, bits, rate, share, trials, flip_key, words)
        is_plus, direction = hop(w2, a & LOW16, rho, right)
        moved = PLUS_ONE if is_plus else MINUS_ONE
        to_x, to_y = x, y
        if direction == 0:
            to_x = x + 1 if x + 1 < width else 0
        elif direction == 1:
            to_x = x - 1 if x > 0 else width - 1
        elif direction == 2:
            to_y = y + 1 if y + 1 < height else 0
        else:
            to_y = y - 1 if y > 0 else height - 1
        if x0 <= to_x < x1 and y0 <= to_y < y1:
            b = record[to_x, to_y]
            if occupation(b) >= most:
                clock[0], clock[1], trials[0] = now, number, before
                return False
            age, head = (time - (b >> U32)) & LOW32, w3 >> U16
            still, b = quiet(b, age, head, bits, quick), b & LOW32
            if not still:
                b = advance(b, age, np.float64(np.int64(head)), HELD, bits, rate, share, trials, flip_key, words)
            record[to_x, to_y] = (b + moved) | time << U32
            rows[to_x, strip] += np.uint32(1)
        else:
            to_strip = strip
            if direction == 2 and y + 1 == y1:
                to_strip = strip + 1 if strip + 1 < strips else 0
            elif direction == 3 and y == y0:
                to_strip = strip - 1 if strip > 0 else strips - 1
            record[to_x, to_y] += moved
            rows[to_x, to_strip] += np.uint32(1)
            particles -= U1
        record[x, y] = (a - moved) | time << U32
        rows[x, strip] -= np.uint32(1)
        now = time
        number += U1
    clock[0], clock[1] = end, number
    for x in range(x0, x1):
        for y in range(y0, y1):
            a = record[x, y]
            if occupation(a) >= most:
                return False
            age = (end - (a >> U32)) & LOW32
            a = advance(a & LOW32, age, 0.0, ALL_NEW, bits, rate, share, trials, flip_key, words)
            record[x, y] = a | end << U32
    clock[3] += U1
    return True


@njit(nogil=True, error_model="numpy")
def run_colour(
    threads, phase, colours, per_colour, width, height, x_domains, y_domains, x_edges, y_edges, members, window, step,
    base, target, unit, right, record, rows, clock, table, bits, quick, rate, share, hop_keys, flip_keys, crowded,
):  # fmt: skip
    """The domains of one colour in window ``base[lane] + step`` of every lane that has not reached its target.

    A domain that has done this window already is left alone, so launches may be repeated. crowded: uint32 ``[lane]``,
    0 or the first launch (from 1 on) that met a site beyond the tables; later launches leave that lane alone. record:
    uint64 ``[lane, x, y]``; rows: uint32 ``[lane, x, strip]``; clock: uint64 ``[lane, domain, 4]``: see ``run_domain``.
    """
    right = (right[0], right[1])
    hop_key, flip_key = np.empty(4, np.uint32), np.empty(4, np.uint32)
    for thread in range(threads):
        lane, place = thread // per_colour, thread % per_colour
        number = base[lane] + step
        launch = np.uint32(step) * colours + phase + np.uint32(1)
        if number >= target[lane] or (crowded[lane] != 0 and crowded[lane] != launch):
            continue
        colour = colours - 1 - phase if number & U1 else phase
        domain = members[colour, place]
        if domain == NOBODY or clock[lane, domain, 3] != number:
            continue
        hop_key[:], flip_key[:] = hop_keys[lane], flip_keys[lane]
        hop_key[3] |= np.uint32(domain << 8)
        flip_key[3] |= np.uint32(domain << 8)
        i, strip, first = np.int64(domain // y_domains), np.int64(domain % y_domains), table[lane]
        done = run_domain(
            record[lane], rows[lane], clock[lane, domain], np.int64(x_edges[i]), np.int64(x_edges[i + 1]),
            np.int64(y_edges[strip]), np.int64(y_edges[strip + 1]), strip, number * window, window, unit, right,
            bits[lane], quick[first:], rate[first:], share[first:], hop_key, flip_key,
        )  # fmt: skip
        if not done:
            crowded[lane] = launch


KERNEL = Kernel(Path(__file__).with_suffix(".cu"), "sublattice", run_colour)


class Sublattice:
    """Trajectories of the synchronous sublattice algorithm side by side, one thread for each domain of a colour.

    counts: start states, integer ``[lane, species, x, y]``. window: dt, in units of time.
    """

    def __init__(
        self,
        system: ActiveIsing,
        lanes: Sequence[Lane],
        seed: int,
        counts: np.ndarray,
        device: Device,
        domains: Domains,
        window: float,
    ) -> None:
        self.extents, self.device, self.window, put = system.extents, device, window, device.put
        width, height = system.extents
        plus, minus = counts.astype(np.uint64).swapaxes(0, 1)
        occupied = plus + minus
        self.particles = occupied.sum(axis=(1, 2))
        self.record = put(plus | minus << U16)
        self.rows = put(np.add.reduceat(occupied, domains.y_edges[:-1].astype(np.int64), axis=2).astype(np.uint32))
        self.clock = put(np.zeros((len(lanes), domains.count, 4), dtype=np.uint64))
        self.done = np.zeros(len(lanes), dtype=np.uint64)
        self.colours, self.per_colour = domains.members.shape
        sizes = (len(domains.x_edges) - 1, len(domains.y_edges) - 1)
        self.layout = [*map(np.uint32, (self.colours, self.per_colour, width, height, *sizes))]
        self.layout += [put(domains.x_edges), put(domains.y_edges), put(domains.members)]
        self.ticks, self.unit = np.uint64(round(window * TICKS)), np.float32(TICKS / (4 * system.D))
        self.right = put(right_thresholds(system.eps))
        names = [(lane.replica, system.point_key(lane.point)) for lane in lanes]
        self.keys = [put(rng.stream_keys(seed, names, stream)) for stream in (rng.DOMAIN_HOPS, rng.DOMAIN_FLIPS)]
        self.rates = RateTables.holding([lane.point["T"] for lane in lanes], occupied.max(axis=(1, 2)), device)

    def advance(self, times: Sequence[float], tick: Tick) -> None:
        """Advance every lane to its time, a whole number of windows since the start state; ``tick`` gets particles ×
        time several times a second.
        """
        target = np.array([round(time / self.window) for time in times], dtype=np.uint64)
        goal, lanes = self.device.put(target), len(times)
        while np.any(self.done < target):
            base, crowded = self.device.put(self.done), self.device.put(np.zeros(lanes, dtype=np.uint32))
            steps = min(WINDOWS, int((target - self.done).max()))
            for step in range(steps):
                for phase in range(self.colours):
                    self.device.launch(
                        KERNEL, lanes * self.per_colour, np.uint32(phase), *self.layout, self.ticks, np.uint64(step),
                        base, goal, self.unit, self.right, self.record, self.rows, self.clock, self.rates.first,
                        self.rates.bits, self.rates.quick, self.rates.rate, self.rates.plus, *self.keys, crowded,
                    )  # fmt: skip
            stuck = self.device.get(crowded) != 0
            if stuck.any():  # the same launches again: whoever got through them finds nothing to do
                self.rates.grow(stuck)
            after = np.where(stuck, self.done, np.minimum(self.done + np.uint64(steps), target))
            tick(float((after - self.done) * self.window @ self.particles))
            self.done = after

    def counts(self) -> UInt16[np.ndarray, "lane species x y"]:
        """n+ and n- of every site at the time last advanced to, on the device."""
        return unpack(self.record.reshape(len(self.record), -1), self.extents)
