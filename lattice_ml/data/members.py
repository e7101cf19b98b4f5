"""Batches for several nets that train at once: the configurations lie on the device, each member has its own order.

Training set and shuffle of member m are functions of (seed, m), and (seed, m, epoch): a member sees the same whether it
trains alone or with others, and a run that resumes sees what the uninterrupted one does.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import lightning as L
import numpy as np
import torch
from jaxtyping import Float, Float32, Int64, Integer
from torch import Tensor

from lattice_ml.data.dealing import AUGMENT, DEAL, SHUFFLE, stream_seed
from lattice_ml.data.resident import Augment
from lattice_ml.ground.errors import UserError
from lattice_ml.systems.base import System

SUBSET = 5
"""The first word of the key of the stream that chooses a member's training set (the others: ``data/dealing.py``)."""

Batch = tuple[Float32[Tensor, "*member batch channel x y"], Float32[Tensor, "*member batch output"]]


class MemberIndex(NamedTuple):
    """A batch on its way to the device: which configurations, for each member or all, and the seeds that move them."""

    index: Int64[Tensor, "*member batch"]
    streams: tuple[int, ...] = ()


class MemberBatches:
    """Every member's training set ``index[member]``, in its own order in every epoch; the last batch may be short."""

    def __init__(
        self, index: Int64[Tensor, "member size"], numbers: Sequence[int], batch_size: int, seed: int, augmented: bool
    ) -> None:
        self.index, self.numbers, self.batch_size, self.seed = index, numbers, batch_size, seed
        self.augmented, self.epoch = augmented, 0

    @property
    def sampler(self) -> MemberBatches:
        """Itself: Lightning announces each epoch to ``loader.sampler.set_epoch``, as to torch's own samplers."""
        return self

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        return -(-self.index.shape[1] // self.batch_size)

    def __iter__(self) -> Iterator[MemberIndex]:
        orders = []
        for own, member in zip(self.index, self.numbers, strict=True):
            generator = torch.Generator().manual_seed(stream_seed(self.seed, SHUFFLE, self.epoch, member))
            orders.append(own[torch.randperm(len(own), generator=generator)])
        for number, batch in enumerate(torch.stack(orders).split(self.batch_size, dim=1)):
            moved = self.numbers if self.augmented else ()  # a seed costs more than a small net's step can bear
            yield MemberIndex(batch, tuple(stream_seed(self.seed, AUGMENT, self.epoch, number, m) for m in moved))


class FixedBatches:
    """Configurations in the order of ``index`` (validation): never shuffled, never augmented."""

    def __init__(self, index: Int64[Tensor, "*member size"], batch_size: int) -> None:
        self.batches = index.split(batch_size, dim=-1)

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[MemberIndex]:
        return map(MemberIndex, self.batches)


class MemberData(L.LightningDataModule):
    """Batches (x ``[member, batch, channel, x, y]``, y ``[member, batch, output]``), both float32, for M members.

    states: integers ``[configuration, species, x, y]`` of one torus. targets: float32 ``[configuration, output]``.
    groups: int ``[configuration]``, the trajectory of each; one is never on both sides of training and validation, of
    which the latter gets the share ``validation`` of all. Without groups every configuration is its own.

    members: their number, or the numbers of those that are here. size: configurations that each member trains with,
    its own choice of those there are; then it validates with its own choice of size validation / (1 - validation)
    others, as many as go with that size. None: all of them, and all validate with the same, which come without the
    member axis. batch_size: None is the paper's, 100, and 50 below 500 configurations. augment: of training batches.

    Raises ``UserError`` where a side would be empty, or the size is not to be had.
    """

    def __init__(
        self,
        states: Integer[np.ndarray, "configuration species x y"],
        targets: Float[np.ndarray, "configuration output"],
        system: System,
        members: int | Sequence[int] = 10,
        batch_size: int | None = None,
        validation: float = 0.1,
        size: int | None = None,
        seed: int = 0,
        augment: Augment | None = None,
        groups: Integer[np.ndarray, " configuration"] | None = None,
    ) -> None:
        super().__init__()
        if len(states) != len(targets):
            raise ValueError(f"{len(states)} states and {len(targets)} targets")
        if not 0 < validation < 1:
            raise UserError(f"validation = {validation:g} is no share: give one between 0 and 1, e.g. 0.1.")
        self.system, self.seed, self.augment = system, seed, augment
        self.numbers = tuple(range(members)) if isinstance(members, int) else tuple(members)
        self.states, self.targets = torch.from_numpy(states), torch.from_numpy(targets.astype(np.float32))
        train, val = deal_groups(np.arange(len(states)) if groups is None else groups, validation, seed)
        self.index: dict[str, Int64[Tensor, "*member size"]]
        if size is None:
            self.index = {"train": torch.from_numpy(train).expand(len(self.numbers), -1), "val": torch.from_numpy(val)}
        else:
            if not 1 <= size <= len(train):
                raise UserError(
                    f"size = {size} configurations to train with are not to be had: give 1 … {len(train)}, or sample "
                    "more."
                )
            own = max(1, round(size * validation / (1 - validation)))
            self.index = {"train": self._choose(train, size), "val": self._choose(val, min(own, len(val)))}
        training = self.index["train"].shape[1]
        self.batch_size = batch_size or (100 if training >= 500 else 50)

    def _choose(self, side: Int64[np.ndarray, " configuration"], size: int) -> Int64[Tensor, "member size"]:
        """``size`` of a side's configurations for each member; the smaller choice is the beginning of the larger."""
        chosen = [
            np.random.default_rng(stream_seed(self.seed, SUBSET, member)).permutation(side)[:size]
            for member in self.numbers
        ]
        return torch.from_numpy(np.stack(chosen))

    @property
    def in_channels(self) -> int:
        return len(self.system.channels)

    @property
    def extents(self) -> tuple[int, int]:
        return self.system.extents

    def train_targets(self) -> Float32[Tensor, "member size output"]:
        """What each member trains with: the source of its units."""
        return self.targets[self.index["train"].to(self.targets.device)]

    def train_dataloader(self) -> MemberBatches:
        return MemberBatches(
            self.index["train"], self.numbers, self.batch_size, self.seed, augmented=self.augment is not None
        )

    def val_dataloader(self) -> FixedBatches:
        return FixedBatches(self.index["val"], 4 * self.batch_size)

    def on_after_batch_transfer(self, batch: MemberIndex, dataloader_idx: int) -> Batch:
        """Index tensor -> (channels, targets), on the device of the index."""
        index, streams = batch
        if self.states.device != index.device:  # the first batch of a run takes everything to its device
            self.states, self.targets = self.states.to(index.device), self.targets.to(index.device)
        states = self.states.index_select(0, index.flatten())
        if self.augment is not None and streams:
            moved = [
                self.augment(own, torch.Generator().manual_seed(stream))
                for own, stream in zip(states.chunk(len(streams)), streams, strict=True)
            ]
            states = torch.cat(moved)
        x, y = self.system.to_channels(states), self.targets.index_select(0, index.flatten())
        return x.unflatten(0, index.shape), y.unflatten(0, index.shape)


def deal_groups(
    groups: Integer[np.ndarray, " configuration"], validation: float, seed: int
) -> tuple[Int64[np.ndarray, " train"], Int64[np.ndarray, " val"]]:
    """Numbers of the configurations for training and validation: whole groups, at random by the seed.

    As many go to validation as come nearest to the share, at least one. Raises ``UserError`` if none is left.
    """
    names, number, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    order = np.random.default_rng(stream_seed(seed, DEAL)).permutation(len(names))
    middle = np.cumsum(sizes[order]) - sizes[order] / 2
    held = order[: max(1, np.searchsorted(middle, validation * len(groups), side="right"))]
    if len(held) == len(names):
        raise UserError(
            f"{len(names)} trajectory(s) cannot be split into training and validation: give ensemble.replicas=10 or "
            "more."
        )
    on_val = np.isin(number, held)
    return np.flatnonzero(~on_val), np.flatnonzero(on_val)
