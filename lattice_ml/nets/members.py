"""Several nets of one architecture, independently initialised, trained at once: every parameter gets a member axis.

y[m] = net_m(x[m]) for members m = 0 … M - 1. A single small net leaves a processor idle between its many small
operations; here each is done for as many members as fit the caches. Arrays lie as ``[member, feature, x, y, batch]``: a
convolution is then one batched matrix product with the output channels as its rows, its taps are shifted copies of long
runs of memory, and samples fill the SIMD lanes, however few the channels. The first layers become tables
(``site_tables.py``).

What was tried against it, and figures: ``benchmarks/members.md``.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from lattice_ml.data.dealing import stream_seed
from lattice_ml.nets.lattice_cnn import GlobalPool, LatticeCNN, PeriodicConv2d, Pool
from lattice_ml.nets.site_tables import Distinct, GatherRows, find_distinct, plan_front, tap_sites

AT_ONCE = 1 << 21
"""Bytes of the largest array up to which members share an operation: more would leave a core's caches."""

INITIALISE = 4
"""The first word of the key of a stream that initialises a net; others: ``data/dealing.py``, ``data/members.py``."""


Net = TypeVar("Net", bound=nn.Module)


def draw_nets(build: Callable[[], Net], members: int, seed: int) -> list[Net]:
    """``members`` nets of ``build()``; the weights of net m are a function of (seed, m) alone."""
    nets = []
    with torch.random.fork_rng(devices=()):
        for m in range(members):
            torch.manual_seed(stream_seed(seed, INITIALISE, m))
            nets.append(build())
    return nets


class Members(nn.Module):
    """The nets ``[member]`` of one list of layers; parameters ``layers.0.weight`` … are ``[member, …]``.

    Call it with ``[member, batch, channel, x, y]``, or with ``[batch, channel, x, y]`` for all members; it returns
    ``[member, batch, output]``. Member m computes what ``member(m)`` alone does, to float32 rounding.
    """

    def __init__(self, nets: Sequence[LatticeCNN]) -> None:
        super().__init__()
        self.__dict__["template"] = copy.deepcopy(nets[0])  # not a submodule: its weights are nobody's
        self.template: LatticeCNN
        self.members = len(nets)
        self.layers = nn.ModuleList(nn.Module() for _ in nets[0].layers)
        for number, layer in enumerate(self.layers):
            for name, _ in nets[0].layers[number].named_parameters():
                stacked = torch.stack([getattr(net.layers[number], name).detach() for net in nets])
                layer.register_parameter(name, nn.Parameter(stacked))
        self.front = plan_front(self._each)

    @classmethod
    def initialise(cls, build: Callable[[], LatticeCNN], members: int, seed: int) -> Members:
        """``members`` nets of ``build()``; the weights of member m are a function of (seed, m) alone."""
        return cls(draw_nets(build, members, seed))

    @property
    def _each(self) -> list[Any]:
        """The layers of a single net: their kinds and settings, not their weights."""
        return list(self.template.layers)

    def member(self, m: int) -> LatticeCNN:
        """Member m as a net of its own, a copy on the CPU."""
        net = copy.deepcopy(self.template)
        net.load_state_dict({name: value[m].detach().cpu() for name, value in self.state_dict().items()})
        return net.train(self.training)

    @torch.no_grad()
    def adopt(self, which: Bool[Tensor, " member"], other: Members) -> None:
        """Take the weights of the members ``which`` from other ones."""
        for own, weight in zip(self.parameters(), other.parameters(), strict=True):
            own[which] = weight[which]

    def forward(
        self, x: Float[Tensor, "member batch channel x y"] | Float[Tensor, "batch channel x y"]
    ) -> Float[Tensor, "member batch output"]:
        self.template.check_extents(x.shape[-2], x.shape[-1])
        x = x if x.ndim == 5 else x[None]
        by_tables = self.front.worth and x.device.type == "cpu" and x.dtype == torch.float32 and not x.requires_grad
        distinct = find_distinct(x) if by_tables else None
        if distinct is None:
            first, h = 0, x.permute(0, 2, 3, 4, 1).expand(self.members, -1, -1, -1, -1)
        else:
            first, h = self.front.layers, self._look_up(distinct, (x.shape[-2], x.shape[-1]))
        step = max(1, AT_ONCE // (4 * self._widest(first, h)))
        parts = [self._run(first, part, slice(n * step, (n + 1) * step)) for n, part in enumerate(h.split(step))]
        return (parts[0] if len(parts) == 1 else torch.cat(parts)).transpose(1, 2)

    def _widest(self, first: int, h: Float[Tensor, "member feature *x_y batch"]) -> int:
        """Numbers in a member's largest array from layer ``first`` on, h and the taps of convolutions included."""
        widest, places = h[0].numel(), h[0, 0].numel()  # sites × samples
        for layer in self._each[first:]:
            if isinstance(layer, PeriodicConv2d):
                widest = max(widest, places * max(layer.in_channels * layer.kernel**2, layer.out_channels))
            elif isinstance(layer, Pool):
                places //= 4
            elif isinstance(layer, GlobalPool | nn.Flatten):
                break
        return widest

    def _run(self, first: int, h: Tensor, own: slice) -> Float[Tensor, "member output batch"]:
        """Layers ``first`` … of the members ``own`` on h ``[member, feature, x, y, batch]``, or without sites."""
        layers = self._each
        for number, layer in enumerate(layers[first:], start=first):
            if isinstance(layer, PeriodicConv2d | nn.Linear):
                weight, bias = self._weights(number, own)
                if isinstance(layer, PeriodicConv2d) and layer.kernel > 1:
                    h = Taps.apply(h, layer.kernel, layer.reach)
                    weight = weight.permute(0, 1, 3, 4, 2)
                flat, weight = h.flatten(2), weight.flatten(2)
                product = torch.bmm(weight, flat) if bias is None else torch.baddbmm(bias[..., None], weight, flat)
                if number + 1 < len(layers) and isinstance(layers[number + 1], nn.LeakyReLU):
                    # In place, which is allowed since the product's gradient needs its factors alone.
                    product = nn.functional.leaky_relu_(product, layers[number + 1].negative_slope)
                h = product.unflatten(2, h.shape[2:])
            elif isinstance(layer, nn.LeakyReLU) and number and isinstance(layers[number - 1], nn.Conv2d | nn.Linear):
                pass  # done
            elif isinstance(layer, Pool | GlobalPool):
                h = _pool(layer, h)
            elif isinstance(layer, nn.Flatten):
                h = h.flatten(1, 3)
            else:
                h = layer(h)  # an activation
        return h

    def _weights(self, number: int, own: slice = slice(None)) -> tuple[Tensor, Tensor | None]:
        layer: Any = self.layers[number]
        weight, bias = layer.weight, getattr(layer, "bias", None)
        if own.stop is None or own.stop - (own.start or 0) >= self.members:
            return weight, bias
        return weight[own], None if bias is None else bias[own]

    def _look_up(self, distinct: Distinct, extents: tuple[int, int]) -> Float[Tensor, "member channel *x_y batch"]:
        """The layers of ``front`` by tables over the distinct contents of a site."""
        front, h = self.front, torch.from_numpy(distinct.values).expand(self.members, -1, -1)
        for number in front.pointwise:
            layer = self._each[number]
            h = self._rows(number, h) if isinstance(layer, PeriodicConv2d) else layer(h)
        conv = None if front.conv is None else self._each[front.conv]
        kernel, reach = (conv.kernel, conv.reach) if isinstance(conv, PeriodicConv2d) else (1, 0)
        table = h[:, :, None] if front.conv is None else self._rows(front.conv, h).unflatten(2, (kernel**2, -1))
        pool = front.pool or extents
        sites = tap_sites(extents, kernel, reach, pool)
        scale = 1.0 if front.total else 1 / (pool[0] * pool[1])
        out = GatherRows.apply(table, distinct.codes, sites, front.slope, scale)
        if front.pool is None:
            return out[:, :, 0]
        return out.unflatten(2, (extents[0] // pool[0], extents[1] // pool[1]))

    def _rows(self, number: int, h: Float[Tensor, "member value channel"]) -> Float[Tensor, "member value tap_channel"]:
        """The convolution of one tap after the other, bias in the first."""
        weight, bias = self._weights(number)  # [member, out, in, x, y] -> [member, in, x y out]
        taps = weight.flatten(3).permute(0, 2, 3, 1).flatten(2)
        if bias is None:
            return torch.bmm(h, taps)
        return torch.baddbmm(nn.functional.pad(bias, (0, taps.shape[2] - bias.shape[1]))[:, None], h, taps)


def _pool(layer: Pool | GlobalPool, h: Float[Tensor, "member channel x y batch"]) -> Tensor:
    """A pool of ``lattice_cnn`` where the batch is the last axis."""
    if isinstance(layer, Pool):
        extent_x, extent_y = h.shape[2:4]
        pairs = h[:, :, : extent_x // 2 * 2, : extent_y // 2 * 2].unflatten(3, (-1, 2)).unflatten(2, (-1, 2))
        corners = [corner for row in pairs.unbind(3) for corner in row.unbind(4)]  # reductions of two are slow
        if layer.how == "max":
            return Greatest.apply(*corners)
        return ((corners[0] + corners[1]) + (corners[2] + corners[3])) / 4
    h = h.flatten(2, 3)
    return h.mean(2) if layer.how == "average" else h.sum(2) if layer.how == "sum" else h.max(2).values


class Greatest(torch.autograd.Function):
    """The greatest of several tensors, place by place; the gradient is that of the first that is as great."""

    @staticmethod
    def forward(ctx: Any, *given: Tensor) -> Tensor:
        greatest = torch.maximum(given[0], given[1])
        for tensor in given[2:]:
            torch.maximum(greatest, tensor, out=greatest)
        ctx.save_for_backward(greatest, *given)
        return greatest

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, ...]:
        greatest, *given = ctx.saved_tensors
        left, found = gradients[0].clone(), []
        for tensor in given:
            found.append(torch.where(tensor == greatest, left, 0.0))
            left -= found[-1]
        return tuple(found)


class Taps(torch.autograd.Function):
    """Every site's k × k neighbourhood as channels: out[m, (d, c), r, b] = h[m, c, r + d - reach, b] on the torus.

    ``[member, channel, x, y, batch]`` -> ``[member, k² channel, x, y, batch]``, as few copies as can be.
    """

    @staticmethod
    def forward(ctx: Any, h: Tensor, kernel: int, reach: int) -> Tensor:
        ctx.shifts = [(i - reach, j - reach) for i in range(kernel) for j in range(kernel)]
        out = h.new_empty(h.shape[0], len(ctx.shifts), *h.shape[1:])
        for tap, (i, j) in enumerate(ctx.shifts):
            for to, source in _pieces(h.shape[2], h.shape[3], i, j):
                out[(slice(None), tap, slice(None), *to)] = h[(slice(None), slice(None), *source)]
        return out.flatten(1, 2)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        given = gradients[0].unflatten(1, (len(ctx.shifts), -1))
        out = torch.zeros_like(given[:, 0])
        for tap, (i, j) in enumerate(ctx.shifts):
            for source, to in _pieces(given.shape[3], given.shape[4], i, j):
                out[(slice(None), slice(None), *to)] += given[(slice(None), tap, slice(None), *source)]
        return out, None, None


Block = tuple[slice, slice]


def _pieces(extent_x: int, extent_y: int, i: int, j: int) -> list[tuple[Block, Block]]:
    """Blocks (to, from) that move a field so that to[x, y] = from[(x + i) mod extent_x, (y + j) mod extent_y]."""

    def along(extent: int, shift: int) -> list[tuple[slice, slice]]:
        cut = extent - shift % extent
        whole = [(slice(0, cut), slice(extent - cut, extent))]
        return whole if cut == extent else [*whole, (slice(cut, extent), slice(0, extent - cut))]

    return [((a, b), (c, d)) for a, c in along(extent_x, i) for b, d in along(extent_y, j)]
