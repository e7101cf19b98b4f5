"""Theoretical occupancy: the warps that a multiprocessor holds of a kernel, over the warps that it has room for.

A block needs registers, allocated to each of its warps in units of 256 from the register file of one of the four
partitions of a multiprocessor, and shared memory, in units of 128 or 256 bytes. As many blocks are resident as the
scarcest of registers, shared memory, warps and block slots allows.

Source: NVIDIA, CUDA C++ Programming Guide, "Compute Capabilities", table of technical specifications per compute
capability; allocation units and rounding as in cuda_occupancy.h of the CUDA toolkit 13.0.
"""

from typing import NamedTuple

WARP, REGISTERS, PARTITIONS, REGISTER_UNIT, MOST_REGISTERS = 32, 65_536, 4, 256, 255


class Limits(NamedTuple):
    """Of one multiprocessor. Shared memory, in bytes: in all, of one block, the driver's share of it, unit."""

    warps: int
    blocks: int
    shared: int
    shared_of_block: int = 49_152
    reserved: int = 1024
    shared_unit: int = 128


LIMITS = {
    "sm_75": Limits(warps=32, blocks=16, shared=65_536, reserved=0, shared_unit=256),
    "sm_80": Limits(warps=64, blocks=32, shared=167_936),
    "sm_90": Limits(warps=64, blocks=32, shared=233_472),
    "sm_100": Limits(warps=64, blocks=32, shared=233_472),
}


def occupancy(architecture: str, registers: int, block: int, shared: int = 0) -> float:
    """Occupancy, 0 ... 1, of a kernel with so many registers a thread, threads a block and bytes of shared memory.

    0 means that it cannot be launched.
    """
    limits = LIMITS[architecture]
    if registers > MOST_REGISTERS or not 1 <= block <= 1024 or shared > limits.shared_of_block:
        return 0.0
    warps = _up(block, WARP) // WARP
    of_warp = _up(max(registers, 1) * WARP, REGISTER_UNIT)
    if of_warp * _up(warps, PARTITIONS) > REGISTERS:  # a launch is checked as if all partitions had equal shares
        return 0.0
    resident = min(
        limits.blocks,
        limits.warps // warps,
        REGISTERS // PARTITIONS // of_warp * PARTITIONS // warps,
        limits.shared // max(1, _up(shared + limits.reserved, limits.shared_unit)),
    )
    return resident * warps / limits.warps


def _up(number: int, unit: int) -> int:
    return -(-number // unit) * unit
