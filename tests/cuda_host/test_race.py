"""The race detectors find planted races and pass what is right."""

from pathlib import Path

import numpy as np
import pytest
from cuda_host.host import CudaHost, RaceError, assert_order_does_not_matter

from lattice_ml.kernels.device import Kernel
from lattice_ml.kernels.domains import cut

pytestmark = pytest.mark.cuda_host

EXTENTS = (7, 10)


def planted(name):
    return Kernel(Path(__file__).with_name("planted.cu"), name, twin=print, block=32)


def relax(device, members):
    """Three sweeps, one launch for each row of members."""
    field = device.put(np.arange(EXTENTS[0] * EXTENTS[1], dtype=np.uint32).reshape(EXTENTS))
    for row in [*members] * 3:
        device.launch(planted("relax"), row.size, device.put(row), *map(np.uint32, EXTENTS), field)
    return device.get(field)


def every_site(device):
    return relax(device, np.arange(EXTENTS[0] * EXTENTS[1], dtype=np.uint32)[None])


def colour_by_colour(device):
    return relax(device, cut(EXTENTS, (1, 1)).members)


def count(device, kernel):
    counts = device.put(np.zeros(5, dtype=np.uint32))
    box = np.random.default_rng(0).integers(0, 5, size=1000, dtype=np.uint32)
    device.launch(planted(kernel), box.size, device.put(box), counts)
    return device.get(counts)


def enqueue(device):
    places = device.put(np.zeros(100, dtype=np.uint32))
    device.launch(planted("queue"), 100, device.put(np.zeros(1, dtype=np.uint32)), places)
    return device.get(places)


def test_neighbours_updated_at_the_same_time(builds):
    with pytest.raises(AssertionError, match="another result"):
        assert_order_does_not_matter(builds, every_site)
    with pytest.raises(RaceError, match=r"thread \d+ writes and thread \d+ reads|reads and thread \d+ writes"):
        every_site(CudaHost(builds, build="races"))


def test_colours_updated_one_after_another(builds):
    assert len(cut(EXTENTS, (1, 1)).members) == 3
    assert_order_does_not_matter(builds, colour_by_colour)


def test_lost_update(builds):
    """Every serial order counts right, so it takes the race detector."""
    results = [count(CudaHost(builds, order), "tally").tolist() for order in ("forward", "reverse", "shuffled")]
    assert results[0] == results[1] == results[2]
    with pytest.raises(
        RaceError, match=r"tally: .* byte \d+ of writable array 0 \(the writable ones are arguments \[2"
    ):
        assert_order_does_not_matter(builds, lambda device: count(device, "tally"))


def test_updates_by_atomics(builds):
    counts = assert_order_does_not_matter(builds, lambda device: count(device, "tally_by_atomics"))
    assert counts.sum() == 1000


def test_every_atomic(builds):
    """From the first of some numbers on, the others are added, or-ed, ... to it."""
    random, changes = (
        np.random.default_rng(0),
        (np.add, np.bitwise_or, np.bitwise_and, np.bitwise_xor, np.fmax, np.fmin),
    )
    x, y = (random.integers(0, 2**bits, size=101, dtype=f"u{bits // 8}") for bits in (32, 64))
    y[:] |= np.uint64(2**63)

    def run(device):
        outs = [device.put(np.repeat(numbers[0], len(changes))) for numbers in (x, y)]
        device.launch(planted("atomics"), 100, device.put(x[1:]), device.put(y[1:]), *outs)
        return np.concatenate([device.get(out).astype(np.uint64) for out in outs])

    expected = [change.reduce(numbers, dtype=numbers.dtype) for numbers in (x, y) for change in changes]
    assert assert_order_does_not_matter(builds, run).tolist() == [int(number) for number in expected]


def test_first_come_first_served(builds):
    """No byte is fought for, so it takes another order of threads."""
    enqueue(CudaHost(builds, "shuffled", build="races"))
    with pytest.raises(AssertionError, match="another result"):
        assert_order_does_not_matter(builds, enqueue)
