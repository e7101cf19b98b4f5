"""One change of the flux form at a time: the CPU twins of the kernels in ``checkerboard.cu``, bit for bit.

``checkerboard.py`` says what each changes, which of them may be done at the same time, and in which order they follow.
Every ratio of weights is a product of table entries, multiplied in a fixed order in float64, each correctly rounded.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from lattice_ml.kernels import rng
from lattice_ml.systems.complex_scalar.colours import TIME

COLOURED = 1 << 8
"""Keeps the words of coloured updates of l apart from those of the sweeps of ``links`` in the same stream."""
HALF_RANGE = 2.0**31
UNIT = 2.0**36
"""Of the sums of acceptance probabilities, which are kept as integers."""
LARGE, SMALL = 2.0**256, 2.0**-256


@njit(nogil=True, error_model="numpy")
def draw(key, above, first, words):
    """Blocks ``first``, ``first + 1``, ... into ``words`` ``[word, block]``: in this order it vectorises."""
    k0, k1, c2, c3 = np.uint64(key[0]), np.uint64(key[1]), np.uint64(key[2]), np.uint64(key[3] | above)
    for n in range(words.shape[1]):
        number = first + np.uint64(n)
        w0, w1, w2, w3 = rng.philox(number & rng.LOW, number >> rng.S32, c2, c3, k0, k1)
        words[0, n], words[1, n] = np.uint32(w0), np.uint32(w1)
        words[2, n], words[3, n] = np.uint32(w2), np.uint32(w3)


@njit(nogil=True, error_model="numpy")
def measure_f(threads, height, width, done, step, target, states, f):
    """f of every site of every lane that is short of its target; a thread has one site.

    states: int16 ``[lane, species, t, x]``; f: int32 ``[lane, t, x]``, written.
    """
    height, width = np.int64(height), np.int64(width)
    for lane in range(threads // (height * width)):
        if done[lane] + step >= target[lane]:
            continue
        for t in range(height):
            kt, lt = states[lane, 0, t], states[lane, 2, t]
            before_k, before_l = (
                states[lane, 0, t - 1 if t else height - 1],
                states[lane, 2, t - 1 if t else height - 1],
            )
            kx, lx, out = states[lane, 1, t], states[lane, 3, t], f[lane, t]
            for x in range(width):
                out[x] = abs(kt[x]) + abs(before_k[x]) + abs(kx[x]) + 2 * (lt[x] + before_l[x] + lx[x])
            for x in range(1, width):
                out[x] += abs(kx[x - 1]) + 2 * lx[x - 1]
            out[0] += abs(kx[width - 1]) + 2 * lx[width - 1]


@njit(inline="always")
def of_link(k, free, sign, factor):
    """Change of |k| when k changes by ``sign``, and the ratio of the weights 1 / (|k| + l)!; ``free`` is l."""
    rises = np.int64(k * sign >= 0)
    return 2 * rises - 1, factor[abs(k) + free, rises]


@njit(inline="always")
def of_site(f, change, weight):
    """W(f + change) / W(f) for a change of -2, 0 or 2."""
    ratio = weight[f, np.int64(change > 0)]
    return ratio if change != 0 else 1.0


@njit(nogil=True, error_model="numpy")
def plaquettes(
    threads, groups, t0, nt, x0, nx, height, width, first, blocks, done, step, target, key, which, by_two, levels,
    factor, f, states,
):  # fmt: skip
    """The plaquettes of one colour, up to four of a thread, ``groups`` apart: t = t0 + 2 i, x = x0 + 2 j.

    Plaquette (t, x) has the corners (t, x) and (t + 1, x + 1). first: number of the colour's first group in a sweep of
    ``blocks`` groups. done, target: sweeps of every lane, uint64 ``[lane]``; step: sweeps since ``done``. key: uint32
    ``[lane, 4]``. which: uint32 ``[lane]``, the row of a lane in the table ``by_two``, float64 ``[row, f, way]``:
    see ``weights``; levels: its f. factor: float64 ``[n, way]``, see
    ``links.factors``. f, states: see ``measure_f``, updated.
    """
    height, width, words = np.int64(height), np.int64(width), np.empty((4, groups), np.uint32)
    for lane in range(threads // groups):
        sweep = done[lane] + step
        if sweep >= target[lane]:
            continue
        draw(key[lane], np.uint32(0), sweep * np.uint64(blocks) + np.uint64(first), words)
        k_t, k_x, l_t, l_x, at = states[lane, 0], states[lane, 1], states[lane, 2], states[lane, 3], f[lane]
        weight = by_two[which[lane]]
        flat, place = words.reshape(-1), 0
        for i in range(nt):
            t = np.int64(t0) + 2 * i
            t1 = t + 1 if t + 1 < height else 0
            for j in range(nx):
                x = np.int64(x0) + 2 * j
                x1 = x + 1 if x + 1 < width else 0
                word = flat[place]
                place += 1
                s = 2 * np.int64(word & np.uint32(1)) - 1
                a, ratio_a = of_link(np.int64(k_t[t, x]), np.int64(l_t[t, x]), s, factor)
                b, ratio_b = of_link(np.int64(k_x[t1, x]), np.int64(l_x[t1, x]), s, factor)
                c, ratio_c = of_link(np.int64(k_t[t, x1]), np.int64(l_t[t, x1]), -s, factor)
                d, ratio_d = of_link(np.int64(k_x[t, x]), np.int64(l_x[t, x]), -s, factor)
                ratio = ratio_a * ratio_b * (ratio_c * ratio_d)
                ratio *= of_site(at[t, x], a + d, weight) * of_site(at[t1, x], a + b, weight)
                ratio *= of_site(at[t1, x1], b + c, weight) * of_site(at[t, x1], c + d, weight)
                accepted = np.int64(np.float64(word >> 1) + 0.5 < ratio * HALF_RANGE)  # no branch to predict
                s *= accepted
                k_t[t, x] += s
                k_x[t1, x] += s
                k_t[t, x1] -= s
                k_x[t, x] -= s
                at[t, x] += accepted * (a + d)
                at[t1, x] += accepted * (a + b)
                at[t1, x1] += accepted * (b + c)
                at[t, x1] += accepted * (c + d)


@njit(nogil=True, error_model="numpy")
def links(
    threads, groups, direction, t0, nt, st, x0, nx, sx, height, width, first, blocks, done, step, target, key, which,
    by_two, levels, factor, f, states,
):  # fmt: skip
    """l of the links of one direction and colour, up to four of a thread: t = t0 + st i, x = x0 + sx j.

    l -> l + 1 changes the weight by W(f + 2) / W(f) at both ends and by 1 / ((|k| + l + 1) (l + 1)). Arguments as of
    ``plaquettes``.
    """
    height, width, words = np.int64(height), np.int64(width), np.empty((4, groups), np.uint32)
    for lane in range(threads // groups):
        sweep = done[lane] + step
        if sweep >= target[lane]:
            continue
        draw(key[lane], np.uint32(COLOURED), sweep * np.uint64(blocks) + np.uint64(first), words)
        flux, l_of, at = states[lane, direction], states[lane, 2 + direction], f[lane]
        weight = by_two[which[lane]]
        flat, place = words.reshape(-1), 0
        for i in range(nt):
            t = np.int64(t0) + np.int64(st) * i
            for j in range(nx):
                x = np.int64(x0) + np.int64(sx) * j
                word = flat[place]
                place += 1
                t1, x1 = t, x
                if direction == TIME:
                    t1 = t + 1 if t + 1 < height else 0
                else:
                    x1 = x + 1 if x + 1 < width else 0
                free = np.int64(l_of[t, x])
                top = abs(np.int64(flux[t, x])) + free
                here, there = at[t, x], at[t1, x1]
                way = np.int64(word & np.uint32(1))
                ratio = factor[top, way] * factor[free, way] * (weight[here, way] * weight[there, way])
                s = (2 * way - 1) * np.int64(np.float64(word >> 1) + 0.5 < ratio * HALF_RANGE)
                l_of[t, x] += s
                at[t, x] += 2 * s
                at[t1, x1] += 2 * s


@njit(nogil=True, error_model="numpy")
def lines(
    threads, direction, height, width, first, blocks, done, step, target, key, which, by_two, levels, factor,
    fugacity, f, states, accepted,
):  # fmt: skip
    """The straight lines in one direction, one of a thread: line x runs in time, line t in space.

    fugacity: float64 ``[row, 2]``, exp(-mu) and exp(+mu), the factor of a link in time. accepted: uint64 ``[lane, line
    of a sweep]``, the sum of the probabilities of acceptance so far in units of 2^-36, updated: also those that are
    too small to be met are known by it. The product over a line is kept within 2^±256 and a
    count of how often it was scaled, since it leaves the range of float64 on long lines. Other arguments as of
    ``plaquettes``.
    """
    height, width = np.int64(height), np.int64(width)
    length, across = (height, width) if direction == TIME else (width, height)
    stride, between = (width, 1) if direction == TIME else (1, width)
    words = np.empty((4, across), np.uint32)
    for lane in range(threads // across):
        sweep = done[lane] + step
        if sweep >= target[lane]:
            continue
        draw(key[lane], np.uint32(0), sweep * np.uint64(blocks) + np.uint64(first), words)
        k, free = states[lane, direction].reshape(-1), states[lane, 2 + direction].reshape(-1)
        at, weight = f[lane].reshape(-1), by_two[which[lane]]
        for line in range(across):
            s = 1 if words[0, line] & 1 else -1
            extra = fugacity[which[lane], (s + 1) >> 1] if direction == TIME else 1.0
            start = line * between
            closing = 1 if np.int64(k[start + (length - 1) * stride]) * s >= 0 else -1
            ratio, scale, before = 1.0, 0, closing
            for n in range(length):
                place = start + n * stride
                change, of_bond = of_link(np.int64(k[place]), np.int64(free[place]), s, factor)
                ratio *= of_bond * extra * of_site(at[place], before + change, weight)
                before = change
                if ratio > LARGE:
                    ratio *= SMALL
                    scale += 1
                elif ratio < SMALL:
                    ratio *= LARGE
                    scale -= 1
            if scale > 0:
                ratio = 1.0  # or more, which is accepted as well
            elif scale < 0:
                ratio = ratio * SMALL if scale == -1 else 0.0
            accepted[lane, first + line] += np.uint64(np.int64(min(ratio, 1.0) * UNIT))
            word = np.uint64(words[1, line]) << np.uint64(21) | np.uint64(words[2, line]) >> np.uint64(11)
            if (np.float64(np.int64(word)) + 0.5) * 2.0**-53 < ratio:
                before = closing
                for n in range(length):
                    place = start + n * stride
                    change = 1 if np.int64(k[place]) * s >= 0 else -1
                    at[place] += before + change
                    k[place] += s
                    before = change
