"""The resident path: the whole ensemble on the training device, as the smallest integers that hold it.

A batch travels as an index tensor and becomes net input there (gather, augment, channels), so there are no worker
processes and nothing to collate.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float64, Int64, Integer, Shaped
from torch import Tensor

from lattice_ml.data.dealing import AUGMENT, SHUFFLE, WHOLE, Share, stream_seed
from lattice_ml.data.pieces import Pieces, configuration_numbers, smallest_type

Augment = Callable[[Tensor, torch.Generator], Tensor]
"""(states ``[batch, species, x, y]``, generator) -> states of the same shape; see ``augment.py``."""


class IndexBatch(NamedTuple):
    """A batch on its way to the device: which configurations, the seed of their augmentation or None, and the rows of
    it that are this process's own (all of them where one process trains)."""

    index: Int64[Tensor, " batch"]
    stream: int | None
    rows: slice = slice(None)


class OrderedBatches:
    """Configurations in the order of ``index`` (validation, test, prediction): never shuffled, never augmented."""

    def __init__(self, index: Int64[Tensor, " configuration"], batch_size: int, share: Share = WHOLE) -> None:
        self.batches, self.share = index.split(batch_size), share

    def __len__(self) -> int:
        return len(self.batches)

    def __iter__(self) -> Iterator[IndexBatch]:
        return (IndexBatch(batch, None, self.share.rows(len(batch))) for batch in self.batches)


class ShuffledBatches:
    """Configurations in an order that is a function of (seed, epoch); the last batch may be short.

    Batch b of epoch e carries the seed (seed, e, b) for its augmentation. A run that resumes at epoch e thus sees
    what the uninterrupted one sees, and two processes together see what one alone would: the batches are the same and
    each process has its own rows of them.
    """

    def __init__(
        self, index: Int64[Tensor, " configuration"], batch_size: int, seed: int, share: Share = WHOLE
    ) -> None:
        self.index, self.batch_size, self.seed, self.share = index, batch_size, seed, share
        self.epoch = 0

    @property
    def sampler(self) -> ShuffledBatches:
        """Itself: Lightning announces each epoch to ``loader.sampler.set_epoch``, as to torch's own samplers."""
        return self

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        return -(-len(self.index) // self.batch_size)

    def __iter__(self) -> Iterator[IndexBatch]:
        generator = torch.Generator().manual_seed(stream_seed(self.seed, SHUFFLE, self.epoch))
        order = self.index[torch.randperm(len(self.index), generator=generator)]
        for number, batch in enumerate(order.split(self.batch_size)):
            yield IndexBatch(batch, stream_seed(self.seed, AUGMENT, self.epoch, number), self.share.rows(len(batch)))


class Resident:
    """Every configuration ``[point × replica × sample, species, x, y]`` with its label ``[...]``, on one device.

    They lie on the CPU until the first batch of a run arrives on another device, and follow it there.
    """

    def __init__(self, pieces: Pieces, labels: Int64[Tensor, " configuration"]) -> None:
        self.shape, self.labels = pieces.shape, labels
        self.states = torch.from_numpy(_load(pieces))

    @property
    def device(self) -> torch.device:
        return self.states.device

    def shuffled(
        self, replicas: Integer[np.ndarray, " replica"], batch_size: int, seed: int, share: Share
    ) -> ShuffledBatches:
        return ShuffledBatches(configuration_numbers(self.shape, replicas), batch_size, seed, share)

    def ordered(self, replicas: Integer[np.ndarray, " replica"], batch_size: int, share: Share) -> OrderedBatches:
        return OrderedBatches(configuration_numbers(self.shape, replicas), batch_size, share)

    def parts(self, replicas: Integer[np.ndarray, " replica"]) -> Iterator[Shaped[Tensor, "part species x y"]]:
        """The configurations of some replicas, in the order (point, replica, sample), some at a time."""
        for index in configuration_numbers(self.shape, replicas).split(256):
            yield self.states[index.to(self.device)]

    def squares(
        self, replicas: Integer[np.ndarray, " replica"], to_channels: Callable[[Tensor], Tensor]
    ) -> Float64[Tensor, " channel"]:
        """<I_c²> of every channel over the sites of all configurations of these replicas."""
        total = torch.zeros((), dtype=torch.float64)
        for states in self.parts(replicas):
            total = total + to_channels(states).double().square().mean(dim=(-2, -1)).sum(dim=0).cpu()
        return total / (self.shape[0] * len(replicas) * self.shape[2])

    def arrive(
        self, batch: IndexBatch, augment: Augment | None
    ) -> tuple[Shaped[Tensor, "row species x y"], Int64[Tensor, " row"]]:
        """States and labels of this process's own rows, on the device of the index.

        The whole batch is augmented before the own rows are taken: so a configuration's image depends on neither the
        number of processes nor the augmentation's way of drawing.
        """
        index, stream, rows = batch
        if self.states.device != index.device:  # the first batch of a run takes the ensemble to its device
            self.states, self.labels = self.states.to(index.device), self.labels.to(index.device)
        # index_select copies whole rows, which self.states[index] does not
        if augment is not None and stream is not None:
            states = augment(self.states.index_select(0, index), torch.Generator().manual_seed(stream))[rows]
        else:
            states = self.states.index_select(0, index[rows])
        return states, self.labels[index[rows]]


def _load(pieces: Pieces) -> Shaped[np.ndarray, "configuration species x y"]:
    """All configurations, integers in such that grow wider when one comes that needs it."""
    lowest = highest = 0
    dtype = smallest_type(pieces.array.dtype, lowest, highest)
    states = np.empty((int(np.prod(pieces.shape)), *pieces.array.shape[3:]), dtype=dtype)
    for piece, part in pieces.ahead(pieces.of(np.arange(pieces.shape[1]))):
        lowest, highest = min(lowest, int(part.min())), max(highest, int(part.max()))
        states = states.astype(smallest_type(part.dtype, lowest, highest), copy=False)
        states[pieces.numbers(piece)] = part
    return states
