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

from lattice_ml.kernels import rng
from lattice_ml.kernels.device import Device, Kernel
from lattice_ml.systems.complex_scalar.checkerboard_updates import UNIT, lines, links, measure_f, plaquettes
from lattice_ml.systems.complex_scalar.colours import SPACE, TIME, link_colours, numbered, plaquette_colours
from lattice_ml.systems.complex_scalar.links import factors
from lattice_ml.systems.complex_scalar.physics import ComplexScalar
from lattice_ml.systems.complex_scalar.weights import tables
from lattice_ml.systems.sampler import Lane


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
