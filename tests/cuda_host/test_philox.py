"""philox.cuh against the known answers of Random123 and, bit for bit, against its numba twin."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numba import njit

from lattice_ml.kernels import rng
from lattice_ml.kernels.device import Cpu, Kernel

pytestmark = pytest.mark.cuda_host

FULL = 0xFFFFFFFF
# Random123, tests/kat_vectors, philox4x32 10: counter, key, words.
KNOWN_ANSWERS = [
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((FULL,) * 4, (FULL,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]
words32 = st.integers(0, FULL)
EDGES = np.unique(
    np.concatenate([np.arange(64), 2 ** np.arange(32), 2 ** np.arange(1, 33) - 1, FULL - np.arange(64)])
).astype(np.uint32)


@njit
def blocks(threads, keys, numbers, out):
    for n in range(threads):
        w0, w1, w2, w3 = rng.block(keys[n], numbers[n])
        out[n, 0], out[n, 1], out[n, 2], out[n, 3] = w0, w1, w2, w3


@njit
def variates(threads, words, ends, x, waits, indices, logarithms):
    for n in range(threads):
        waits[n] = rng.exponential(words[n])
        indices[n] = rng.index_below(np.uint64(words[n]), np.uint64(ends[n]))
        logarithms[n] = rng.log32(x[n])


SOURCE = Path(__file__).with_name("variates.cu")
BLOCKS, VARIATES = Kernel(SOURCE, "blocks", blocks), Kernel(SOURCE, "variates", variates)


def words_of(device, keys, numbers):
    out = device.put(np.zeros((len(keys), 4), dtype=np.uint32))
    device.launch(BLOCKS, len(keys), device.put(keys), device.put(numbers), out)
    return device.get(out)


def variates_of(device, words, ends, x):
    """Exponential variates, indices and logarithms as bits."""
    outs = [device.put(np.zeros(words.size, dtype=t)) for t in (np.float32, np.uint32, np.float32)]
    device.launch(VARIATES, words.size, *map(device.put, (words, ends, x)), *outs)
    return np.stack([device.get(out).view(np.uint32) for out in outs])


@pytest.mark.parametrize(("counter", "key", "words"), KNOWN_ANSWERS)
def test_known_answers(device, counter, key, words):
    keys = np.array([[*key, *counter[2:]]], dtype=np.uint32)
    numbers = np.array([counter[0] | counter[1] << 32], dtype=np.uint64)
    for place in (device, Cpu()):
        assert tuple(words_of(place, keys, numbers)[0].tolist()) == words


@settings(max_examples=30, deadline=None)
@given(key=arrays.arrays(np.uint32, 4, elements=words32), first=st.integers(0, 2**64 - 1), count=st.integers(1, 300))
@example(key=np.full(4, FULL, dtype=np.uint32), first=2**32 - 2, count=129)  # carries into the counter's high word
def test_blocks_have_the_bits_of_the_twin(device, key, first, count):
    numbers = np.uint64(first) + np.arange(count, dtype=np.uint64)
    keys = np.tile(key, (count, 1))
    assert np.array_equal(words_of(device, keys, numbers), words_of(Cpu(), keys, numbers))


def test_variates_have_the_bits_of_the_twin(device):
    random = np.random.default_rng(0)
    words = np.concatenate([EDGES, random.integers(0, 2**32, size=20_000, dtype=np.uint32)])
    ends = np.concatenate([EDGES[::-1], random.integers(0, 2**32, size=20_000, dtype=np.uint32)])
    # Every positive normal float there is a chance to meet: mantissas and exponents at random, and the extremes.
    x = random.integers(0x00800000, 0x7F800000, size=words.size, dtype=np.uint32)
    x[:6] = 0x00800000, 0x7F7FFFFF, 0x3F800000, 0x3F7FFFFF, 0x3F3504F3, 0x3F3504F2
    here, there = (variates_of(place, words, ends, x.view(np.float32)) for place in (device, Cpu()))
    for name, ours, twin in zip(("exponential", "index_below", "log32"), here, there, strict=True):
        wrong = np.flatnonzero(ours != twin)
        assert wrong.size == 0, f"{name} of word {words[wrong[0]]}, end {ends[wrong[0]]}, bits {x[wrong[0]]:#x}"


@settings(max_examples=50, deadline=None)
@given(word=words32, end=words32)
def test_one_variate_has_the_bits_of_the_twin(device, word, end):
    words, ends = np.array([word], dtype=np.uint32), np.array([end], dtype=np.uint32)
    x = np.array([(word + 0.5) / 2**32], dtype=np.float32)
    assert np.array_equal(variates_of(device, words, ends, x), variates_of(Cpu(), words, ends, x))
