"""The checkerboard update of the flux form: plaquettes, straight lines and the unconstrained l, many at a time.

Each of these changes keeps the divergence of k as it is, so closed configurations stay closed:

- a plaquette: k of the four links around it rises by s = ±1 in the sense of its rotation;
- a straight line round the torus: k of all its links rises by s, and with it the winding number;
- a link: l rises by s, never below zero.

The sign s is thrown, and the change is accepted with probability min(1, ratio of weights). The weight of a link is
exp(mu k [in time]) / ((|k| + l)! l!) and that of a site is W(f), so every ratio is a product of factors |k| + l, l,
1 / n, exp(±mu) and W(f ± 2) / W(f): table entries, multiplied in a fixed order in float64, each correctly rounded.

With f kept on the sites, two changes interfere only if they share a site: plaquettes that touch at a corner, links of
one direction that follow each other, and no two straight lines of one direction, since a line changes the f of its own
sites only. Round a ring two colours keep neighbours apart if its extent is even and three if it is odd, so a torus
needs 4, 6 or 9 colours of plaquettes and 2 or 3 of the links of a direction; extents of 2 are no exception.

A sweep is: f of all sites; plaquettes, colour by colour; l of the links in time and in space, colour by colour; lines
in time, lines in space. Each of these leaves the law as it is, so the sweep does. **Lines in time are accepted with a
probability that falls exponentially in N_t**: where that is small the chain keeps the winding number of its start and
averages over that sector alone, with healthy-looking errors (docs/complex_scalar.md).

Source: the dual form, C. Gattringer & T. Kloiber, Nucl. Phys. B 869, 56 (2013), arXiv:1206.2954; the colourings and the
independence of lines, derived here.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64
from numba import njit

from lattice_ml import rng
from lattice_ml.device import Device, Kernel
from lattice_ml.systems.base import Lane
from lattice_ml.systems.complex_scalar.colours import SPACE, TIME, link_colours, numbered, plaquette_colours
from lattice_ml.systems.complex_scalar.links import factors
from lattice_ml.systems.complex_scalar.physics import ComplexScalar
from lattice_ml.systems.complex_scalar.weights import tables

COLOURED = 1 << 8
"""Keeps the words of coloured updates of l apart from those of the sweeps of ``links`` in the same stream."""
HALF_RANGE, UNIT = 2.0**31, 2.0**36
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
            if scale:
                ratio = 1.0 if scale > 0 else 0.0
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


@njit(nogil=True, error_model="numpy")
def sweeps(
    lanes, count, site_rows, link_rows, height, width, blocks, done, target, keys, which, by_two, levels, factor,
    fugacity, f, states, accepted,
):  # fmt: skip
    """``count`` sweeps of all lanes: what the launches of ``Checkerboard.advance`` do, in one call for the CPU."""
    for number in range(count):
        step = np.uint64(number)
        measure_f(np.uint32(lanes * height * width), height, width, done, step, target, states, f)
        for r in range(len(site_rows)):
            t0, nt, x0, nx, groups, first = site_rows[r]
            plaquettes(
                np.uint32(lanes * groups), groups, t0, nt, x0, nx, height, width, first, blocks[0], done, step, target,
                keys[0], which, by_two, levels, factor, f, states,
            )  # fmt: skip
        for r in range(len(link_rows)):
            direction, t0, nt, st, x0, nx, sx, groups, first = link_rows[r]
            links(
                np.uint32(lanes * groups), groups, direction, t0, nt, st, x0, nx, sx, height, width, first, blocks[1],
                done, step, target, keys[1], which, by_two, levels, factor, f, states,
            )  # fmt: skip
        for direction in range(2):
            first, across = (np.uint32(0), width) if direction == TIME else (width, height)
            lines(
                np.uint32(lanes * across), np.uint32(direction), height, width, first, blocks[2], done, step, target,
                keys[2], which, by_two, levels, factor, fugacity, f, states, accepted,
            )  # fmt: skip


SOURCE = Path(__file__).with_suffix(".cu")
MEASURE_F, PLAQUETTES, LINKS, LINES = (
    Kernel(SOURCE, twin.__name__, twin) for twin in (measure_f, plaquettes, links, lines)
)


class Checkerboard:
    """Sweeps of several lanes on a device, in place, each with the tables of its point.

    states: int16 ``[lane, species, t, x]`` on the device, closed; others may change it between calls of ``advance``.
    """

    def __init__(self, system: ComplexScalar, lanes: Sequence[Lane], seed: int, states: Any, device: Device) -> None:
        self.device, self.states = device, states
        height, width = self.sizes = tuple(map(np.uint32, system.extents))
        names = [(lane.replica, system.point_key(lane.point)) for lane in lanes]
        rows = dict.fromkeys((lane.point["eta"], lane.point["mu"]) for lane in lanes)
        by_two = [tables(eta, mu, system.lam).by_two for eta, mu in rows]
        longest = max(map(len, by_two))
        put, number = device.put, {row: n for n, row in enumerate(rows)}
        self.keys = [put(rng.stream_keys(seed, names, kind)) for kind in (rng.PLAQUETTES, rng.LINKS, rng.LINES)]
        self.which = put(np.array([number[lane.point["eta"], lane.point["mu"]] for lane in lanes], dtype=np.uint32))
        self.by_two = put(np.stack([np.pad(table, ((0, longest - len(table)), (0, 0))) for table in by_two]))
        self.levels = np.uint32(longest)
        self.factor = put(factors(longest))
        self.fugacity = put(np.exp([[-mu, mu] for _, mu in rows]))
        self.f = put(np.zeros((len(lanes), *system.extents), dtype=np.int32))
        self.accepted = put(np.zeros((len(lanes), int(height + width)), dtype=np.uint64))
        self.site_rows, site_blocks = numbered(plaquette_colours(system.extents), slice(1, 4, 2))
        link = [(d, *colour) for d in (TIME, SPACE) for colour in link_colours(system.extents, d)]
        self.link_rows, link_blocks = numbered(link, slice(2, 6, 3))
        self.blocks = np.array([site_blocks, link_blocks, height + width], dtype=np.uint32)

    def advance(self, done: np.ndarray, target: np.ndarray) -> None:
        """Sweeps ``done`` ... ``target - 1`` of every lane, uint64 ``[lane]``; none where they are equal."""
        lanes, count = len(done), int(np.max(target - done, initial=0))
        height, width = self.sizes
        tables = (self.which, self.by_two, self.levels, self.factor)
        if self.device.name == "cpu":
            sweeps(
                np.uint32(lanes), count, self.site_rows, self.link_rows, height, width, self.blocks, done, target,
                tuple(self.keys), *tables, self.fugacity, self.f, self.states, self.accepted,
            )  # fmt: skip
            return
        launch, done, target = self.device.launch, self.device.put(done), self.device.put(target)
        for step in map(np.uint64, range(count)):
            launch(MEASURE_F, lanes * int(height * width), height, width, done, step, target, self.states, self.f)
            for *place, groups, first in self.site_rows:
                launch(
                    PLAQUETTES, lanes * int(groups), groups, *place, height, width, first, self.blocks[0], done, step,
                    target, self.keys[0], *tables, self.f, self.states,
                )  # fmt: skip
            for *place, groups, first in self.link_rows:
                launch(
                    LINKS, lanes * int(groups), groups, *place, height, width, first, self.blocks[1], done, step,
                    target, self.keys[1], *tables, self.f, self.states,
                )  # fmt: skip
            for direction, first, across in ((TIME, np.uint32(0), width), (SPACE, width, height)):
                launch(
                    LINES, lanes * int(across), np.uint32(direction), height, width, first, self.blocks[2], done, step,
                    target, self.keys[2], *tables, self.fugacity, self.f, self.states, self.accepted,
                )  # fmt: skip

    def line_acceptance(self, sweeps: int) -> Float64[np.ndarray, "lane direction"]:
        """Mean probability of acceptance of a line in time and of one in space, over the ``sweeps`` done so far."""
        height, width = map(int, self.sizes)
        sums = np.add.reduceat(self.device.get(self.accepted), [0, width], axis=1)
        return sums / (UNIT * sweeps * np.array([width, height]))
