"""The random-sequential update of the Active Ising Model: the paper's, uniformised in continuous time.

No particle hops or flips faster than 4 D + exp(beta). Picks of a random particle are a Poisson process of rate
N (4 D + exp(beta)); a picked particle of spin s

- hops right or left with probability D (1 ± s eps) / (4 D + exp(beta)), up or down with D / (4 D + exp(beta)) each,
- flips with probability exp(-s beta m_i / rho_i) / (4 D + exp(beta)),
- stays as it is otherwise.

That is exact; fixing the time between picks to its mean, as the paper does, has the same stationary law. One uint32
decides it all: hops have the low end of its range, the flip the high end. No branch depends on the outcome.
Times are whole ticks of 2^-40. Reading out consumes no random numbers.

Source: Casert et al., PRE 99, 023304 (2019), Sec. II; Solon & Tailleur, PRE 92, 042119 (2015), Sec. II.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import UInt16, UInt32
from numba import njit

from lattice_ml.ground.errors import UserError
from lattice_ml.kernels import rng
from lattice_ml.kernels.device import Device, Kernel
from lattice_ml.kernels.lattice import steps_by_edge
from lattice_ml.systems.active_ising.physics import ActiveIsing
from lattice_ml.systems.sampler import Lane, Tick

TICKS = 2**40
"""Ticks per unit of time."""

CALL, SHORTEST_CALL = 4096, 64  # batches per launch, shared by the lanes, some 30 ms on a CPU; and of each at least
BATCH = 1024  # picks whose random numbers are drawn at once
REACHED, PAUSED, CROWDED = range(3)  # why a kernel returned

U0, U1, U2, U3, U7 = (np.uint64(v) for v in (0, 1, 2, 3, 7))


def flip_thresholds(temperature: float, hop_rate: float, bits: int) -> UInt32[np.ndarray, " spin*counts"]:
    """Thresholds of the flip probability of a plus and a minus particle, ``[n+ | n- << bits | spin << 2 bits]``.

    Raises ``UserError`` beyond 2,047 particles of one spin on a site.
    """
    if bits > 12:
        raise UserError("more than 2047 particles of one spin gathered on one site: give a lower rho0 or a higher T.")
    plus, minus = np.arange(2**bits, dtype=np.float64), np.arange(2**bits, dtype=np.float64)[:, None]
    tilt = (plus - minus) / np.maximum(plus + minus, 1) / temperature
    rate = np.exp(np.stack((-tilt, tilt)))
    ceiling = 4 * hop_rate + np.exp(1 / temperature)
    hops = np.rint(2.0**32 * 4 * hop_rate / ceiling)  # the flip must not reach into the range of the hops
    return np.minimum(np.rint(rate / ceiling * 2.0**32), 2.0**32 - hops).astype(np.uint32).ravel()


@njit(nogil=True, error_model="numpy")
def draw_picks(pick_key, time_key, first, particles, turns, mean, particle, steps, chance, wait):
    """Random numbers of the picks ``first`` ... ``first + BATCH - 1`` (``first`` a multiple of BATCH), ``[BATCH]``.

    particle: uint32, who is picked. steps: uint8, where it hops if it is plus (low 4 bits) and if minus (high 4 bits):
    right, left, up, down or 4, nowhere. chance: uint32, it flips if this is below the flip threshold. Two picks to a
    block. wait: float32, the time since the previous pick in units of its mean, four picks to a block of their stream.
    Returns the ticks that all these picks take.
    """
    plus_right, minus_right = turns[0, 0], turns[1, 0]
    left_end, up_end, down_end = turns[0, 1], turns[0, 2], turns[0, 3]
    for k in range(BATCH // 2):
        w0, w1, w2, w3 = rng.block(pick_key, (first >> U1) + np.uint64(k))
        particle[2 * k] = np.uint32(rng.index_below(w0, particles))
        particle[2 * k + 1] = np.uint32(rng.index_below(w2, particles))
        chance[2 * k] = np.uint32(w1)
        chance[2 * k + 1] = np.uint32(w3)
    for k in range(BATCH):
        u = chance[k]
        beyond = np.uint32(u >= left_end) + np.uint32(u >= up_end) + np.uint32(u >= down_end)
        if_plus, if_minus = beyond + np.uint32(u >= plus_right), beyond + np.uint32(u >= minus_right)
        steps[k] = np.uint8(if_plus + np.uint32(16) * if_minus)
        chance[k] = np.uint32(u ^ np.uint32(0xFFFFFFFF))
    total = np.int64(0)
    for k in range(BATCH // 4):
        w0, w1, w2, w3 = rng.block(time_key, (first >> U2) + np.uint64(k))
        wait[4 * k], wait[4 * k + 1] = rng.exponential(w0), rng.exponential(w1)
        wait[4 * k + 2], wait[4 * k + 3] = rng.exponential(w2), rng.exponential(w3)
    for k in range(BATCH):
        total += np.int64(wait[k] * mean)
    return np.uint64(total)


@njit(nogil=True, error_model="numpy")
def apply_picks(begin, end, particle, steps, chance, counts, particle_state, edge, step, bits, flips):
    """Apply the picks begin ... end - 1 of a batch; returns where it stopped, before ``end`` at a crowded site."""
    unit = np.array([1, 1 << bits], np.uint64)  # looked up, not computed: the compiler would make that a branch
    both, half = bits + bits, U1 << (bits - U1)
    crowded = half | half << bits
    for k in range(begin, end):
        p = np.uint64(particle[k])
        q = np.uint64(particle_state[p])
        i, spin = q >> U1, q & U1
        c = np.uint64(counts[i])
        if c & crowded:
            return k
        flip = np.uint64(chance[k] < flips[(spin << both) + c])
        s = (np.uint64(steps[k]) >> (spin << U2)) & U7
        r = (q + step[(np.uint64(edge[i]) << U3) + s]) ^ flip
        counts[i] = c - unit[spin]
        counts[r >> U1] = np.uint64(counts[r >> U1]) + unit[r & U1]
        particle_state[p] = r
    return end


@njit(nogil=True, error_model="numpy")
def run(counts, particle_state, clock, target, batches, edge, step, turns, mean, bits, flips, pick_key, time_key):
    """Advance one trajectory to ``target`` ticks, or by ``batches`` batches of picks, whichever comes first.

    counts: ``[site]``, n+ | n- << bits, both below 2^(bits - 1). particle_state: 2 site + (spin is minus), uint16 or
    uint32 ``[particle]``. clock: uint64 ``[2]``: tick of the last pick, number of the next. edge, step: the torus (see
    ``steps_by_edge``), step as uint64 modulo 2^64, twice the change of site number, ``[8 edge + step]``. turns: uint32
    ``[spin, step]``, where in the range of a choice the next step begins. Returns REACHED, PAUSED or CROWDED; a crowded
    trajectory stands before the pick that needs more bits and goes on with them.
    """
    particles = np.uint64(particle_state.size)
    particle, chance = np.empty(BATCH, np.uint32), np.empty(BATCH, np.uint32)
    steps, wait = np.empty(BATCH, np.uint8), np.empty(BATCH, np.float32)
    now, number = clock[0], clock[1]
    for _ in range(batches):
        begin = number & np.uint64(BATCH - 1)
        total = draw_picks(pick_key, time_key, number - begin, particles, turns, mean, particle, steps, chance, wait)
        end = np.uint64(BATCH)
        if begin != U0 or now + total > target:
            end, total = begin, U0
            while end < np.uint64(BATCH) and now + total + np.uint64(wait[end] * mean) <= target:
                total += np.uint64(wait[end] * mean)
                end += U1
        done = apply_picks(begin, end, particle, steps, chance, counts, particle_state, edge, step, bits, flips)
        if done < end:
            total = U0
            for k in range(begin, done):
                total += np.uint64(wait[k] * mean)
        now += total
        number += done - begin
        if done < end:
            clock[0], clock[1] = now, number
            return CROWDED
        if end < np.uint64(BATCH):
            clock[0], clock[1] = now, number
            return REACHED
    clock[0], clock[1] = now, number
    return PAUSED


@njit(nogil=True, error_model="numpy")
def run_all(
    threads, sites, counts, particle_state, first, clock, target, batches, edge, step, turns, mean, table, bits, flips,
    pick_keys, time_keys, outcome,
):  # fmt: skip
    """``run`` for every lane that has not reached its target: arrays as there, one row or stretch for each lane.

    particle_state: of lane l from ``first[l]`` to ``first[l + 1]``; its flip thresholds from ``flips[table[l]]`` on.
    outcome: uint32 ``[lane]``.
    """
    for lane in range(threads):
        if outcome[lane] != REACHED:
            outcome[lane] = run(
                counts[lane], particle_state[first[lane] : first[lane + 1]], clock[lane], target[lane], batches, edge,
                step, turns[lane], mean[lane], bits[lane], flips[table[lane] :], pick_keys[lane], time_keys[lane],
            )  # fmt: skip


NARROW, WIDE = (Kernel(Path(__file__).with_suffix(".cu"), f"random_sequential_{bits}", run_all) for bits in (16, 32))


class RandomSequential:
    """Trajectories of the random-sequential update side by side, one thread of the device for each, from their start
    states.

    counts: start states, integer ``[lane, species, x, y]``.
    """

    def __init__(
        self, system: ActiveIsing, lanes: Sequence[Lane], seed: int, counts: np.ndarray, device: Device
    ) -> None:
        self.extents, self.device, self.hop_rate, put = system.extents, device, system.D, device.put
        self.temperatures = np.array([lane.point["T"] for lane in lanes])
        spins = counts.reshape(len(lanes), 2, -1).swapaxes(1, 2).reshape(len(lanes), -1)
        self.particles = spins.sum(axis=1, dtype=np.int64)
        state = np.arange(2 * system.volume, dtype=np.uint32)
        self.particle_state = put(np.concatenate([np.repeat(state, row) for row in spins]))
        self.first = put(np.cumsum([0, *self.particles]).astype(np.uint64))
        self.clock = put(np.zeros((len(lanes), 2), dtype=np.uint64))
        edge, change = steps_by_edge(system.extents)
        step = np.zeros((9, 8), dtype=np.int64)
        step[:, :4] = 2 * change
        self.edge, self.step = put(edge), put(step.astype(np.uint64).ravel())
        ceiling = 4 * system.D + np.exp(1 / self.temperatures)
        ends = np.array([[1 + s * system.eps, 2, 3, 4] for s in (1, -1)])
        self.turns = put(np.rint(ends * system.D / ceiling[:, None, None] * 2.0**32).astype(np.uint32))
        # Half a tick more, since each waiting time is truncated to whole ticks.
        self.mean = put((TICKS / (ceiling * self.particles) + 0.5).astype(np.float32))
        names = [(lane.replica, system.point_key(lane.point)) for lane in lanes]
        self.keys = [put(rng.stream_keys(seed, names, stream)) for stream in (rng.PICKS, rng.PICK_TIMES)]
        self.pack(counts, np.full(len(lanes), 8))

    def pack(self, counts: np.ndarray, bits: np.ndarray) -> None:
        """Hold n+ and n- of a lane in ``bits[lane]`` bits each, or more if a site needs them, with tables to match.

        Everything is 16 bits wide as long as all counts and all particle states fit.
        """
        plus, minus = counts.reshape(len(counts), 2, -1).astype(np.uint32).swapaxes(0, 1)
        needed = np.floor(np.log2(np.maximum(counts.reshape(len(counts), -1).max(axis=1), 1))).astype(np.int64) + 2
        bits = np.maximum(bits, needed)
        narrow = bits.max() == 8 and 2 * plus.shape[1] <= 2**16
        self.kernel, word = (NARROW, np.uint16) if narrow else (WIDE, np.uint32)
        keys = list(zip(self.temperatures.tolist(), bits.tolist(), strict=True))
        tables = {key: flip_thresholds(key[0], self.hop_rate, key[1]) for key in keys}
        ends = dict(zip(tables, np.cumsum([len(table) for table in tables.values()]), strict=True))
        put = self.device.put
        self.table = put(np.array([ends[key] - len(tables[key]) for key in keys], dtype=np.uint64))
        self.flips = put(np.concatenate(list(tables.values())))
        self.bits = put(bits.astype(np.uint64))
        self.site_counts = put((plus | minus << bits[:, None].astype(np.uint32)).astype(word))
        self.particle_state = self.particle_state.astype(word)

    def advance(self, times: Sequence[float], tick: Tick) -> None:
        """Advance every lane to its time since the start; ``tick`` gets particles × time several times a second."""
        target = self.device.put(np.array([round(time * TICKS) for time in times], dtype=np.uint64))
        outcome = np.full(len(times), PAUSED, dtype=np.uint32)
        batches = np.uint64(max(CALL // len(times), SHORTEST_CALL))
        while np.any(outcome != REACHED):
            outcome, before = self.device.put(outcome), self.device.get(self.clock[:, 0]).copy()
            self.device.launch(
                self.kernel, len(times), np.uint64(self.site_counts.shape[1]), self.site_counts, self.particle_state,
                self.first, self.clock, target, batches, self.edge, self.step, self.turns, self.mean, self.table,
                self.bits, self.flips, *self.keys, outcome,
            )  # fmt: skip
            outcome, now = self.device.get(outcome), self.device.get(self.clock[:, 0])
            if np.any(outcome == CROWDED):
                bits = self.device.get(self.bits).astype(np.int64) + (outcome == CROWDED)
                self.pack(self.device.get(self.counts()), bits)
            tick(float((now - before) / TICKS @ self.particles))

    def counts(self) -> UInt16[np.ndarray, "lane species x y"]:
        """n+ and n- of every site at the time last advanced to, on the device."""
        packed, bits = self.site_counts.astype(np.uint32), self.bits[:, None].astype(np.uint32)
        planes = np.stack((packed & ((np.uint32(1) << bits) - np.uint32(1)), packed >> bits), axis=1)
        return planes.astype(np.uint16).reshape(len(packed), 2, *self.extents)
