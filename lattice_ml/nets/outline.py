"""What a net does, step by step, as the net itself says: operations, shapes of their results, parameters.

The net runs once on PyTorch's ``meta`` device, where tensors have shapes and no numbers, and every function of torch
that it calls is noted, whether a module called it or a line of ``forward``. Hooks on modules would miss the second
kind. A parameter belongs to the step that takes it first.
"""

from __future__ import annotations

import copy
import math
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

ACTIVATIONS = frozenset({"relu", "leaky_relu", "gelu", "silu", "elu", "tanh", "sigmoid", "softmax", "softplus"})
STEPS = frozenset(
    {"conv1d", "conv2d", "conv3d", "linear", "batch_norm", "layer_norm", "group_norm", "embedding", "flatten"}
    | {"max_pool1d", "max_pool2d", "avg_pool2d", "adaptive_avg_pool2d", "adaptive_max_pool2d", "conv_transpose2d"}
    | {"mean", "sum", "amax"}
)
"""Functions that are steps of their own; the rest (reshaping, padding, scaling) is not told."""


class Step(NamedTuple):
    """operation: in words. shape: of its result, without the batch. parameters: those that it is the first to take.
    activations: functions applied to its result before the next step."""

    operation: str
    shape: tuple[int, ...]
    parameters: int
    activations: tuple[str, ...] = ()


class _Notes(TorchFunctionMode):
    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.steps: list[Step] = []
        self.left = {id(parameter): parameter.numel() for parameter in net.parameters()}

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        name = getattr(func, "__name__", "").removeprefix("_")
        tensors = [one for one in (*args, *(kwargs or {}).values()) if isinstance(one, Tensor)]
        if isinstance(result, Tensor) and name in STEPS and result.ndim:
            taken = sum(self.left.pop(id(one), 0) for one in tensors)
            self.steps.append(Step(worded(name, args, kwargs or {}), tuple(result.shape[1:]), taken))
        elif isinstance(result, Tensor) and name in ACTIVATIONS and self.steps:
            self.steps[-1] = self.steps[-1]._replace(activations=(*self.steps[-1].activations, name))
        return result


def outline(net: nn.Module, in_channels: int, extents: tuple[int, int]) -> list[Step]:
    """The steps of a net on one configuration ``[1, channel, x, y]``, the input first.

    Raises ``ValueError`` if there are parameters that no step took, so that the sum is that of the net: a net that
    transforms its weights before it uses them must be given as what it computes.
    """
    shadow = copy.deepcopy(net).to("meta").eval()
    notes = _Notes(shadow)
    with torch.no_grad(), notes:
        shadow(torch.empty((1, in_channels, *extents), device="meta"))
    if notes.left:
        raise ValueError(f"{sum(notes.left.values())} parameters of {type(net).__name__} are in none of its steps")
    return [Step("input", (in_channels, *extents), 0), *notes.steps]


def worded(name: str, args: Any, kwargs: dict[str, Any]) -> str:
    """An operation in words: ``convolution 5 × 5``, ``max pool 3 × 3``, ``dense``."""
    weight = kwargs.get("weight", args[1] if len(args) > 1 else None)
    if name.startswith("conv") and isinstance(weight, Tensor):
        return f"convolution {_times(weight.shape[2:])}"
    if name == "linear":
        return "dense"
    if "pool" in name:
        size = kwargs.get("kernel_size", kwargs.get("output_size", weight))
        kind = name[: name.index("pool")].replace("_", " ").strip()
        return f"{kind} pool {_size(size)}"
    return {"amax": "global max", "mean": "mean", "sum": "sum"}.get(name, name.replace("_", " "))


def _size(size: Any) -> str:
    return _times((size, size) if isinstance(size, int) else tuple(size or ()))


def _times(extents: Any) -> str:
    return " × ".join(str(extent) for extent in extents)


def total(steps: list[Step]) -> int:
    """Parameters of all steps."""
    return sum(step.parameters for step in steps)


def units(step: Step) -> int:
    """Numbers that a step hands on."""
    return math.prod(step.shape)
