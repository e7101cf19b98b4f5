"""A convolutional net on the torus, written as its list of layers: EQ, ST and FL are lists that differ.

Favoni, Ipp, Müller and Schuh's classes of nets: EQ moves by stride 1 and pools globally, so shifting the input does not
change the output; ST reduces the lattice by a pool of stride 2 somewhere, which keeps shifts by an even number of sites
only; FL flattens, which ties it to one lattice and to no shift at all. Source: arXiv:2103.14686, Sec. III.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from lattice_ml.ground.errors import UserError
from lattice_ml.nets.receptive_field import Window

Architecture = Literal["EQ", "ST", "FL"]

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "leaky_relu": nn.LeakyReLU,
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
}
KINDS = "conv, pool, global_pool, flatten, linear, " + ", ".join(ACTIVATIONS)


class PeriodicConv2d(nn.Conv2d):
    """y[o, r] = bias[o] + sum_{i, d} weight[o, i, d] x[i, r + d - reach] on the torus: every site has all neighbours.

    reach = kernel // 2: kernel 3 sees one site each way; an even kernel pads one side, so that kernel 2 sees a site and
    the one before it along each axis, as the divergence d_x = sum_nu (k_{x,nu} - k_{x-nu,nu}) does.
    """

    def __init__(self, in_channels: int, out_channels: int, kernel: int, bias: bool = True) -> None:
        super().__init__(in_channels, out_channels, kernel, bias=bias)
        self.kernel, self.reach = kernel, kernel // 2

    def forward(self, input: Float[Tensor, "batch channel x y"]) -> Float[Tensor, "batch filter x y"]:
        if self.kernel > 1:
            after = self.kernel - 1 - self.reach
            input = F.pad(input, (self.reach, after, self.reach, after), mode="circular")
        return super().forward(input)


class Pool(nn.Module):
    """Average or maximum of 2 × 2 sites, stride 2; on an odd extent the last row or column is dropped."""

    def __init__(self, how: Literal["average", "max"]) -> None:
        super().__init__()
        self.how = how

    def forward(self, x: Float[Tensor, "batch channel x y"]) -> Float[Tensor, "batch channel x_half y_half"]:
        if min(x.shape[-2:]) < 2:
            raise UserError(f"a pool of 2 × 2 sites does not fit {tuple(x.shape[-2:])} sites: give a larger lattice.")
        return F.avg_pool2d(x, 2) if self.how == "average" else F.max_pool2d(x, 2)


class GlobalPool(nn.Module):
    """Average, maximum or sum over all sites: what makes a net independent of the lattice's size."""

    def __init__(self, how: Literal["average", "max", "sum"]) -> None:
        super().__init__()
        self.how = how

    def forward(self, x: Float[Tensor, "batch channel x y"]) -> Float[Tensor, "batch channel"]:
        x = x.flatten(2)
        return x.mean(2) if self.how == "average" else x.sum(2) if self.how == "sum" else x.max(2).values


class LatticeCNN(nn.Module):
    """``[batch, channel, x, y]`` -> ``[batch, output]`` by the layers of a list, e.g. of ``conf/model/flux/eq.yaml``.

    layers: each is a name alone or a mapping,

    - ``{conv: 80, kernel: 2, bias: true}``: convolution to 80 channels with periodic padding, stride 1;
    - ``leaky_relu`` (slope 0.01), ``relu``, ``tanh``, ``gelu``, ``silu``;
    - ``{pool: average}`` or ``max``: 2 × 2 sites, stride 2;
    - ``{global_pool: average}``, ``max`` or ``sum``: one number a channel; or ``flatten``: one a channel and site;
    - ``{linear: 24, bias: true}``.

    The lists of the paper's nets read its "LReLU between layers" so: after every convolution and every linear layer but
    the net's last weights, and before the pool that follows. (Were the last convolution before a global average not
    followed by one, the two would be one linear map, and no net could learn |phi|².)

    extents: sites of the lattice it is built for; EQ and ST take any other, FL none. Raises ``UserError`` where the
    layers do not fit each other, the lattice, or ``outputs``.
    """

    def __init__(
        self, in_channels: int, extents: tuple[int, int], outputs: int, layers: Sequence[str | Mapping[str, Any]]
    ) -> None:
        super().__init__()
        self.in_channels, self.extents, self.outputs = in_channels, (int(extents[0]), int(extents[1])), outputs
        if not isinstance(layers, Sequence) or isinstance(layers, str) or not layers:
            raise UserError("a LatticeCNN without layers is no net: give model.layers, a list as in conf/model/flux/.")
        width, sites = in_channels, self.extents  # of what the next layer gets; sites is () once pooled or flattened
        built = []
        for number, entry in enumerate(layers, start=1):
            layer, width, sites = _build(f"layer {number} of model.layers", entry, width, sites)
            built.append(layer)
        if sites:
            raise UserError(
                f"model.layers ends with {sites[0]} × {sites[1]} sites: give a global_pool or flatten after layer "
                f"{len(layers)}."
            )
        if width != outputs:
            raise UserError(
                f"layer {len(layers)} of model.layers ends with {width} numbers where {outputs} are asked for: give "
                f"{{linear: {outputs}}} as the last layer."
            )
        self.layers = nn.Sequential(*built)

    @property
    def architecture(self) -> Architecture:
        """EQ, ST or FL, as the layers are."""
        kinds = {type(layer) for layer in self.layers}
        return "FL" if nn.Flatten in kinds else "ST" if Pool in kinds else "EQ"

    def windows(self, layer: str) -> list[Window]:
        """(kernel, stride) of all convolutions and pools up to and with a convolution, named ``layers.<number>``."""
        found: list[Window] = []
        for one in list(self.layers)[: int(layer.rpartition(".")[2]) + 1]:
            if isinstance(one, PeriodicConv2d):
                found.append((one.kernel, 1))
            elif isinstance(one, Pool):
                found.append((2, 2))
        return found

    def forward(self, x: Float[Tensor, "batch channel x y"]) -> Float[Tensor, "batch output"]:
        self.check_extents(x.shape[-2], x.shape[-1])
        return self.layers(x)

    def check_extents(self, *extents: int) -> None:
        """Raise ``UserError`` where a net that flattens meets another lattice than it was built for."""
        if extents != self.extents and self.architecture == "FL":
            raise UserError(
                f"an FL net of {self.extents[0]} × {self.extents[1]} sites cannot read {extents[0]} × {extents[1]}: "
                "give configurations of its own lattice, or an EQ or ST net."
            )


Sites = tuple[int, int] | tuple[()]


def _build(where: str, entry: str | Mapping[str, Any], width: int, sites: Sites) -> tuple[nn.Module, int, Sites]:
    """The layer of an entry with the channels and sites that it leaves."""
    kind, value, options = _read(where, entry)
    if kind in ACTIVATIONS:
        return ACTIVATIONS[kind](), width, sites
    if kind == "linear":
        if sites:
            raise UserError(
                f"{where}, linear, meets {sites[0]} × {sites[1]} sites: give global_pool or flatten before."
            )
        features = _count(where, kind, value)
        return nn.Linear(width, features, bias=options["bias"]), features, sites
    if not sites:
        raise UserError(f"{where}, {kind}, comes after the sites are gone: give it before global_pool or flatten.")
    if kind == "conv":
        channels, kernel = _count(where, kind, value), _count(where, "kernel", options["kernel"])
        if kernel // 2 > min(sites):
            raise UserError(
                f"{where}, conv, has kernel {kernel} on {sites[0]} × {sites[1]} sites: give at most "
                f"{2 * min(sites) + 1}."
            )
        return PeriodicConv2d(width, channels, kernel, bias=options["bias"]), channels, sites
    if kind == "pool":
        if min(sites) < 2:
            raise UserError(f"{where}, pool, meets {sites[0]} × {sites[1]} sites: give 2 × 2 or more, or fewer pools.")
        return Pool(_word(where, kind, value, "average", "max")), width, (sites[0] // 2, sites[1] // 2)
    if kind == "flatten":
        return nn.Flatten(), width * sites[0] * sites[1], ()
    return GlobalPool(_word(where, kind, value, "average", "max", "sum")), width, ()


def _read(where: str, entry: str | Mapping[str, Any]) -> tuple[str, Any, dict[str, Any]]:
    """(kind, its value, its options) of an entry, e.g. ``("conv", 80, {"kernel": 2, "bias": True})``."""
    alone = ("flatten", *ACTIVATIONS)
    optional: dict[str, dict[str, Any]] = {"conv": {"kernel": None, "bias": True}, "linear": {"bias": True}}
    if isinstance(entry, str) and entry in alone:
        return entry, None, {}
    kinds = ("conv", "pool", "global_pool", "linear")
    kind = next((kind for kind in kinds if isinstance(entry, Mapping) and kind in entry), None)
    if kind is None or not isinstance(entry, Mapping):
        raise UserError(f"{where} is {entry!r}, which is no layer: give one of {KINDS}.")
    options = optional.get(kind, {})
    unknown = [str(key) for key in entry if key != kind and key not in options]
    if unknown:
        raise UserError(f"{where}, {kind}, has no setting {unknown[0]!r}: give {', '.join([kind, *options])}.")
    found = {**options, **{key: value for key, value in entry.items() if key != kind}}
    if not isinstance(found.get("bias", True), bool):
        raise UserError(f"{where}, {kind}, has bias {found['bias']!r}: give true or false.")
    return kind, entry[kind], found


def _count(where: str, name: str, value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise UserError(f"{where} has {name} {value!r}: give a whole number of at least 1.")
    return value


def _word(where: str, kind: str, value: Any, *words: Any) -> Any:
    if value not in words:
        raise UserError(f"{where}, {kind}, is {value!r}: give {' or '.join(words)}.")
    return value
