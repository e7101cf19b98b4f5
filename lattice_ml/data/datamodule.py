"""An ensemble on the training device, dealt to training, validation and test by replica.

The whole ensemble lies on the device as the smallest integers that hold it. A batch travels as an index tensor and
becomes net input there (gather, augment, channels), so there are no worker processes and nothing to collate.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import lightning as L
import numpy as np
import torch
import xarray as xr
from jaxtyping import Float32, Int64, Integer
from torch import Tensor

from lattice_ml.errors import UserError
from lattice_ml.systems.base import System

Augment = Callable[[Tensor, torch.Generator], Tensor]
"""(states ``[batch, species, x, y]``, generator) -> states of the same shape; see ``augment.py``."""

SHUFFLE, AUGMENT, DEAL, NOISE = range(4)
"""What a random stream of the training is for: the first word of its key. NOISE is what a net draws itself."""


class IndexBatch(NamedTuple):
    """A batch on its way to the device: which configurations, the seed of their augmentation or None, and the rows of
    it that are this process's own (all of them where one process trains)."""

    index: Int64[Tensor, " batch"]
    stream: int | None
    rows: slice = slice(None)


class Share(NamedTuple):
    """Which of how many processes that train one net: each takes its rows of every batch."""

    rank: int = 0
    ranks: int = 1

    def rows(self, count: int) -> slice:
        """Own rows of a batch of ``count``: runs that differ by one row at most, none of it twice."""
        return slice(count * self.rank // self.ranks, count * (self.rank + 1) // self.ranks)


WHOLE = Share()
"""One process trains alone."""


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


class EnsembleData(L.LightningDataModule):
    """Batches (x float32 ``[batch, channel, x, y]``, y int64 ``[batch]``) of a labelled ensemble.

    ensemble: the store's dataset, ``configurations`` integer ``[point, replica, sample, species, x, y]``.
    system: turns states into channels (m and rho of the Active Ising Model, particles per site).
    labels: int64 ``[point, replica, sample]``, indices into ``system.phases``; without them y is -1, which a
    loss refuses. split: shares of the replicas for training, validation and test. augment: applied to training
    batches only. batch_size: of the whole batch, which the processes of a distributed training share out.

    All samples of a replica number, at every point, are on one side: no trajectory is split. Raises ``UserError`` when
    a side would be empty.
    """

    def __init__(
        self,
        ensemble: xr.Dataset,
        system: System,
        labels: Int64[np.ndarray, "point replica sample"] | None = None,
        batch_size: int = 64,
        split: Sequence[float] = (0.6, 0.2, 0.2),
        augment: Augment | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__()
        states = ensemble["configurations"].transpose("point", "replica", "sample", "species", "x", "y").values
        points, replicas, samples = states.shape[:3]
        if labels is None:
            labels = np.full((points, replicas, samples), -1)
        if labels.shape != (points, replicas, samples):
            raise ValueError(f"labels {labels.shape} do not fit configurations {(points, replicas, samples)}")
        if batch_size < 1:
            raise UserError(f"batch_size = {batch_size} is no batch: give at least 1, e.g. data.batch_size=64.")
        self.system, self.batch_size, self.augment, self.seed = system, batch_size, augment, seed
        self.states = torch.from_numpy(states.reshape(-1, *states.shape[3:]).astype(smallest_integer(states)))
        self.labels = torch.from_numpy(labels.reshape(-1).astype(np.int64))
        self.replicas = deal_replicas(replicas, split, seed)
        numbers = np.arange(points * replicas * samples).reshape(points, replicas, samples)
        self.index = {side: torch.from_numpy(numbers[:, own].ravel()) for side, own in self.replicas.items()}

    @property
    def in_channels(self) -> int:
        return len(self.system.channels)

    @property
    def extents(self) -> tuple[int, int]:
        return self.system.extents

    @property
    def classes(self) -> int:
        return len(self.system.phases)

    def scale(self) -> Float32[Tensor, " channel"]:
        """sqrt(<I_c²>) of every channel c over sites and training configurations, particles per site.

        What a net divides its input by. The mean is not subtracted: zero stays "no particles", as the padding of a
        convolution takes it. A channel that is zero throughout gets 1.
        """
        squares = torch.zeros(self.in_channels, dtype=torch.float64)
        for index in self.index["train"].split(256):
            channels = self.system.to_channels(self.states[index.to(self.states.device)])
            squares += channels.double().square().mean(dim=(-2, -1)).sum(dim=0).cpu()
        rms = (squares / len(self.index["train"])).sqrt().float()
        return torch.where(rms > 0, rms, 1.0)

    @property
    def share(self) -> Share:
        """Of this process; that of the Trainer, where there is one."""
        return WHOLE if self.trainer is None else Share(self.trainer.global_rank, self.trainer.world_size)

    def train_dataloader(self) -> ShuffledBatches:
        return ShuffledBatches(self.index["train"], self.batch_size, self.seed, self.share)

    def val_dataloader(self) -> OrderedBatches:
        return OrderedBatches(self.index["val"], self.batch_size, self.share)

    def test_dataloader(self) -> OrderedBatches:
        return OrderedBatches(self.index["test"], self.batch_size, self.share)

    def predict_dataloader(self) -> OrderedBatches:
        """Every configuration in the order (point, replica, sample)."""
        return OrderedBatches(torch.arange(len(self.states)), self.batch_size, self.share)

    def on_after_batch_transfer(
        self, batch: IndexBatch, dataloader_idx: int
    ) -> tuple[Float32[Tensor, "batch channel x y"], Int64[Tensor, " batch"]]:
        """Index tensor -> (channels, labels) of this process's own rows, on the device of the index.

        The whole batch is augmented before the own rows are taken: so a configuration's image depends on neither the
        number of processes nor the augmentation's way of drawing.
        """
        index, stream, rows = batch
        if self.states.device != index.device:  # the first batch of a run takes the ensemble to its device
            self.states, self.labels = self.states.to(index.device), self.labels.to(index.device)
        # index_select copies whole rows, which self.states[index] does not
        if self.augment is not None and stream is not None:
            states = self.augment(self.states.index_select(0, index), torch.Generator().manual_seed(stream))[rows]
        else:
            states = self.states.index_select(0, index[rows])
        return self.system.to_channels(states), self.labels[index[rows]]


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


def smallest_integer(states: Integer[np.ndarray, "*axes"]) -> type[np.integer]:
    """The smallest of uint8, int16, int32 that holds every count (torch's support of uint16 is partial)."""
    highest = int(states.max(initial=0))
    return np.uint8 if highest <= 255 else np.int16 if highest <= 32767 else np.int32


def stream_seed(seed: int, *key: int) -> int:
    """A 63-bit seed that is a function of (seed, key) and unrelated to that of any other key."""
    return int(np.random.SeedSequence(seed, spawn_key=key).generate_state(1, np.uint64)[0] >> np.uint64(1))
