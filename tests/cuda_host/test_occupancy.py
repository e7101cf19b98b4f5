"""Occupancy against values of NVIDIA's own calculator, cuda_occupancy.h of the CUDA toolkit 13.0."""

import pytest
from cuda_host.occupancy import occupancy

pytestmark = pytest.mark.cuda_host


@pytest.mark.parametrize(
    ("architecture", "registers", "block", "shared", "warps"),
    [
        ("sm_75", 64, 128, 0, 32),  # the register file, 64 x 1024, is just full
        ("sm_75", 65, 128, 0, 28),  # 72 registers by units of 256 a warp: 7 warps a partition
        ("sm_75", 128, 128, 0, 16),
        ("sm_75", 16, 32, 0, 16),  # 16 block slots
        ("sm_75", 32, 128, 20_000, 12),  # 3 blocks of 20,224 bytes in 64 KiB
        ("sm_80", 32, 128, 0, 64),
        ("sm_80", 33, 128, 0, 48),
        ("sm_80", 64, 128, 0, 32),
        ("sm_80", 65, 128, 0, 28),
        ("sm_80", 122, 128, 0, 16),
        ("sm_80", 32, 96, 0, 63),  # 21 blocks of 3 warps
        ("sm_80", 32, 32, 0, 32),  # 32 block slots
        ("sm_80", 32, 128, 40_000, 16),  # 4 blocks of 41,088 bytes, 1 KiB of them the driver's
        ("sm_90", 32, 128, 40_000, 20),  # 5 of them in 228 KiB
        ("sm_90", 255, 256, 0, 8),
        ("sm_90", 255, 512, 0, 0),  # needs more than the register file
        ("sm_100", 40, 1024, 0, 32),
        ("sm_100", 65, 1024, 0, 0),
        ("sm_100", 32, 128, 49_153, 0),
    ],
)
def test_known_values(architecture, registers, block, shared, warps):
    of = 32 if architecture == "sm_75" else 64
    assert occupancy(architecture, registers, block, shared) == warps / of
