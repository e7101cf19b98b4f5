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

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import UInt16
from numba import njit

from lattice_ml.kernels import rng
from lattice_ml.kernels.device import Device, Kernel
from lattice_ml.kernels.lattice import steps_by_edge
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

SWEEP = 4
"""Units of time between two sweeps that advance every chain: a site's age stays below 2^31 ticks."""

CALL, SHORTEST_CALL = 4096, 64  # batches per launch, shared by the lanes, some 40 ms on a CPU; and of each at least
BATCH = 512  # hop events whose random numbers are drawn at once
REACHED, PAUSED, CROWDED = range(3)  # why a kernel returned

U2 = np.uint64(2)


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


@njit(nogil=True, error_model="numpy")
def run_all(
    threads, sites, record, position, first, clock, target, batches, edge, step, right, mean, table, bits, quick, rate,
    share, hop_keys, flip_keys, outcome,
):  # fmt: skip
    """``run`` for every lane that has not reached its target: arrays as there, one row or stretch for each lane.

    position: of lane l from ``first[l]`` to ``first[l + 1]``. table, bits: see ``RateTables``. outcome: uint32
    ``[lane]``.
    """
    for lane in range(threads):
        if outcome[lane] != REACHED:
            outcome[lane] = run(
                record[lane], position[first[lane] : first[lane + 1]], clock[lane], target[lane], batches, edge, step,
                right, mean[lane], bits[lane], quick[table[lane] :], rate[table[lane] :], share[table[lane] :],
                hop_keys[lane], flip_keys[lane],
            )  # fmt: skip


NARROW, WIDE = (Kernel(Path(__file__).with_suffix(".cu"), f"event_driven_{bits}", run_all) for bits in (16, 32))


class EventDriven:
    """Trajectories of the event-driven update side by side, one thread of the device for each, from their start states.

    counts: start states, integer ``[lane, species, x, y]``. D N must be at least 2, for the clock's sake.
    """

    def __init__(
        self, system: ActiveIsing, lanes: Sequence[Lane], seed: int, counts: np.ndarray, device: Device
    ) -> None:
        self.extents, self.device, put = system.extents, device, device.put
        plus, minus = counts.reshape(len(lanes), 2, -1).astype(np.uint64).swapaxes(0, 1)
        occupation = (plus + minus).astype(np.int64)
        sites, self.particles = system.volume, occupation.sum(axis=1)
        self.kernel, index = (NARROW, np.uint16) if sites <= 2**16 else (WIDE, np.uint32)
        self.record = put(plus | minus << U16)
        self.position = put(np.concatenate([np.repeat(np.arange(sites, dtype=index), row) for row in occupation]))
        self.first = put(np.cumsum([0, *self.particles]).astype(np.uint64))
        self.clock = put(np.zeros((len(lanes), 4), dtype=np.uint64))
        edge, change = steps_by_edge(system.extents)
        self.edge, self.step = put(edge), put(change.astype(np.uint64).ravel())
        self.right = put(right_thresholds(system.eps))
        ticks = TICKS / (4 * system.D * self.particles.astype(np.float64))
        # Waiting times are rounded to whole ticks; the rounded variate has exactly the mean ``ticks``.
        self.mean = put((1 / (2 * np.arcsinh(1 / (2 * ticks)))).astype(np.float32))
        names = [(lane.replica, system.point_key(lane.point)) for lane in lanes]
        self.keys = [put(rng.stream_keys(seed, names, stream)) for stream in (rng.HOPS, rng.FLIPS)]
        self.rates = RateTables.holding([lane.point["T"] for lane in lanes], occupation.max(axis=1), device)

    def advance(self, times: Sequence[float], tick: Tick) -> None:
        """Advance every lane to its time since the start; ``tick`` gets particles × time several times a second."""
        target = self.device.put(np.array([round(time * TICKS) for time in times], dtype=np.uint64))
        outcome = np.full(len(times), PAUSED, dtype=np.uint32)
        batches = np.uint64(max(CALL // len(times), SHORTEST_CALL))
        while np.any(outcome != REACHED):
            outcome, before = self.device.put(outcome), self.device.get(self.clock[:, 0]).copy()
            self.device.launch(
                self.kernel, len(times), np.uint64(self.record.shape[1]), self.record, self.position, self.first,
                self.clock, target, batches, self.edge, self.step, self.right, self.mean, self.rates.first,
                self.rates.bits, self.rates.quick, self.rates.rate, self.rates.plus, *self.keys, outcome,
            )  # fmt: skip
            outcome, now = self.device.get(outcome), self.device.get(self.clock[:, 0])
            if np.any(outcome == CROWDED):
                self.rates.grow(outcome == CROWDED)
            tick(float((now - before) / TICKS @ self.particles))

    def counts(self) -> UInt16[np.ndarray, "lane species x y"]:
        """n+ and n- of every site at the time last advanced to, on the device."""
        return unpack(self.record, self.extents)
