"""The float64 arithmetic of flip_chain.cuh is rounded as the CPU rounds it."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit

from lattice_ml.kernels.device import Kernel
from lattice_ml.systems.active_ising.flip_chain import FlipRates, log64

pytestmark = pytest.mark.cuda_host

SOURCE = Path(__file__).with_name("flip_chain.cu")
QUOTIENTS, LOGARITHMS = Kernel(SOURCE, "quotients", twin=print), Kernel(SOURCE, "logarithms", twin=print)
MANTISSA = 2**52


@njit
def logarithms(x):
    return np.array([log64(value) for value in x])


def computed(device, kernel, *arrays):
    out = device.put(np.zeros_like(arrays[0]))
    device.launch(kernel, out.size, *map(device.put, arrays), out)
    return device.get(out)


def assert_same_bits(ours, expected, *arguments):
    wrong = np.flatnonzero(ours.view(np.uint64) != expected.view(np.uint64))
    given = [float(array[wrong[0]]).hex() for array in arguments] if wrong.size else []
    assert wrong.size == 0, f"{wrong.size} differ, the first at {given}: {ours[wrong[0]]}, not {expected[wrong[0]]}"


def doubles(random, count, exponents):
    """Mantissas at random, every fourth next to an end of its range, where rounding is hard."""
    mantissa = random.integers(0, MANTISSA, size=count, dtype=np.uint64)
    mantissa[::8] = random.integers(0, 64, size=mantissa[::8].size, dtype=np.uint64)
    mantissa[1::8] = MANTISSA - 1 - random.integers(0, 64, size=mantissa[1::8].size, dtype=np.uint64)
    exponent = random.integers(*exponents, size=count, dtype=np.int64).astype(np.uint64)
    return random.permutation((exponent << np.uint64(52) | mantissa).view(np.float64))


def test_quotients_are_correctly_rounded(device):
    random = np.random.default_rng(0)
    a, b = (doubles(random, 200_000, (1023 - 100, 1023 + 100)) for _ in range(2))
    a[:100], a[100:200] = 0.0, b[100:200]
    # Markstein's theorem says nothing of a denominator with all bits set, and 2^n / (2 - 2^-52) is indeed one unit off.
    b[b.view(np.uint64) % MANTISSA == MANTISSA - 1] = 1.0
    assert_same_bits(computed(device, QUOTIENTS, a, b), a / b, a, b)


@settings(max_examples=200, deadline=None)
@given(q=st.integers(2**53, 2**54 - 1), b=st.integers(2**52, 2**53 - 2), off=st.integers(-2, 2))
def test_quotients_half_way_between_two_numbers(device, q, b, off):
    """The numerator next to (an odd multiple of half a unit of the quotient) times b: the hardest case."""
    a = np.array([float((q | 1) * b + off * 2**52)])
    assert_same_bits(computed(device, QUOTIENTS, a, np.array([float(b)])), a / float(b), a)


def test_logarithms_have_the_bits_of_the_twin(device):
    """Of what is left to 1 by a uniform of ``advance``, an odd multiple of 2^-49 or 2^-33; 1 itself gives -0 for 0."""
    random = np.random.default_rng(1)
    words, heads = (random.integers(0, 2**bits, size=100_000, dtype=np.uint64) for bits in (32, 16))
    words[:8], heads[:4], heads[4:8] = [0, 1, 2, 2**32 - 1] * 2, 0, 2**16 - 1
    fresh = (words + 0.5) * 2.0**-32
    x = 1.0 - np.concatenate([fresh, heads * 2.0**-16 + fresh * 2.0**-16])
    assert_same_bits(computed(device, LOGARITHMS, x), logarithms(x), x)


@pytest.mark.parametrize("temperature", np.geomspace(0.008, 0.02, 7))
def test_tables_hold_no_denormal_floats(temperature):
    """Which a GPU takes for 0, for CuPy compiles with -ftz=true: a trial would be drawn on the CPU alone."""
    quick = FlipRates.at(float(temperature), 6).quick
    assert np.all((quick == 0) | (quick >= np.finfo(np.float32).tiny))
