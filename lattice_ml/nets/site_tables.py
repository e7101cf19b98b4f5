"""The first layers of a net as tables over the few integers that a site can hold: the same net, ten times faster.

A site of a flux configuration holds four small integers, and a batch of 24,000 sites some 200 different quadruples u.
The 1 × 1 convolutions that a net begins with are functions of u alone, and the k × k convolution that follows is a sum
of functions of u, one for each of its k² taps d:

    y[r] = sum_d table[u[r + d], d],        table[u, d] = bias δ_{d0} + weight[d] h(u).

So h and table are computed once for each u, and every site adds k² rows, which is no matrix product at all. Where an
average over sites follows (global, or of a 2 × 2 pool), activation and average are taken on the way, and what would be
the widest arrays of the net are never written. Gradients travel the same way back, into the rows.

It is exact up to float32 rounding, and is used on the CPU where the input holds few different integers; on a GPU the
matrix product is the faster one. Figures: ``benchmarks/members.md``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, NamedTuple

import numba
import numpy as np
import torch
from jaxtyping import Float, Float32, Int32
from torch import Tensor, nn

from lattice_ml.nets.lattice_cnn import GlobalPool, PeriodicConv2d, Pool

# "contract" lets a product and a sum be one rounding. Arrays are plain, threads share out the members.
FAST: dict[str, Any] = {"nogil": True, "cache": True, "error_model": "numpy", "fastmath": {"contract", "nsz"}}
TILE = 64
"""Samples whose channels are gathered before they are transposed: they stay in the first cache."""
FEW = 16
"""Sites that are summed before their sum is added to the others."""
MOST_CODES = 1 << 20
"""Products of the channels' ranges up to which values are looked up; beyond, the net is computed as any other."""


class Distinct(NamedTuple):
    """What sites hold: ``values[codes[m, r, b]]`` is the input of member m (or of all) at site r of sample b."""

    codes: Int32[np.ndarray, "members_or_one site batch"]
    values: Float32[np.ndarray, "value channel"]


@dataclass(frozen=True)
class Front:
    """How many of a net's layers the tables stand for, and what happens in them.

    pointwise: numbers of the layers that are functions of one site. conv: number of the convolution behind them, or
    None. slope: of the leaky ReLU that follows (0: ReLU, 1: none). pool: sites along x and y over which the average is
    taken, None for all of them, (1, 1) for no pool. total: sum instead of average. layers: how many in all.
    """

    pointwise: tuple[int, ...]
    conv: int | None
    slope: float
    pool: tuple[int, int] | None
    total: bool
    layers: int

    @property
    def worth(self) -> bool:
        """Do tables save time? Not for a convolution of the four channels alone, which is a small matrix product."""
        return bool(self.pointwise)


def plan_front(layers: Sequence[nn.Module]) -> Front:
    """What tables can do: pointwise layers, one convolution, one (leaky) ReLU, one pool that averages."""
    number = 0
    while number < len(layers) and _pointwise(layers[number]):
        number += 1
    pointwise, conv, slope = tuple(range(number)), None, 1.0
    if number < len(layers) and isinstance(layers[number], PeriodicConv2d):
        conv, number = number, number + 1
        if isinstance(layers[number], nn.LeakyReLU | nn.ReLU):
            slope = float(getattr(layers[number], "negative_slope", 0.0))
            number += 1
    pool, total, last = (1, 1), False, layers[number]
    if isinstance(last, Pool | GlobalPool) and last.how != "max":
        pool, total, number = (2, 2) if isinstance(last, Pool) else None, last.how == "sum", number + 1
    return Front(pointwise, conv, slope, pool, total, number)


def _pointwise(layer: nn.Module) -> bool:
    if isinstance(layer, PeriodicConv2d):
        return layer.kernel == 1
    return not isinstance(layer, Pool | GlobalPool | nn.Flatten | nn.Linear)


def find_distinct(x: Float[Tensor, "members_or_one batch channel x y"]) -> Distinct | None:
    """The different site contents of x; None if it holds other than few integers, or more contents than is worth it."""
    source = x.detach().flatten(3).contiguous().numpy()
    members, batch, channels, sites = source.shape
    ranges = np.empty((channels, 2), np.int64)
    if source.size == 0 or not _measure(source, ranges):
        return None
    spread = ranges[:, 1] - ranges[:, 0] + 1
    if np.prod(spread.astype(float)) > MOST_CODES:
        return None
    codes = np.empty((members, sites, batch), np.int32)
    values = np.empty((int(np.prod(spread)), channels), np.float32)
    found = _encode(source, ranges[:, 0], spread, codes, values)
    return Distinct(codes, values[:found].copy()) if 4 * found <= codes.size else None


def tap_sites(
    extents: tuple[int, int], kernel: int, reach: int, pool: tuple[int, int]
) -> Int32[np.ndarray, "cell site tap"]:
    """Numbers of the sites whose rows make up cell by cell of the pooled lattice, what a pool drops left out."""
    number = np.arange(extents[0] * extents[1], dtype=np.int32).reshape(extents)
    shifts = [(reach - i, reach - j) for i in range(kernel) for j in range(kernel)]
    taps = np.stack([np.roll(number, shift, (0, 1)) for shift in shifts], axis=-1)
    cells = (extents[0] // pool[0], extents[1] // pool[1])
    taps = taps[: cells[0] * pool[0], : cells[1] * pool[1]]
    taps = taps.reshape(cells[0], pool[0], cells[1], pool[1], kernel * kernel).swapaxes(1, 2)
    return np.ascontiguousarray(taps.reshape(cells[0] * cells[1], pool[0] * pool[1], kernel * kernel))


class GatherRows(torch.autograd.Function):
    """out[m, :, g, b] = scale sum_{r in cell g} lrelu( sum_d table[m, codes[m, sites[g, r, d], b], d] ).

    table ``[member, value, tap, channel]`` -> ``[member, channel, cell, batch]``. Gradients reach the table alone.
    """

    @staticmethod
    def forward(
        ctx: Any, table: Tensor, codes: np.ndarray, sites: np.ndarray, slope: float, scale: float
    ) -> Float[Tensor, "member channel cell batch"]:
        rows, a, b = table.detach().contiguous().numpy(), np.float32(slope), np.float32(scale)
        out = np.empty((len(rows), rows.shape[-1], len(sites), codes.shape[2]), np.float32)
        _each_member(lambda m: _gather(rows[m], codes[m % len(codes)], sites, a, b, out[m]), len(rows))
        ctx.kept = rows, codes, sites, a, b
        return torch.from_numpy(out)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None, None]:
        rows, codes, sites, a, b = ctx.kept
        given, out = gradients[0].contiguous().numpy(), np.zeros_like(rows)
        _each_member(lambda m: _scatter(rows[m], codes[m % len(codes)], sites, a, b, given[m], out[m]), len(rows))
        return torch.from_numpy(out), None, None, None, None


def _each_member(work: Callable[[int], None], members: int) -> None:
    """Call ``work(m)`` for every member, on as many threads as torch has."""
    threads = min(torch.get_num_threads(), members)
    if threads == 1:
        for m in range(members):
            work(m)
        return
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, range(members)))


@numba.njit(**FAST)
def _measure(x, ranges):  # pyright: ignore
    """Least and largest value of each channel into ``ranges``; False if one is no integer."""
    members, batch, channels, sites = x.shape
    for c in range(channels):
        low = high = x[0, 0, c, 0]
        for m in range(members):
            for b in range(batch):
                row = x[m, b, c]
                for r in range(sites):
                    if row[r] != np.rint(row[r]) or abs(row[r]) > 32767:
                        return False
                    low, high = min(low, row[r]), max(high, row[r])
        ranges[c, 0], ranges[c, 1] = np.int64(low), np.int64(high)
    return True


@numba.njit(**FAST)
def _encode(x, low, spread, codes, values):  # pyright: ignore
    """Number what sites hold in the order of their first appearance; returns how many there are."""
    members, batch, channels, sites = x.shape
    known = np.full(len(values), -1, np.int32)
    found = 0
    for m in range(members):
        for b in range(batch):
            for r in range(sites):
                key = 0
                for c in range(channels):
                    key = key * spread[c] + (np.int64(x[m, b, c, r]) - low[c])
                if known[key] < 0:
                    known[key] = found
                    for c in range(channels):
                        values[found, c] = x[m, b, c, r]
                    found += 1
                codes[m, r, b] = known[key]
    return found


@numba.njit(**FAST)
def _gather(table, codes, sites, slope, scale, out):  # pyright: ignore
    """Samples are taken in tiles, in which channels lie next to each other, and are then transposed into ``out``."""
    channels, batch = table.shape[2], codes.shape[1]
    y, part, tile = (
        np.empty(channels, np.float32),
        np.empty(channels, np.float32),
        np.empty((TILE, channels), np.float32),
    )
    for g in range(sites.shape[0]):
        for first in range(0, batch, TILE):
            size = min(TILE, batch - first)
            tile[:size] = 0
            for b in range(size):
                for start in range(0, sites.shape[1], FEW):  # sums of sums: the rounding of long ones adds up
                    part[:] = 0
                    for s in range(start, min(start + FEW, sites.shape[1])):
                        _add_rows(table, codes, sites, g, s, first + b, y)
                        for c in range(channels):
                            part[c] += max(y[c], slope * y[c])
                    for c in range(channels):
                        tile[b, c] += part[c]
            for c in range(channels):
                for b in range(size):
                    out[c, g, first + b] = scale * tile[b, c]


@numba.njit(**FAST)
def _scatter(table, codes, sites, slope, scale, given, out):  # pyright: ignore
    channels, batch = table.shape[2], codes.shape[1]
    y, tile = np.empty(channels, np.float32), np.empty((TILE, channels), np.float32)
    one = np.float32(1)
    for g in range(sites.shape[0]):
        for first in range(0, batch, TILE):
            size = min(TILE, batch - first)
            for c in range(channels):
                for b in range(size):
                    tile[b, c] = scale * given[c, g, first + b]
            for b in range(size):
                for s in range(sites.shape[1]):
                    _add_rows(table, codes, sites, g, s, first + b, y)
                    for c in range(channels):
                        y[c] = tile[b, c] * (one if y[c] > 0 else slope)
                    for d in range(sites.shape[2]):
                        row = codes[sites[g, s, d], first + b]
                        for c in range(channels):
                            out[row, d, c] += y[c]


@numba.njit(inline="always", **{key: FAST[key] for key in ("error_model", "fastmath")})
def _add_rows(table, codes, sites, g, s, b, y):  # pyright: ignore
    """y = sum_d table[codes[sites[g, s, d], b], d]; four taps (a 2 × 2 kernel) in one pass."""
    if sites.shape[2] == 4:
        i, j = codes[sites[g, s, 0], b], codes[sites[g, s, 1], b]
        k, l = codes[sites[g, s, 2], b], codes[sites[g, s, 3], b]  # noqa: E741
        for c in range(len(y)):
            y[c] = (table[i, 0, c] + table[j, 1, c]) + (table[k, 2, c] + table[l, 3, c])
    else:
        first = codes[sites[g, s, 0], b]
        for c in range(len(y)):
            y[c] = table[first, 0, c]
        for d in range(1, sites.shape[2]):
            row = codes[sites[g, s, d], b]
            for c in range(len(y)):
                y[c] += table[row, d, c]
