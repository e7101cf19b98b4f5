"""How much of the lattice one number inside a net can see."""

from __future__ import annotations

from collections.abc import Sequence

Window = tuple[int, int]
"""(kernel, stride) of a convolution or a pool along each axis."""


def receptive_field(windows: Sequence[Window]) -> int:
    """Sites along an axis that an output of these layers depends on, 1 + sum_i (kernel_i - 1) prod_{j<i} stride_j.

    Source: A. Araujo, W. Norris & J. Sim, "Computing receptive fields of convolutional neural networks", Distill
    (2019), eq. (2).
    """
    size, jump = 1, 1
    for kernel, stride in windows:
        size += (kernel - 1) * jump
        jump *= stride
    return size
