"""Open worms in closed configurations: the samples of the tasks that detect and count violations of flux conservation.

N worms are opened one after another in a copy of a closed configuration. Each begins at a random site and takes the
steps of the worm algorithm (``worm``: relocation when closed, one of four moves, Metropolis), at least a number of them
drawn from 1 ... V, and on until

- its head and tail are on different sites, and
- no tail shares its head's site and no head its tail's.

Ends of opposite sign on one site would cancel: with random ends N worms leave N open ones less about N^2 / V. So

    N = sum_x |d_x| / 2

holds for every configuration. Let d be the divergence with the worm in it: its tail adds 1 and its head -1. Then the
conditions are d > 0 at its tail and d < 0 at its head, given that earlier ends have never met opposite ones; a worm
does not begin where d < 0.

Words are those of the stream OPENINGS from block (number of the update) × 2^32 on, in order.

Source: S. Bulusu, M. Favoni, A. Ipp, D. I. Müller & D. Schuh, Phys. Rev. D 104, 074504 (2021), arXiv:2103.14686,
Sec. V; the guarantee is derived here.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numba import njit

from lattice_ml.kernels import rng
from lattice_ml.kernels.device import Device, Kernel
from lattice_ml.systems.complex_scalar.physics import ComplexScalar
from lattice_ml.systems.complex_scalar.worm import LOW30, LaneTables, direction_table, measure_f
from lattice_ml.systems.sampler import Lane

MOST_WORDS = 2**26
"""Words after which a thread gives up; some 2 V of them are needed for a worm."""
PER_LAUNCH = 2**22
"""Sites of all configurations of a launch."""

U0, U1, U2, U3, U30, U32 = (np.uint64(n) for n in (0, 1, 2, 3, 30, 32))


@njit(nogil=True, error_model="numpy")
def divergence_at(site, to, volume, states):
    """What leaves a site minus what enters it, int64. states: int16 ``[4 sites]`` of one configuration."""
    before, left = to[(site << U2) + U2], to[(site << U2) + U3]
    leaves = np.int64(states[site]) + np.int64(states[volume + site])
    return leaves - np.int64(states[before]) - np.int64(states[volume + left])


@njit(nogil=True, error_model="numpy")
def open_worms(
    threads, height, width, begin, count, readouts, rows, to, by_one, factor, fugacity, which, worms, keys, due, states,
    f, highest,
):  # fmt: skip
    """Open ``worms[lane]`` worms in ``count`` configurations of every lane, from ``begin`` on; a thread has one.

    states: int16 ``[lane, readout, species, t, x]``, updated; f: int32 ``[thread, t, x]``, overwritten; highest: uint64
    ``[thread]``, written: the largest f met, or 2^32 if the words ran out. worms: uint64 ``[lane]``. due: uint64
    ``[lane, readout]``, updates done. keys: uint32 ``[lane, 4]``. Other arguments as of ``worm``.
    """
    volume, lanes_before = np.uint64(height) * np.uint64(width), np.uint64(readouts)
    ratio, drift = by_one.reshape(-1), fugacity.reshape(-1)
    flat, number_of, sums = states.reshape(-1), due.reshape(-1), f.reshape(-1)
    for thread in range(np.uint64(threads)):
        lane = thread // count
        place = lane * lanes_before + begin + thread % count
        row, turn = np.uint64(which[lane]) * rows, np.uint64(which[lane]) << U2
        flux = flat[(place * volume) << U2 : ((place + U1) * volume) << U2]
        bonds = sums[thread * volume : (thread + U1) * volume]
        measure_f(np.uint64(height), np.uint64(width), flux, U0, bonds, U0)
        top, word, missing, block = np.int64(0), U0, worms[lane], number_of[place] << U32
        stock = rng.block(keys[lane], block)
        head, tail, number, least, closed = U0, U0, U0, U0, True
        while missing:
            if word == np.uint64(MOST_WORDS):
                top = np.int64(1) << 32
                break
            if word and word & U3 == U0:
                stock = rng.block(keys[lane], block + (word >> U2))
            draw = stock[np.int64(word & U3)]
            word += U1
            if least == U0:  # a new worm: so many steps at least
                least, number, closed = ((draw * volume) >> U32) + U1, U0, True
            elif closed:
                head = (draw * volume) >> U32
                closed = divergence_at(head, to, volume, flux) < 0  # no place for a tail: another one
                tail = head
            else:
                direction = draw >> U30
                there = np.uint64(to[(head << U2) + direction])
                link = (direction & U1) * volume + (there if direction & U2 else head)
                sign = np.int64(-1) if direction & U2 else np.int64(1)
                k = np.int64(flux[link])
                way = U1 if k * sign >= 0 else U0
                a, b = np.int64(bonds[head]), np.int64(bonds[there])
                bond = np.uint64(abs(k) + np.int64(flux[link + U2 * volume]))
                p = drift[turn + direction] * factor[(bond << U1) + way]
                p *= ratio[row + (np.uint64(a) << U1) + way] * ratio[row + (np.uint64(b) << U1) + way]
                if np.int64(draw & LOW30) < np.int64(p + 0.5):
                    change = np.int64(1) if way else np.int64(-1)
                    flux[link] = np.int16(k + sign)
                    bonds[head], bonds[there] = np.int32(a + change), np.int32(b + change)
                    top = max(top, a + change, b + change)
                    head = there
                number += U1
                closed = head == tail
                if (
                    number >= least
                    and not closed
                    and divergence_at(head, to, volume, flux) < 0
                    and divergence_at(tail, to, volume, flux) > 0
                ):
                    missing -= U1
                    least = U0
        highest[thread] = np.uint64(top)


KERNEL = Kernel(Path(__file__).with_suffix(".cu"), "open_worms", open_worms)


def add_worms(
    system: ComplexScalar, lanes: Sequence[Lane], seed: int, due: Sequence[Sequence[int]], states: Any, device: Device
) -> None:
    """Open the worms that every lane's point asks for, in place.

    states: closed configurations, int16 ``[lane, readout, species, t, x]`` on the device. due: updates after which they
    were read out, ``[lane][readout]``. Their bits depend on (seed, point, replica, update) alone.
    Raises ``RuntimeError`` if a worm finds no end, or a site outgrows the tables.
    """
    worms = np.array([round(lane.point.get("worms", 0)) for lane in lanes], dtype=np.uint64)
    if not worms.any():
        return
    put, tables = device.put, LaneTables(system, lanes)
    by_one, _, factor, fugacity, which = map(put, tables.arrays())
    names = [(lane.replica, system.point_key(lane.point)) for lane in lanes]
    keys = put(rng.stream_keys(seed, names, rng.OPENINGS))
    updates = put(np.array(due, dtype=np.uint64))
    given, to, readouts = put(worms), put(direction_table(system.extents)), len(due[0])
    height, width = map(np.uint32, system.extents)
    count = max(1, min(readouts, PER_LAUNCH // (len(lanes) * system.volume)))
    for begin in range(0, readouts, count):
        count = min(count, readouts - begin)
        threads = len(lanes) * count
        f = np.zeros((threads, *system.extents), dtype=np.int32, like=states)
        highest = put(np.zeros(threads, dtype=np.uint64))
        device.launch(
            KERNEL, threads, height, width, np.uint64(begin), np.uint64(count), np.uint64(readouts),
            np.uint64(tables.row), to, by_one, factor, fugacity, which, given, keys, updates, states, f, highest,
        )  # fmt: skip
        met = device.get(highest).reshape(len(lanes), count)
        if np.any(met >> np.uint64(32)):
            raise RuntimeError(f"a worm found no place for its ends within {MOST_WORDS} random numbers")
        if np.any(met + np.uint64(2) >= tables.largest[:, None]):
            raise RuntimeError(f"the tables of W end at f = {tables.largest.min()} and a site has reached it")
