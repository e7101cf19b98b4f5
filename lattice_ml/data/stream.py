"""The streaming path: an ensemble that is larger than the memory it may take, read from its store in every epoch.

A chunk of the store holds one point, so a batch from one chunk would show one temperature. Training therefore draws
from a buffer of many chunks: whole chunks come in, in a random order, and each batch is a random draw without
replacement from what lies there. A batch then mixes about as many temperatures as the buffer holds chunks, not all
that the ensemble has: the larger the buffer, the nearer to batches of independent configurations. It takes all the
memory that is allowed, less what reading needs. In an epoch every configuration comes once.

The order is a function of (seed, epoch), of the memory allowed and of the store's chunks, never of the speed of
threads: what is read ahead waits until the buffer has room for it. Where several processes train one net, each reads
every chunk, since a batch is augmented as a whole, and keeps its own rows: more processes do not read faster.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float64, Int64, Integer, Shaped
from torch import Tensor

from lattice_ml.data.dealing import AUGMENT, SHUFFLE, Share, stream_seed
from lattice_ml.data.pieces import AHEAD, Measured, Pieces, smallest_type
from lattice_ml.data.resident import Augment
from lattice_ml.ground.errors import UserError


class StateBatch(NamedTuple):
    """A batch on its way to the device: its configurations, their labels, the seed of their augmentation or None, and
    the rows of it that are this process's own."""

    states: Shaped[Tensor, "batch species x y"]
    labels: Int64[Tensor, " batch"]
    stream: int | None
    rows: slice = slice(None)


class Streamed:
    """An ensemble in its store, of which never more than ``memory`` bytes of configurations are held.

    labels: int64 ``[point × replica × sample]``. measured: of ``pieces.measure``. batch_size: the largest that is asked
    for. Counted are the buffer, what is read for training and, at the same time, for validation, and a batch; net,
    channels and activations come on top. Raises ``UserError`` if the memory is too small.
    """

    def __init__(
        self, pieces: Pieces, labels: Int64[Tensor, " configuration"], measured: Measured, memory: int, batch_size: int
    ) -> None:
        self.pieces, self.labels, self.measured = pieces, labels, measured
        self.dtype = smallest_type(pieces.array.dtype, measured.lowest, measured.highest)
        self.device = torch.device("cpu")
        one = pieces.sites * np.dtype(self.dtype).itemsize
        aside = beside(pieces, self.dtype, batch_size)
        self.capacity = (memory - aside) // one
        least = batch_size + pieces.block * pieces.shape[2]
        if self.capacity < least:
            raise UserError(
                f"data.memory = {memory / 2**30:.3g} GiB is too small to stream this ensemble, whose chunks are "
                f"{pieces.in_reading / 3 / 2**20:.3g} MiB each: give at least "
                f"data.memory={(aside + least * one) / 2**30 * 1.01:.3g}, or a smaller data.batch_size."
            )
        self.capacity = min(self.capacity, int(np.prod(pieces.shape)))
        self.buffer = torch.from_numpy(np.empty((self.capacity, *pieces.array.shape[3:]), dtype=self.dtype))
        self.turn = 0
        """Number of the epoch's passage that may use the buffer."""

    def shuffled(
        self, replicas: Integer[np.ndarray, " replica"], batch_size: int, seed: int, share: Share
    ) -> ShuffledStream:
        return ShuffledStream(self, replicas, batch_size, seed, share)

    def ordered(self, replicas: Integer[np.ndarray, " replica"], batch_size: int, share: Share) -> OrderedStream:
        return OrderedStream(self, replicas, batch_size, share)

    def parts(self, replicas: Integer[np.ndarray, " replica"]) -> Iterator[Shaped[Tensor, "part species x y"]]:
        """The configurations of some replicas, in the order (point, replica, sample), a chunk's at a time."""
        for _, states in self.pieces.ahead(self.pieces.of(replicas), self.dtype):
            yield torch.from_numpy(states)

    def squares(self, replicas: object, to_channels: object) -> Float64[Tensor, " channel"]:
        """<I_c²> of every channel over the sites of the training configurations, as measured."""
        return self.measured.squares

    def arrive(
        self, batch: StateBatch, augment: Augment | None
    ) -> tuple[Shaped[Tensor, "row species x y"], Int64[Tensor, " row"]]:
        """States and labels of this process's own rows, on the device of the batch; see ``Resident.arrive``."""
        states, labels, stream, rows = batch
        self.device = states.device
        if augment is not None and stream is not None:
            states = augment(states, torch.Generator().manual_seed(stream))
        return states[rows], labels[rows]


def beside(pieces: Pieces, dtype: type[np.number], batch_size: int) -> int:
    """Bytes that are held beside the buffer: what is being read, what has been read ahead of training and of the
    validation that interrupts it (and the one that a batch is cut from), and four batches (drawn, augmented, cut)."""
    one = pieces.sites * np.dtype(dtype).itemsize
    return AHEAD * pieces.in_reading + (2 * (AHEAD + 2) * pieces.block * pieces.shape[2] + 4 * batch_size) * one


class OrderedStream:
    """Configurations of some replicas in the order (point, replica, sample), as ``resident.OrderedBatches`` gives."""

    def __init__(
        self, source: Streamed, replicas: Integer[np.ndarray, " replica"], batch_size: int, share: Share
    ) -> None:
        self.source, self.batch_size, self.share = source, batch_size, share
        self.todo = source.pieces.of(replicas)
        self.count = sum(map(source.pieces.rows, self.todo))

    def __len__(self) -> int:
        return -(-self.count // self.batch_size)

    def __iter__(self) -> Iterator[StateBatch]:
        pieces, left = self.source.pieces, self.count
        rest = np.empty((0, *self.source.buffer.shape[1:]), self.source.dtype), np.empty(0, np.int64)
        for piece, read in pieces.ahead(self.todo, self.source.dtype):
            states = np.concatenate((rest[0], read)) if len(rest[0]) else read
            numbers = np.concatenate((rest[1], pieces.numbers(piece)))
            left -= len(read)
            whole = len(states) if not left else len(states) // self.batch_size * self.batch_size
            for first in range(0, whole, self.batch_size):
                batch = slice(first, min(first + self.batch_size, whole))
                labels = self.source.labels[torch.from_numpy(numbers[batch])]
                rows = self.share.rows(len(labels))
                yield StateBatch(torch.from_numpy(states[batch][rows]), labels[rows], None)
            rest = states[whole:].copy(), numbers[whole:]


class ShuffledStream:
    """Training batches from a shuffle buffer, in an order that is a function of (seed, epoch).

    As many batches as ``resident.ShuffledBatches`` gives, with the same seeds of augmentation, of other configurations.
    """

    def __init__(
        self, source: Streamed, replicas: Integer[np.ndarray, " replica"], batch_size: int, seed: int, share: Share
    ) -> None:
        self.source, self.batch_size, self.seed, self.share = source, batch_size, seed, share
        self.todo = source.pieces.of(replicas)
        self.count = sum(map(source.pieces.rows, self.todo))
        self.epoch = 0

    @property
    def sampler(self) -> ShuffledStream:
        """Itself, to which Lightning announces each epoch."""
        return self

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        return -(-self.count // self.batch_size)

    def __iter__(self) -> Iterator[StateBatch]:
        source, buffer = self.source, self.source.buffer
        source.turn += 1
        turn = source.turn
        generator = torch.Generator().manual_seed(stream_seed(self.seed, SHUFFLE, self.epoch))
        order = [self.todo[k] for k in torch.randperm(len(self.todo), generator=generator).tolist()]
        rows = [source.pieces.rows(piece) for piece in order]
        numbers = torch.empty(len(buffer), dtype=torch.int64)
        slots, filled, loaded = torch.arange(len(buffer)), 0, 0  # the first ``filled`` of the slots hold configurations
        with closing(source.pieces.ahead(order, source.dtype)) as coming:
            for batch in range(len(self)):
                if source.turn != turn:
                    raise RuntimeError("two passages through the training configurations share one buffer")
                while loaded < len(rows) and filled + rows[loaded] <= len(slots):
                    piece, states = next(coming)
                    place = slots[filled : filled + rows[loaded]]
                    buffer[place] = torch.from_numpy(states)
                    numbers[place] = torch.from_numpy(source.pieces.numbers(piece))
                    filled, loaded = filled + rows[loaded], loaded + 1
                    del states
                drawn = torch.zeros(filled, dtype=torch.bool)
                picked = torch.randperm(filled, generator=generator)[: self.batch_size]
                drawn[picked] = True
                used = slots[:filled][picked]
                slots[:filled] = torch.cat((slots[:filled][~drawn], used))
                filled -= len(picked)
                stream = stream_seed(self.seed, AUGMENT, self.epoch, batch)
                labels = source.labels[numbers[used]]
                yield StateBatch(buffer.index_select(0, used), labels, stream, self.share.rows(len(labels)))
