"""The heat-bath update of the Ising model on a checkerboard: all sites of a colour at once.

The torus is coloured so that neighbours differ: two colours where both extents are even, three elsewhere
(``domains``). Given the rest of the lattice, the spins of one colour are independent, and

    P(up | u) = 1 / (1 + exp(-2 h / T)),    h = 2 u - 4,

with u = 0 ... 4 of the four neighbours up. A sweep draws the spins of colour 0, then 1, then 2, each colour in one
launch. Every such step leaves exp(-E/T) / Z as it is, so the sweep does. It is no Glauber dynamics, which takes sites
in random order, though it relaxes to the same law: its times are not physical ones.

A thread does up to four sites of one lane with one Philox block:

1. its lane and its group of sites; nothing more if the lane has reached its target;
2. block (sweep × groups of all colours + group) of the lane's stream, one word for each site;
3. a site's spin is up if its word is below the threshold of its number of up neighbours.

Source: heat bath, R. J. Glauber, J. Math. Phys. 4, 294 (1963); colours at once, e.g. T. Preis, P. Virnau, W. Paul &
J. J. Schneider, J. Comput. Phys. 228, 4468 (2009).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8, UInt32, UInt64
from numba import njit

from lattice_ml.kernels import rng
from lattice_ml.kernels.device import Device, Kernel
from lattice_ml.kernels.domains import NOBODY, cut
from lattice_ml.systems.ising.physics import Ising
from lattice_ml.systems.sampler import Lane, Tick

TICK_EVERY = 0.1
"""Seconds between two calls of ``tick``, or the time of a sweep if that is longer."""


def thresholds(temperature: float) -> UInt64[np.ndarray, " neighbours"]:
    """A word below entry u turns the spin up if u neighbours are: round(2^32 P(up | u)), uint64 ``[5]``.

    Certainty is 2^32, one more than the largest word. Entries u and 4 - u add up to 2^32: up and down are alike to the
    last bit. A probability below 2^-33, of a spin against four others at T < 0.35, is zero.
    """
    rare = 1 / (1 + np.exp(np.minimum(np.array([8.0, 4.0]) / temperature, 600)))
    low = np.rint(rare * 2.0**32).astype(np.uint64)
    return np.concatenate((low, np.array([2**31], np.uint64), np.uint64(2**32) - low[::-1]))


def colour_lists(extents: tuple[int, int]) -> list[UInt32[np.ndarray, " word*groups"]]:
    """The sites of each colour in increasing order, filled up with ``NOBODY`` to a multiple of four."""
    lists = []
    for members in cut(extents, (1, 1)).members:
        sites = members[members != NOBODY]
        lists.append(np.pad(sites, (0, -len(sites) % 4), constant_values=NOBODY))
    return lists


@njit(nogil=True, error_model="numpy")
def draw(key, first, words):
    """Blocks ``first``, ``first + 1``, ... into ``words`` ``[word, block]``: in this order it vectorises."""
    for n in range(words.shape[1]):
        w0, w1, w2, w3 = rng.block(key, first + np.uint64(n))
        words[0, n], words[1, n] = np.uint32(w0), np.uint32(w1)
        words[2, n], words[3, n] = np.uint32(w2), np.uint32(w3)


@njit(nogil=True, error_model="numpy")
def count_up(up, neighbours):
    """How many of the four neighbours of every site are up, both uint8 ``[x, y]``."""
    width, height = up.shape
    for x in range(width):
        here, count = up[x], neighbours[x]
        right, left = up[x + 1 if x + 1 < width else 0], up[x - 1 if x else width - 1]
        for y in range(1, height - 1):
            count[y] = right[y] + left[y] + here[y + 1] + here[y - 1]
        count[0] = right[0] + left[0] + here[1] + here[height - 1]
        count[height - 1] = right[height - 1] + left[height - 1] + here[0] + here[height - 2]


@njit(nogil=True, error_model="numpy")
def checkerboard(
    threads, groups, first, blocks, step, width, height, site_of, done, target, threshold, key, up, turned
):
    """One colour of one sweep of every lane that is short of its target.

    groups: threads of a lane. first: number of the colour's first group in a sweep of ``blocks`` groups. step: sweeps
    since ``done``. site_of: uint32 ``[4 blocks]``, see ``colour_lists``. done, target: sweeps of every lane, uint64
    ``[lane]``. threshold: uint64 ``[lane, 5]``. key: uint32 ``[lane, 4]``. up: uint8 ``[lane, x, y]``, updated.
    turned: uint32 ``[lane, group of a sweep]``, how often a thread has changed a spin, modulo 2^32.

    All threads of a lane go through each numbered step together, so that steps 1 and 2 vectorise.
    """
    words = np.empty((4, groups), np.uint32)
    neighbours = np.empty((width, height), np.uint8)
    count = neighbours.reshape(-1)
    sites = site_of[4 * first : 4 * (first + groups)].reshape(4, groups)
    for lane in range(threads // groups):
        sweep = done[lane] + step
        if sweep >= target[lane]:
            continue
        draw(key[lane], sweep * np.uint64(blocks) + np.uint64(first), words)
        count_up(up[lane], neighbours)
        spins, below, flips = up[lane].reshape(-1), threshold[lane], turned[lane, first : first + groups]
        for k in range(4):
            for group in range(groups):
                site = sites[k, group]
                if site == NOBODY:
                    break
                spin = np.uint8(np.uint64(words[k, group]) < below[count[site]])
                flips[group] += np.uint32(spin != spins[site])
                spins[site] = spin


KERNEL = Kernel(Path(__file__).with_suffix(".cu"), "checkerboard", checkerboard)


class Checkerboard:
    """Trajectories of several lanes on a device, from their start states on.

    up: start states, uint8 ``[lane, x, y]``, 1 where the spin is up.
    """

    def __init__(
        self, system: Ising, lanes: Sequence[Lane], seed: int, up: UInt8[np.ndarray, "lane x y"], device: Device
    ) -> None:
        lists = colour_lists(system.extents)
        names = [(lane.replica, system.point_key(lane.point)) for lane in lanes]
        groups = np.array([len(sites) // 4 for sites in lists], dtype=np.uint32)
        first = np.cumsum(groups, dtype=np.uint32) - groups
        self.device, self.volume = device, system.volume
        self.extents = tuple(map(np.uint32, system.extents))
        self.colours, self.blocks = list(zip(groups, first, strict=True)), groups.sum(dtype=np.uint32)
        self.done = np.zeros(len(lanes), dtype=np.uint64)
        self.site_of = device.put(np.concatenate(lists))
        self.threshold = device.put(np.stack([thresholds(lane.point["T"]) for lane in lanes]))
        self.keys = device.put(rng.stream_keys(seed, names, rng.SWEEPS))
        self.up = device.put(up)
        self.turned = device.put(np.zeros((len(lanes), int(self.blocks)), dtype=np.uint32))

    def advance(self, times: Sequence[float], tick: Tick) -> None:
        """Bring every lane to its time, whole sweeps since its start; ``tick`` gets sites × sweeps.

        A lane that is there already stays as it is.
        """
        target = np.maximum(np.array(times, dtype=np.uint64), self.done)
        missing = target - self.done
        arrays = (
            self.site_of, self.device.put(self.done), self.device.put(target), self.threshold, self.keys, self.up,
            self.turned,
        )  # fmt: skip
        told, clock = 0, time.monotonic()
        for step in range(int(missing.max())):
            for groups, first in self.colours:
                threads = len(missing) * int(groups)
                self.device.launch(KERNEL, threads, groups, first, self.blocks, np.uint64(step), *self.extents, *arrays)
            if time.monotonic() >= clock + TICK_EVERY:
                work = int(np.minimum(missing, np.uint64(step + 1)).sum())
                tick(float((work - told) * self.volume))
                told, clock = work, time.monotonic()
        self.done = target
        tick(float((int(missing.sum()) - told) * self.volume))

    def states(self) -> Any:
        """uint16 ``[lane, species, x, y]`` on the device, 1 where the spin is up, at the times last advanced to."""
        return self.up.astype(np.uint16)[:, None]

    def changed(self) -> UInt64[np.ndarray, " lane"]:
        """How many spins every lane has changed since its start."""
        return self.device.get(self.turned).sum(axis=1, dtype=np.uint64)
