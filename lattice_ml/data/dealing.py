"""Who gets what: replicas to training, validation and test, rows of a batch to processes, seeds to random streams."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Integer

from lattice_ml.ground.errors import UserError

SHUFFLE, AUGMENT, DEAL, NOISE = range(4)
"""What a random stream of the training is for: the first word of its key. NOISE is what a net draws itself."""


class Share(NamedTuple):
    """Which of how many processes that train one net: each takes its rows of every batch."""

    rank: int = 0
    ranks: int = 1

    def rows(self, count: int) -> slice:
        """Own rows of a batch of ``count``: runs that differ by one row at most, none of it twice."""
        return slice(count * self.rank // self.ranks, count * (self.rank + 1) // self.ranks)


WHOLE = Share()
"""One process trains alone."""


def deal_replicas(replicas: int, shares: Sequence[float], seed: int) -> dict[str, Integer[np.ndarray, " replica"]]:
    """Deal the replica numbers to ``train``, ``val`` and ``test`` in the given shares, at random by the seed.

    Validation and test get the rounded share and at least one replica, training gets the rest: five replicas at
    (0.6, 0.2, 0.2) are dealt 3/1/1. Raises ``UserError`` when a side would be empty.
    """
    if len(shares) != 3 or min(shares) <= 0 or abs(sum(shares) - 1) > 1e-6:
        raise UserError(
            f"split = {list(shares)} is not three positive shares (training, validation, test) that add up to 1: "
            "give e.g. data.split=[0.6,0.2,0.2]."
        )
    val, test = (max(1, round(share * replicas)) for share in shares[1:])
    train = replicas - val - test
    if train < 1:
        raise UserError(
            f"{replicas} replica(s) cannot be split {'/'.join(f'{share:g}' for share in shares)} into training, "
            "validation and test without an empty side: give at least three, e.g. ensemble.replicas=5."
        )
    order = np.random.default_rng(stream_seed(seed, DEAL)).permutation(replicas)
    train_side, val_side, test_side = np.split(order, [train, train + val])
    return {"train": np.sort(train_side), "val": np.sort(val_side), "test": np.sort(test_side)}


def stream_seed(seed: int, *key: int) -> int:
    """A 63-bit seed that is a function of (seed, key) and unrelated to that of any other key."""
    return int(np.random.SeedSequence(seed, spawn_key=key).generate_state(1, np.uint64)[0] >> np.uint64(1))
