"""A labelled ensemble as a Lightning datamodule, dealt to training, validation and test by replica.

It lies on the training device as a whole (``resident.py``), or is streamed from its store where that would take more
memory than it may (``stream.py``).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import lightning as L
import numpy as np
import torch
import xarray as xr
from jaxtyping import Float32, Int64, Shaped
from torch import Tensor

from lattice_ml.data.dealing import WHOLE, Share, deal_replicas
from lattice_ml.data.pieces import Pieces, configuration_numbers, measure, smallest_type
from lattice_ml.data.resident import Augment, IndexBatch, OrderedBatches, Resident, ShuffledBatches
from lattice_ml.data.stream import OrderedStream, ShuffledStream, StateBatch, Streamed
from lattice_ml.ground.errors import UserError
from lattice_ml.systems.base import System


class EnsembleData(L.LightningDataModule):
    """Batches (x float32 ``[batch, channel, x, y]``, y int64 ``[batch]``) of a labelled ensemble.

    ensemble: the store's dataset, ``configurations`` integer ``[point, replica, sample, species, x, y]``.
    system: turns states into channels (m and rho of the Active Ising Model, particles per site).
    labels: int64 ``[point, replica, sample]``, indices into ``system.phases``; without them y is -1, which a
    loss refuses. split: shares of the replicas for training, validation and test. augment: applied to training
    batches only. batch_size: of the whole batch, which the processes of a distributed training share out.
    memory: GiB of configurations that a process holds at most, or None for as much as it takes.

    All samples of a replica number, at every point, are on one side: no trajectory is split. Raises ``UserError`` when
    a side would be empty, or the memory is too small to stream the ensemble.
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
        memory: float | None = None,
    ) -> None:
        super().__init__()
        pieces = Pieces(ensemble["configurations"])
        if labels is None:
            labels = np.full(pieces.shape, -1)
        if labels.shape != pieces.shape:
            raise ValueError(f"labels {labels.shape} do not fit configurations {pieces.shape}")
        if batch_size < 1:
            raise UserError(f"batch_size = {batch_size} is no batch: give at least 1, e.g. data.batch_size=64.")
        self.system, self.batch_size, self.augment, self.seed = system, batch_size, augment, seed
        self.replicas = deal_replicas(pieces.shape[1], split, seed)
        self.index = {side: configuration_numbers(pieces.shape, own) for side, own in self.replicas.items()}
        flat = torch.from_numpy(labels.reshape(-1).astype(np.int64))
        limit = None if memory is None else int(memory * 2**30)
        self.source = hold(pieces, flat, self.replicas["train"], system, limit, batch_size)

    @property
    def in_channels(self) -> int:
        return len(self.system.channels)

    @property
    def extents(self) -> tuple[int, int]:
        return self.system.extents

    @property
    def classes(self) -> int:
        return len(self.system.phases)

    @property
    def device(self) -> torch.device:
        """Where the last batch went."""
        return self.source.device

    @property
    def labels(self) -> Int64[Tensor, " configuration"]:
        """Of every configuration, in the order (point, replica, sample)."""
        return self.source.labels

    @property
    def states(self) -> Shaped[Tensor, "configuration species x y"]:
        """Every configuration, where they are resident; ``parts`` is for streamed ones too."""
        if isinstance(self.source, Streamed):
            raise UserError("this needs all configurations at once, which data.memory forbids: give data.memory=null.")
        return self.source.states

    def parts(self, side: str) -> Iterator[Shaped[Tensor, "part species x y"]]:
        """The configurations of ``train``, ``val`` or ``test``, in the order of ``index[side]``, some at a time."""
        return self.source.parts(self.replicas[side])

    def scale(self) -> Float32[Tensor, " channel"]:
        """sqrt(<I_c²>) of every channel c over sites and training configurations, particles per site.

        What a net divides its input by. The mean is not subtracted: zero stays "no particles", as the padding of a
        convolution takes it. A channel that is zero throughout gets 1.
        """
        rms = self.source.squares(self.replicas["train"], self.system.to_channels).sqrt().float()
        return torch.where(rms > 0, rms, 1.0)

    @property
    def share(self) -> Share:
        """Of this process; that of the Trainer, where there is one."""
        return WHOLE if self.trainer is None else Share(self.trainer.global_rank, self.trainer.world_size)

    def train_dataloader(self) -> ShuffledBatches | ShuffledStream:
        return self.source.shuffled(self.replicas["train"], self.batch_size, self.seed, self.share)

    def val_dataloader(self) -> OrderedBatches | OrderedStream:
        return self.source.ordered(self.replicas["val"], self.batch_size, self.share)

    def test_dataloader(self) -> OrderedBatches | OrderedStream:
        return self.source.ordered(self.replicas["test"], self.batch_size, self.share)

    def predict_dataloader(self) -> OrderedBatches | OrderedStream:
        """Every configuration in the order (point, replica, sample)."""
        everybody = np.sort(np.concatenate(list(self.replicas.values())))
        return self.source.ordered(everybody, self.batch_size, self.share)

    def on_after_batch_transfer(
        self, batch: IndexBatch | StateBatch, dataloader_idx: int
    ) -> tuple[Float32[Tensor, "batch channel x y"], Int64[Tensor, " batch"]]:
        """What a loader gave -> (channels, labels) of this process's own rows, on the device that it was sent to."""
        states, labels = self.source.arrive(batch, self.augment)  # type: ignore[arg-type]
        return self.system.to_channels(states), labels


def hold(
    pieces: Pieces,
    labels: Int64[Tensor, " configuration"],
    training: np.ndarray,
    system: System,
    memory: int | None,
    batch_size: int,
) -> Resident | Streamed:
    """The whole ensemble, if it fits into ``memory`` bytes as the smallest integers that hold it, else its stream.

    Where the size alone does not settle that, the ensemble is read once to see how large its numbers are.
    """
    count = int(np.prod(pieces.shape)) * pieces.sites
    largest = max(4, pieces.array.dtype.itemsize)
    if memory is None or count * largest + 2 * pieces.in_reading <= memory:
        return Resident(pieces, labels)
    measured = measure(pieces, training, system.to_channels)
    dtype = smallest_type(pieces.array.dtype, measured.lowest, measured.highest)
    if count * np.dtype(dtype).itemsize + 2 * pieces.in_reading <= memory:
        return Resident(pieces, labels)
    return Streamed(pieces, labels, measured, memory, batch_size)
