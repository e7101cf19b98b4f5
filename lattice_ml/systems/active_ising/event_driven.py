"""The event-driven update of the Active Ising Model: exact in continuous time, no rejected hop.

A particle hops at total rate 4 D whatever its spin, so hops are an autonomous Poisson process of rate 4 D N. Between
two hops that touch it a site is an isolated chain of flips (``flip_chain``). The update draws hops and advances a
site's chain only when a hop leaves or enters it:

1. the time of the next hop (exponential), a particle, the site i it stands on;
2. advance the chain of i to the present; the particle is + with probability n+ / rho;
3. right or left with probability (1 ± eps s)/4 resp. (1 ∓ eps s)/4, up or down with 1/4 each: the site j;
4. advance the chain of j to the present; move the particle.

All chains are brought to the present every ``SWEEP`` units of time and at a read-out. Particles carry positions only:
the particles of one site are exchangeable, so which of them are + is drawn when it matters. There is no time step;
times are whole ticks of 2^-29, to which waiting times are rounded with their mean kept exact.

Source: the model, Solon & Tailleur, PRE 92, 042119 (2015), Sec. II; drawing hops first, derived here: the hop rate does
not depend on the spin, so hop times and hopping particles are independent of all flips.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import UInt16
from numba import njit

from lattice_ml import rng
from lattice_ml.lattice import steps_by_edge
from lattice_ml.systems.active_ising.flip_chain import MINUS_ONE, PLUS_ONE, TICKS, FlipRates, advance, flip_batch
from lattice_ml.systems.active_ising.physics import ActiveIsing
from lattice_ml.systems.base import Point, Tick

SWEEP = 4
"""Units of time between two sweeps that advance every chain: a site's age stays below 2^31 ticks."""

CALL = 4096  # batches per call of the kernel: some 40 ms
BATCH = 512  # hop events whose random numbers are drawn at once
REACHED, PAUSED, CROWDED = range(3)  # why a kernel returned

U1, U2, U16, U32, LOW16, LOW32 = (np.uint64(v) for v in (1, 2, 16, 32, 0xFFFF, 0xFFFFFFFF))
HALF, THREE_QUARTERS = np.uint64(2**31), np.uint64(3 * 2**30)
HELD, ALL_NEW = 2.0**-16, 1.0  # scale of a chain's first uniform: 16 of its bits in hand, or none


@njit(nogil=True, error_model="numpy")
def draw_hops(key, first, particles, mean, wait, particle, choice, heads):
    """Random numbers of the hop events ``first`` ... ``first + BATCH - 1``, one Philox block each, uint32 ``[BATCH]``.

    wait: ticks since the previous event; particle: which hops; choice: its spin and direction; heads: 16 bits each for
    the flip tests of source and target.
    """
    for k in range(BATCH):
        w0, w1, w2, w3 = rng.block(key, first + np.uint64(k))
        wait[k] = np.uint32(rng.exponential(w0) * mean + np.float32(0.5))
        particle[k] = np.uint32(rng.index_below(w1, particles))
        choice[k] = np.uint32(w2)
        heads[k] = np.uint32(w3)


@njit(forceinline=True, error_model="numpy")
def hop(choice, plus, rho, right):
    """Spin and direction of a hop from a site with ``plus`` of ``rho``: (is plus, direction 0 .. 3).

    The high half of choice × rho picks one of the rho particles, the low half is a fresh uniform for the direction.
    right: thresholds of a step to the right for a minus and a plus particle.
    """
    x = choice * rho
    is_plus = (x >> U32) < plus
    turn = x & LOW32
    beyond_right = np.uint64(turn >= (right[1] if is_plus else right[0]))
    return is_plus, beyond_right + np.uint64(turn >= HALF) + np.uint64(turn >= THREE_QUARTERS)


@njit(forceinline=True, error_model="numpy")
def quiet(counts, age, head, bits, quick):
    """Whether 16 bits suffice to tell that the chain of a site did not flip in ``age`` ticks."""
    rate = quick[(counts & LOW16) + (((counts >> U16) & LOW16) << bits)]
    return np.float32(np.int32(head)) >= rate * np.float32(np.int64(age))  # an age is at most 2^31


@njit(nogil=True, error_model="numpy")
def run(record, position, clock, target, batches, edge, step, right, mean, bits, quick, rate, share, hop_key, flip_key):
    """Advance one trajectory to ``target`` ticks, or by ``batches`` batches of events, whichever comes first.

    record: uint64 ``[site]``, n+ | n- << 16 | (low 32 bits of the tick to which the site is advanced) << 32.
    position: site of every particle, uint16 or uint32 ``[particle]``. clock: uint64 ``[4]``: tick of the last event,
    number of the next event, number of the next flip trial, tick to which all sites were last advanced. edge, step:
    the torus (``steps_by_edge``), step as uint64 modulo 2^64 ``[4 edge + direction]``. right: uint64 ``[2]``, see
    ``hop``. mean: float32, ticks between events. bits, quick, rate, share: tables of ``FlipRates``. Returns REACHED,
    PAUSED or CROWDED; a crowded trajectory stands before the event that needs larger tables and goes on with them.
    """
    particles, sites = np.uint64(position.size), np.uint64(record.size)
    sweep, crowded = np.uint64(SWEEP * TICKS), (U1 << bits) - U1
    right = (right[0], right[1])
    trials = clock[2:3]
    words = flip_batch(flip_key, trials)
    wait, particle = np.empty(BATCH, np.uint32), np.empty(BATCH, np.uint32)
    choice, heads = np.empty(BATCH, np.uint32), np.empty(BATCH, np.uint32)
    now, number = clock[0], clock[1]
    stop = min(target, (clock[3] // sweep + U1) * sweep)
    for _ in range(batches):
        k = number & np.uint64(BATCH - 1)
        draw_hops(hop_key, number - k, particles, mean, wait, particle, choice, heads)
        while k < np.uint64(BATCH):
            time = now + wait[k]
            if time > stop:
                for site in range(sites):
                    a = record[site]
                    age = (stop - (a >> U32)) & LOW32
                    c = advance(a & LOW32, age, 0.0, ALL_NEW, bits, rate, share, trials, flip_key, words)
                    record[site] = c | stop << U32
                clock[0], clock[1], clock[3] = now, number, stop
                if stop == target:
                    return REACHED
                stop = min(target, stop + sweep)
                continue
            p = particle[k]
            i = np.uint64(position[p])
            a = record[i]
            age, head = (time - (a >> U32)) & LOW32, heads[k] & LOW16
            plus, rho = a & LOW16, (a & LOW16) + ((a >> U16) & LOW16)
            quiet_a = quiet(a, age, head, bits, quick)
            # Spin, direction and target as if the chain of the source had not flipped since.
            is_plus, direction = hop(np.uint64(choice[k]), plus, rho, right)
            j = i + step[(np.uint64(edge[i]) << U2) + direction]
            b = record[j]
            age_b, head_b = (time - (b >> U32)) & LOW32, np.uint64(heads[k]) >> U16
            quiet_b = quiet(b, age_b, head_b, bits, quick)
            moved = PLUS_ONE if is_plus else MINUS_ONE
            a, b = a & LOW32, b & LOW32
            if not (quiet_a & quiet_b):
                # Some chain may have flipped: the same event again, with care.
                before = trials[0]
                if rho < crowded:
                    a = advance(a, age, np.float64(np.int64(head)), HELD, bits, rate, share, trials, flip_key, words)
                is_plus, direction = hop(np.uint64(choice[k]), a & LOW16, rho, right)
                j = i + step[(np.uint64(edge[i]) << U2) + direction]
                b = record[j]
                age_b = (time - (b >> U32)) & LOW32
                b = b & LOW32
                if rho >= crowded or (b & LOW16) + (b >> U16) >= crowded:
                    clock[0], clock[1], trials[0] = now, number, before
                    return CROWDED
                b = advance(b, age_b, np.float64(np.int64(head_b)), HELD, bits, rate, share, trials, flip_key, words)
                moved = PLUS_ONE if is_plus else MINUS_ONE
            record[i] = (a - moved) | time << U32
            record[j] = (b + moved) | time << U32
            position[p] = j
            now = time
            number += U1
            k += U1
    clock[0], clock[1] = now, number
    return PAUSED


class Trajectory:
    """One trajectory of the event-driven update, from its start state on.

    counts: start state, integer ``[species, x, y]``. D N must be at least 2, for the clock's sake.
    """

    def __init__(self, system: ActiveIsing, point: Point, seed: int, replica: int, counts: np.ndarray) -> None:
        occupation = counts.sum(axis=0, dtype=np.int64).ravel()
        sites, particles = occupation.size, int(occupation.sum())
        index = np.uint16 if sites <= 2**16 else np.uint32
        plus, minus = counts.reshape(2, sites).astype(np.uint64)
        self.extents, self.temperature = system.extents, point["T"]
        self.record = plus | minus << U16
        self.position = np.repeat(np.arange(sites), occupation).astype(index)
        self.clock = np.zeros(4, dtype=np.uint64)
        self.edge, change = steps_by_edge(system.extents)
        self.step = change.astype(np.uint64).ravel()
        thresholds = [min(round((1 + s * system.eps) / 4 * 2**32), 2**32) for s in (-1, 1)]
        self.right = np.array(thresholds, dtype=np.uint64)
        ticks = TICKS / (4 * system.D * particles)
        # Waiting times are rounded to whole ticks; the rounded variate has exactly the mean ``ticks``.
        self.mean = np.float32(1 / (2 * np.arcsinh(1 / (2 * ticks))))
        key = system.point_key(point)
        self.keys = [rng.stream_key(seed, replica, key, stream) for stream in (rng.HOPS, rng.FLIPS)]
        self.rates = FlipRates.at(self.temperature, 6)
        while 2**self.rates.bits - 1 < occupation.max():
            self.rates = FlipRates.at(self.temperature, self.rates.bits + 1)

    def advance(self, time: float, tick: Tick) -> None:
        """Advance to ``time`` since the start state; ``tick`` gets particles × time several times a second."""
        target, reached = np.uint64(round(time * TICKS)), REACHED + 1
        while reached != REACHED:
            before = int(self.clock[0])
            rates = self.rates
            reached = run(
                self.record, self.position, self.clock, target, CALL, self.edge, self.step, self.right, self.mean,
                np.uint64(rates.bits), rates.quick, rates.rate, rates.plus, *self.keys,
            )  # fmt: skip
            if reached == CROWDED:
                self.rates = FlipRates.at(self.temperature, rates.bits + 1)
            tick((int(self.clock[0]) - before) / TICKS * self.position.size)

    def counts(self) -> UInt16[np.ndarray, "species x y"]:
        """n+ and n- of every site at the time last advanced to."""
        planes = np.stack((self.record & LOW16, (self.record >> U16) & LOW16))
        return planes.astype(np.uint16).reshape(2, *self.extents)
