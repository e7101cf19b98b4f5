"""The flips of one site between two hops: a birth-death chain of its counts at fixed occupation.

At fixed rho = n+ + n- the counts of a site jump

    n+ -> n+ - 1 at n+ exp(-beta m / rho),      n+ -> n+ + 1 at n- exp(+beta m / rho),      m = n+ - n-,

with the stationary law P(n+ | rho) ∝ C(rho, n+) exp(beta m² / (2 rho)). ``advance`` follows it for a given time by
Gillespie's algorithm, exactly. Most chains do not jump in the short time between two hops, which few random bits tell:
if R is the total rate and tau the time, 1 - exp(-R tau) <= R tau, so a uniform v >= R tau means no jump. Only otherwise
are more bits of v drawn and compared with 1 - exp(-R tau) itself.

Source: Solon & Tailleur, PRE 92, 042119 (2015), Sec. II (rates); Gillespie, J. Phys. Chem. 81, 2340 (1977) (algorithm).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import UInt16, UInt64
from numba import njit

from lattice_ml.ground.errors import UserError
from lattice_ml.kernels import rng

if TYPE_CHECKING:
    from lattice_ml.kernels.device import Device

TICKS = 2**29
"""Ticks per unit of time."""

SMALLEST = np.finfo(np.float32).tiny

FLIP_BATCH = 256
"""Blocks of the flip stream drawn at once, two trials each."""

HELD, ALL_NEW = 2.0**-16, 1.0
"""Scale of a chain's first uniform: 16 of its bits in hand, or none."""

U0, U1, U16, U32, LOW16, LOW32 = (np.uint64(v) for v in (0, 1, 16, 32, 0xFFFF, 0xFFFFFFFF))
HALF, THREE_QUARTERS = np.uint64(2**31), np.uint64(3 * 2**30)
PLUS_ONE, MINUS_ONE = U1, np.uint64(1 << 16)
LAST_TRIAL, LAST_BLOCK = np.uint64(2 * FLIP_BATCH - 1), np.uint64(FLIP_BATCH - 1)


@dataclass(frozen=True)
class FlipRates:
    """The flip chain's rates for n+, n- < 2^bits, indexed by n+ | n- << bits.

    quick: float32, 2^16 times the total rate per tick, rounded up; infinite where n+ + n- >= 2^bits - 1, which sends
    an event that meets such a site to the careful path before the site can outgrow the table.
    rate: float64, the total rate per tick. plus: threshold of the probability that a + particle flips; a uint64, since
    certainty is 2^32: a word of 2^32 - 1 must not flip a particle that is not there.
    """

    bits: int
    quick: np.ndarray
    rate: np.ndarray
    plus: np.ndarray

    @classmethod
    def at(cls, temperature: float, bits: int) -> FlipRates:
        """Tables at one temperature. Raises ``UserError`` beyond 2,046 particles on a site."""
        if bits > 11:
            raise UserError("more than 2046 particles gathered on one site: give a lower rho0 or a higher T.")
        plus, minus = np.arange(2**bits, dtype=np.float64), np.arange(2**bits, dtype=np.float64)[:, None]
        tilt = np.clip((plus - minus) / np.maximum(plus + minus, 1) / temperature, -600, 600)  # exp stays finite
        down, up = plus * np.exp(-tilt), minus * np.exp(tilt)
        rate = (down + up) / TICKS
        quick = np.minimum(rate * 2.0**16 * (1 + 2.0**-21), 1e38).astype(np.float32)
        # CuPy has kernels compiled so that they take subnormal numbers for zero: there are none.
        quick[(rate > 0) & (quick < SMALLEST)] = SMALLEST
        quick[plus + minus >= 2**bits - 1] = np.inf
        share = np.divide(down, down + up, out=np.zeros_like(down), where=rate > 0)
        threshold = np.rint(share * 2.0**32).astype(np.uint64)
        return cls(bits, quick.ravel(), rate.ravel(), threshold.ravel())


class RateTables:
    """The ``FlipRates`` of many trajectories, end to end on a device; those of one temperature and size share them.

    first, bits: uint64 ``[lane]``, where a lane's tables begin and how large they are. quick, rate, plus: the tables.
    """

    def __init__(self, temperatures: Sequence[float], bits: np.ndarray, device: Device) -> None:
        self._temperatures, self._bits, self._device = list(temperatures), bits.astype(np.uint64), device
        self._known: dict[tuple[float, int], FlipRates] = {}
        self._build()

    @classmethod
    def holding(cls, temperatures: Sequence[float], most: np.ndarray, device: Device) -> RateTables:
        """Tables for sites that hold up to ``most`` particles, ``[lane]``, and some room above."""
        return cls(temperatures, np.maximum(6, np.ceil(np.log2(most + 1.0))), device)

    def grow(self, lanes: np.ndarray) -> None:
        """Double the counts that the tables of these lanes (bool ``[lane]``) reach. Raises ``UserError`` at 2,046."""
        self._bits = self._bits + lanes.astype(np.uint64)
        self._build()

    def _build(self) -> None:
        keys = [(t, int(bits)) for t, bits in zip(self._temperatures, self._bits, strict=True)]
        tables = {key: self._known.get(key) or FlipRates.at(*key) for key in keys}
        ends = dict(zip(tables, np.cumsum([table.rate.size for table in tables.values()]), strict=True))
        put = self._device.put
        self._known = tables
        self.first = put(np.array([ends[key] - tables[key].rate.size for key in keys], dtype=np.uint64))
        self.bits = put(self._bits)
        self.quick = put(np.concatenate([table.quick for table in tables.values()]))
        self.rate = put(np.concatenate([table.rate for table in tables.values()]))
        self.plus = put(np.concatenate([table.plus for table in tables.values()]))


@njit(forceinline=True)
def log64(x):
    """Natural logarithm of 0 < x <= 1, float64, relative error below 1e-10: log x = 2 artanh((x - 1)/(x + 1))."""
    e = 0.0
    while x < 0.7071067811865476:
        x = x * 2.0
        e += 1.0
    r = (x - 1.0) / (x + 1.0)
    z = r * r
    w = z * z
    p = (1.0 / 3.0 + z * (1.0 / 5.0)) + w * ((1.0 / 7.0 + z * (1.0 / 9.0)) + w * (1.0 / 11.0 + z * (1.0 / 13.0)))
    return 2.0 * (r + r * z * p) - e * 0.6931471805599453


@njit(forceinline=True, error_model="numpy")
def flip_batch(flip_key, trials):
    """The batch of flip-stream blocks that holds trial ``trials[0]``, uint32 ``[FLIP_BATCH, 4]``."""
    words = np.empty((FLIP_BATCH, 4), np.uint32)
    rng.fill_words(flip_key, (trials[0] >> U1) & ~LAST_BLOCK, words)
    return words


@njit(forceinline=True, error_model="numpy")
def advance(counts, age, lead, scale, bits, rate, plus_share, trials, flip_key, words):
    """Advance one site's chain by ``age`` ticks and return its counts, n+ | n- << 16 (uint64).

    The uniform of the first trial is (lead + fresh) × scale: ``lead`` 16 bits that the caller holds and scale 2^-16,
    or none, 0 and 1. bits, rate, plus_share: the tables of ``FlipRates``. Trial t (uint64 ``trials[0]``) takes two
    words of block t / 2 of the stream ``flip_key``, whose current batch is ``words``.

    The last jump came -log(1 - v) / R after the one before, within x / R: at least v / R after, so that at most
    (x - v) / R is left. The logarithm is taken only where that bound, or x - x²/2 <= 1 - exp(-x) <= x, leave it open.
    """
    x, v, total = np.float64(np.int64(age)), 0.0, 1.0
    while True:
        index = (counts & LOW16) + ((counts >> U16) << bits)
        after = rate[index]
        if lead * scale * total >= (x - v) * after:
            return counts
        trial = trials[0]
        if trial & LAST_TRIAL == U0:
            rng.fill_words(flip_key, trial >> U1, words)
        trials[0] = trial + U1
        row, column = (trial >> U1) & LAST_BLOCK, (trial & U1) << U1
        u = (lead + (np.float64(words[row, column]) + 0.5) * 2.0**-32) * scale
        if u * total >= (x - v) * after:
            return counts
        if v > 0.0:
            x = x + log64(1.0 - v)
        x = x / total * after
        v, total = u, after
        if v >= x - 0.5 * x * x and (v >= x or -log64(1.0 - v) >= x):
            return counts
        if np.uint64(words[row, column + U1]) < plus_share[index]:
            counts += MINUS_ONE - PLUS_ONE
        else:
            counts += PLUS_ONE - MINUS_ONE
        lead, scale = 0.0, 1.0


@njit(forceinline=True, error_model="numpy")
def hop(choice, plus, rho, right):
    """Spin and direction of a hop from a site with ``plus`` of ``rho``: (is plus, direction 0 .. 3).

    The high half of choice × rho picks one of the rho particles, the low half is a fresh uniform for the direction.
    right: thresholds of a step to the right for a minus and a plus particle.
    """
    x = choice * rho
    is_plus = (x >> U32) < plus
    turn = x & LOW32
    beyond_right = np.uint64(turn >= (right[1] if is_plus else right[0]))
    return is_plus, beyond_right + np.uint64(turn >= HALF) + np.uint64(turn >= THREE_QUARTERS)


@njit(forceinline=True, error_model="numpy")
def quiet(counts, age, head, bits, quick):
    """Whether 16 bits suffice to tell that the chain of a site did not flip in ``age`` ticks."""
    rate = quick[(counts & LOW16) + (((counts >> U16) & LOW16) << bits)]
    return np.float32(np.int32(head)) >= rate * np.float32(np.int64(age))  # an age is at most 2^31


def right_thresholds(eps: float) -> UInt64[np.ndarray, " spin"]:
    """Thresholds of a step to the right, (1 ± eps)/4, for a minus and a plus particle; certainty would be 2^32."""
    return np.array([min(round((1 + s * eps) / 4 * 2**32), 2**32) for s in (-1, 1)], dtype=np.uint64)


def unpack(record: np.ndarray, extents: tuple[int, int]) -> UInt16[np.ndarray, "lane species x y"]:
    """n+ and n- of records ``[lane, site]``, n+ | n- << 16 | stamp << 32, on their device."""
    planes = np.stack((record & LOW16, (record >> U16) & LOW16), axis=1)
    return planes.astype(np.uint16).reshape(len(record), 2, *extents)
