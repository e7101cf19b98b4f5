"""Counter-based random numbers: Philox4x32-10 streams.

A block of four uint32 words is a pure function of a key (seed, replica) and a counter (block number low, block
number high, point key, stream): nothing has to be stored or handed from thread to thread, and any word can be
drawn again. Source: Salmon, Moraes, Dror & Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC11 (2011);
the known answers of their library Random123 are in the tests.

Exponential variates are made with our own float32 logarithm, which uses +, -, × and bit operations only, each
correctly rounded and never contracted to a fused multiply-add, so that a CUDA twin (``-fmad=false``) has the same bits.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from lattice_ml.ground.errors import UserError

START, HOPS, FLIPS, PICKS, PICK_TIMES, SWEEPS, DOMAIN_HOPS, DOMAIN_FLIPS = range(8)
WORMS, LINKS, PLAQUETTES, LINES, OPENINGS = range(8, 13)
"""Stream numbers: start states; hop events and spin flips of the event-driven update; particle picks of the
random-sequential update and their times; sweeps of the Ising checkerboard; hop events and spin flips of a domain, whose
number goes above the lowest eight bits (see ``sublattice``); worms, unconstrained links, plaquettes and straight lines
of the flux form, and the worms that are left open."""

M0, M1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
W0, W1 = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)
LOW = np.uint64(0xFFFFFFFF)
S32 = np.uint64(32)


def stream_key(seed: int, replica: int, point_key: int, stream: int) -> np.ndarray:
    """Key and upper counter words of one stream, uint32 ``[4]``: (seed, replica, point key, stream).

    Raises ``UserError`` unless 0 <= seed, replica < 2^32.
    """
    for name, value in (("seed", seed), ("replica", replica)):
        if not 0 <= value < 2**32:
            raise UserError(f"{name} = {value} is out of range: give a whole number from 0 to 4294967295.")
    return np.array([seed, replica, point_key, stream], dtype=np.uint32)


def stream_keys(seed: int, lanes: Iterable[tuple[int, int]], stream: int) -> np.ndarray:
    """``stream_key`` of one stream for every (replica, point key), uint32 ``[lane, 4]``."""
    return np.stack([stream_key(seed, replica, point_key, stream) for replica, point_key in lanes])


@njit(inline="always")
def philox(c0, c1, c2, c3, k0, k1):
    """One Philox4x32-10 block: counter words c0..c3 and key words k0, k1 -> four words.

    All are uint64 holding 32-bit values: a product of two is then one machine multiplication.
    """
    for _ in range(10):
        p0 = M0 * (c0 & LOW)
        p1 = M1 * (c2 & LOW)
        c0 = (p1 >> S32) ^ c1 ^ k0
        c2 = (p0 >> S32) ^ c3 ^ k1
        c1 = p1 & LOW
        c3 = p0 & LOW
        k0 = (k0 + W0) & LOW
        k1 = (k1 + W1) & LOW
    return c0, c1, c2, c3


@njit(inline="always")
def block(key, number):
    """Block ``number`` (uint64) of the stream ``key`` (see ``stream_key``): four uint64 holding 32-bit words."""
    return philox(
        number & LOW, number >> S32, np.uint64(key[2]), np.uint64(key[3]), np.uint64(key[0]), np.uint64(key[1])
    )


@njit(nogil=True, error_model="numpy")
def fill_words(key, first, words):
    """Blocks ``first``, ``first + 1``, ... of a stream into uint32 ``words`` ``[block, 4]``."""
    for n in range(words.shape[0]):
        w0, w1, w2, w3 = block(key, np.uint64(first) + np.uint64(n))
        words[n, 0], words[n, 1] = np.uint32(w0), np.uint32(w1)
        words[n, 2], words[n, 3] = np.uint32(w2), np.uint32(w3)


def uniforms(key: np.ndarray, first: int, count: int) -> np.ndarray:
    """Uniform variates in [0, 1) with 52 bits, float64 ``[count]``: two to a block, from block ``first`` on."""
    words = np.empty(((count + 1) // 2, 4), dtype=np.uint32)
    fill_words(key, first, words)
    pairs = words.reshape(-1, 2)[:count].astype(np.uint64)
    return ((pairs[:, 0] << np.uint64(20)) | (pairs[:, 1] >> np.uint64(12))) * 2.0**-52


@intrinsic
def bits_of(typingctx, x):
    """The bits of a float32 as int32."""
    return types.int32(types.float32), lambda cg, b, sig, args: b.bitcast(args[0], ir.IntType(32))


@intrinsic
def float_of(typingctx, i):
    """The float32 that has the bits of an int32."""
    return types.float32(types.int32), lambda cg, b, sig, args: b.bitcast(args[0], ir.FloatType())


SQRT_HALF = np.int32(0x3F3504F3)  # the bits of sqrt(1/2): mantissas are taken from [sqrt(1/2), sqrt(2))
MANTISSA = np.int32(0x007FFFFF)
LN2_HIGH, LN2_LOW = np.float32(0.693359375), np.float32(-2.12194440e-4)
# Minimax polynomial of (log(1 + r) - r + r²/2) / r³ on that interval: S. L. Moshier, Cephes library, logf.
L0, L1, L2 = np.float32(7.0376836292e-2), np.float32(-1.1514610310e-1), np.float32(1.1676998740e-1)
L3, L4, L5 = np.float32(-1.2420140846e-1), np.float32(1.4249322787e-1), np.float32(-1.6668057665e-1)
L6, L7, L8 = np.float32(2.0000714765e-1), np.float32(-2.4999993993e-1), np.float32(3.3333331174e-1)
ONE, HALF = np.float32(1.0), np.float32(0.5)
TO_UNIT, HALF_WORD = np.float32(2.0**-32), np.float32(2.0**-33)


@njit(inline="always")
def log32(x):
    """Natural logarithm of a normal float32 x > 0 (absolute error below 1e-7 near 1, relative elsewhere)."""
    i = np.int32(bits_of(x) - SQRT_HALF)  # pyright: ignore[reportCallIssue]
    e = np.float32(np.int32(i >> 23))
    r = np.float32(float_of(np.int32(np.int32(i & MANTISSA) + SQRT_HALF)) - ONE)
    z = r * r
    p = ((((((((L0 * r + L1) * r + L2) * r + L3) * r + L4) * r + L5) * r + L6) * r + L7) * r + L8) * r * z
    p = p + e * LN2_LOW
    p = p - HALF * z
    return (r + p) + e * LN2_HIGH


@njit(inline="always")
def exponential(word):
    """Exponential variate of mean 1, float32, from a 32-bit word: -log((word + 1/2) / 2^32)."""
    return -log32(np.float32(np.uint32(word)) * TO_UNIT + HALF_WORD)


@njit(inline="always")
def index_below(word, n):
    """A uniform index 0 .. n - 1 from a 32-bit word: the high half of word × n (both uint64)."""
    return (word * n) >> S32
