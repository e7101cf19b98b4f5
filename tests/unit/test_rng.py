"""Philox streams: known answers, scalar and vectorised twins, variates."""

import numpy as np
import pytest
from numba import njit

from lattice_ml.ground.errors import UserError
from lattice_ml.kernels import rng

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


def philox_in_integers(counter, key):
    """Philox4x32-10 as the paper writes it, in Python's whole numbers."""
    (c0, c1, c2, c3), (k0, k1) = counter, key
    for _ in range(10):
        p0, p1 = 0xD2511F53 * c0, 0xCD9E8D57 * c2
        c0, c1, c2, c3 = (p1 >> 32) ^ c1 ^ k0, p1 & FULL, (p0 >> 32) ^ c3 ^ k1, p0 & FULL
        k0, k1 = (k0 + 0x9E3779B9) & FULL, (k1 + 0xBB67AE85) & FULL
    return c0, c1, c2, c3


@pytest.mark.parametrize(("counter", "key", "words"), KNOWN_ANSWERS)
def test_known_answers(counter, key, words):
    first = np.uint64(counter[0] | counter[1] << 32)
    stream = np.array([key[0], key[1], counter[2], counter[3]], dtype=np.uint32)
    filled = np.empty((1, 4), dtype=np.uint32)
    rng.fill_words(stream, first, filled)
    assert tuple(filled[0].tolist()) == words
    assert philox_in_integers(counter, key) == words


def test_batches_agree_with_single_blocks():
    stream = rng.stream_key(seed=5, replica=6, point_key=7, stream=rng.HOPS)
    first = 2**32 - 10  # the block number carries into its high word on the way
    words = np.empty((37, 4), dtype=np.uint32)
    rng.fill_words(stream, np.uint64(first), words)
    for n, row in enumerate(words.tolist()):
        number = first + n
        assert tuple(row) == philox_in_integers((number & FULL, number >> 32, 7, rng.HOPS), (5, 6))


@pytest.mark.parametrize("changed", ["seed", "replica", "point_key", "stream"])
def test_every_part_of_the_key_counts(changed):
    parts = {"seed": 1, "replica": 2, "point_key": 3, "stream": 4}
    one = rng.uniforms(rng.stream_key(**parts), 0, 16)
    other = rng.uniforms(rng.stream_key(**(parts | {changed: 9})), 0, 16)
    assert not np.any(one == other)


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_seed_out_of_range(seed):
    with pytest.raises(UserError, match=f"seed = {seed}"):
        rng.stream_key(seed, 0, 0, 0)


def test_uniforms_do_not_depend_on_how_many_are_drawn():
    stream = rng.stream_key(1, 2, 3, 4)
    many = rng.uniforms(stream, 0, 100)
    assert np.array_equal(many[:7], rng.uniforms(stream, 0, 7))
    assert np.array_equal(many[10:], rng.uniforms(stream, 5, 90))
    assert many.min() >= 0
    assert many.max() < 1


@njit
def exponentials(words, out):
    for n in range(words.size):
        out[n] = rng.exponential(words[n])


def test_exponential_is_minus_the_logarithm():
    words = np.concatenate(
        [np.arange(1000), 2 ** np.arange(32), 2**32 - 1 - np.arange(1000), np.arange(0, 2**32, 999_983)]
    ).astype(np.uint32)
    out = np.empty(words.size, dtype=np.float32)
    exponentials(words, out)
    # float32 of a word near 2^32 is off by up to 2^-25 of it, and the logarithm adds its own 1e-7.
    exact = -np.log((words + 0.5) / 2.0**32)
    assert np.all(np.abs(out - exact) < 1.5e-7 + 1.5e-7 * exact)
    assert out.min() >= 0


@pytest.mark.statistical
def test_exponential_moments():
    words = np.empty((50_000, 4), dtype=np.uint32)
    rng.fill_words(rng.stream_key(1, 2, 3, 4), np.uint64(0), words)
    out = np.empty(words.size, dtype=np.float32)
    exponentials(words.ravel(), out)
    variates = out.astype(np.float64)
    # The k-th moment of an exponential variate is k!, its variance (2k)! - k!².
    for k, moment, variance in ((1, 1, 1), (2, 2, 20), (3, 6, 684)):
        assert abs(np.mean(variates**k) - moment) < 4 * np.sqrt(variance / variates.size)


@pytest.mark.statistical
@pytest.mark.parametrize("stream", range(5))
def test_words_are_uniform(stream):
    words = np.empty((16_384, 4), dtype=np.uint32)
    rng.fill_words(rng.stream_key(1, 2, 3, stream), np.uint64(0), words)
    counts = np.bincount(words.ravel() >> np.uint32(24), minlength=256)
    chi2 = np.sum((counts - 256.0) ** 2 / 256)
    assert abs(chi2 - 255) < 4 * np.sqrt(2 * 255)
