"""The unconstrained link variables l >= 0 of the flux form: one Metropolis step for every link, one after another.

l and f enter no constraint. A step throws up or down and is accepted with probability min(1, ratio), where

    l -> l + 1:  W(f_x + 2) / W(f_x) × W(f_y + 2) / W(f_y) / ((|k| + l + 1) (l + 1)),
    l -> l - 1:  W(f_x - 2) / W(f_x) × W(f_y - 2) / W(f_y) × (|k| + l) l,

x and y being the ends of the link. Link number p of a sweep has word p mod 4 of block p / 4: its highest bit is the
direction, the others are compared with the ratio, a product of table entries, correctly rounded in float64.

Source: Metropolis et al., J. Chem. Phys. 21, 1087 (1953); the weights, ``physics``.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float64, UInt32
from numba import njit

from lattice_ml.kernels import rng

U0, U1, U2, U3, U31 = (np.uint64(n) for n in (0, 1, 2, 3, 31))
LOW31 = np.uint64(2**31 - 1)
SCALE = 2.0**31


def link_order(extents: tuple[int, int]) -> UInt32[np.ndarray, " 2*volume"]:
    """The order of a sweep: the origins of the links in time, then of those in space.

    Every other row in time resp. column in space comes first, so that links that follow each other share no site: a
    processor need not wait for one to begin the next.
    """
    sites = np.arange(extents[0] * extents[1], dtype=np.uint32).reshape(extents)
    rows = np.concatenate((sites[::2], sites[1::2]))
    columns = np.concatenate((sites[:, ::2], sites[:, 1::2]), axis=1).T
    return np.concatenate((rows.ravel(), columns.ravel()))


def factors(largest: int) -> Float64[np.ndarray, "n way"]:
    """n if it falls and 1 / (n + 1) if it rises by one, for a factor 1 / n! of the weight: float64 ``[n, way]``."""
    n = np.arange(largest + 1, dtype=np.float64)
    return np.stack((n, 1 / (n + 1)), axis=1)


@njit(nogil=True, error_model="numpy")
def draw(key, first, blocks, words, at):
    """The words of ``blocks`` blocks from ``first`` on in order, into uint32 ``words`` from ``at``; it vectorises."""
    for n in range(blocks):
        w0, w1, w2, w3 = rng.block(key, first + n)
        place = at + (n << U2)
        words[place], words[place + U1] = np.uint32(w0), np.uint32(w1)
        words[place + U2], words[place + U3] = np.uint32(w2), np.uint32(w3)


@njit(nogil=True, error_model="numpy")
def sweep(key, number, order, to, by_two, factor, volume, first, states, first_site, f, words):
    """Sweep ``number`` of one lane; returns the largest f that it leaves.

    order: see ``link_order``. to: uint32 ``[4 site + direction]``. by_two, factor: float64 ``[2 f + way]`` and
    ``[2 n + way]``. states: int16, flat, this lane's from ``first`` on, species (k_t, k_x, l_t, l_x). f: int32, flat,
    from ``first_site`` on. words: uint32, scratch for 2 V + 3 words.
    """
    blocks = (volume + U1) >> U1
    draw(key, number * blocks, blocks, words, U0)
    for p in range(U2 * volume):
        word = np.uint64(words[p])
        way = word >> U31
        in_space = np.uint64(p >= volume)
        here = np.uint64(order[p])
        there = np.uint64(to[(here << U2) + in_space])
        at = first + in_space * volume + here
        free = np.int64(states[at + U2 * volume])
        bonds = abs(np.int64(states[at])) + free
        a, b = f[first_site + here], f[first_site + there]
        ratio = factor[np.uint64(2 * bonds) + way] * factor[np.uint64(2 * free) + way]
        ratio *= by_two[np.uint64(2 * a) + way] * by_two[np.uint64(2 * b) + way]
        below = (
            np.int64(word & LOW31) - np.int64(ratio * SCALE + 0.5)
        ) >> 63  # -1 or 0: no branch, whatever compiles it
        change = below & (2 * np.int64(way) - 1)
        states[at + U2 * volume] = np.int16(free + change)
        a, b = a + 2 * change, b + 2 * change
        f[first_site + here], f[first_site + there] = np.int32(a), np.int32(b)
    highest = f[first_site]
    for site in range(volume):
        highest = max(highest, f[first_site + site])
    return np.uint64(highest)
