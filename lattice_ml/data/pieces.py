"""An ensemble in pieces: the configurations of a chunk of its store, one point and a block of replicas, at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import torch
import xarray as xr
from jaxtyping import Float64, Int64, Integer, Shaped
from torch import Tensor

from lattice_ml.ensembles.progress import show
from lattice_ml.systems.channels import state_tensor

DIMENSIONS = ("point", "replica", "sample", "species", "x", "y")
AHEAD = 2
"""Pieces that are read and decompressed while others are in use, each by its own thread."""


class Piece(NamedTuple):
    """Replicas of one chunk, in rising order, at one point."""

    point: int
    replicas: Integer[np.ndarray, " replica"]


class Pieces:
    """The configurations of an ensemble, read piece by piece.

    configurations: any integer dtype, ``[point, replica, sample, species, x, y]``, lazy or in memory.
    """

    def __init__(self, configurations: xr.DataArray) -> None:
        self.array = configurations.transpose(*DIMENSIONS)
        points, replicas, samples = self.array.shape[:3]
        self.shape = points, replicas, samples
        chunks = configurations.encoding.get("preferred_chunks", {})
        self.block = int(chunks.get("replica", self.shape[1]))
        self.sites = int(np.prod(self.array.shape[3:]))
        """Numbers in one configuration."""

    def of(self, replicas: Integer[np.ndarray, " replica"]) -> list[Piece]:
        """All configurations of these replicas, which rise, in the order (point, replica, sample)."""
        blocks = np.split(replicas, np.flatnonzero(np.diff(replicas // self.block)) + 1)
        return [Piece(point, block) for point in range(self.shape[0]) for block in blocks]

    def rows(self, piece: Piece) -> int:
        """Configurations in a piece."""
        return len(piece.replicas) * self.shape[2]

    def numbers(self, piece: Piece) -> Int64[np.ndarray, " configuration"]:
        """Of a piece's configurations, counted over the ensemble in the order (point, replica, sample)."""
        _, replicas, samples = self.shape
        return ((piece.point * replicas + piece.replicas)[:, None] * samples + np.arange(samples)).ravel()

    def read(self, piece: Piece) -> Shaped[np.ndarray, "configuration species x y"]:
        """The configurations of a piece, in the order of ``numbers``; a whole chunk is decompressed for it."""
        first, last = int(piece.replicas[0]), int(piece.replicas[-1])
        states = self.array[piece.point, first : last + 1].to_numpy()
        if len(piece.replicas) <= last - first:
            states = states[piece.replicas - first]
        return states.reshape(-1, *states.shape[2:])

    @property
    def in_reading(self) -> int:
        """Bytes that the reading of a piece takes at most: the chunk, its decompressed bytes, and compressed ones."""
        return 3 * self.block * self.shape[2] * self.sites * self.array.dtype.itemsize

    def ahead(
        self, pieces: Iterable[Piece], dtype: type[np.number] | None = None
    ) -> Generator[tuple[Piece, Shaped[np.ndarray, "configuration species x y"]]]:
        """Pieces with their configurations, in order, ``AHEAD`` of them read while one is in use; cast to ``dtype``."""

        def read(piece: Piece) -> np.ndarray:
            states = self.read(piece)
            return states if dtype is None else states.astype(dtype)

        coming: deque[tuple[Piece, Future[np.ndarray]]] = deque()
        rest = iter(pieces)
        with ThreadPoolExecutor(AHEAD, "reading") as pool:
            try:
                for piece in rest:
                    coming.append((piece, pool.submit(read, piece)))
                    if len(coming) == AHEAD:
                        break
                while coming:
                    piece, future = coming.popleft()
                    states = future.result()
                    del future
                    following = next(rest, None)
                    if following is not None:
                        coming.append((following, pool.submit(read, following)))
                    yield piece, states
                    del states
            finally:
                pool.shutdown(wait=True, cancel_futures=True)


class Measured(NamedTuple):
    """lowest, highest: of all numbers. squares: <I_c²> over the sites of the training configurations."""

    lowest: int
    highest: int
    squares: Float64[Tensor, " channel"]


def measure(
    pieces: Pieces, training: Integer[np.ndarray, " replica"], to_channels: Callable[[Tensor], Tensor]
) -> Measured:
    """One passage through an ensemble that is too large to be held."""
    lowest, highest, squares = 0, 0, torch.zeros((), dtype=torch.float64)
    everything = pieces.of(np.arange(pieces.shape[1]))
    with show("measuring the ensemble", len(everything)) as report:
        for number, (piece, states) in enumerate(pieces.ahead(everything), 1):
            lowest, highest = min(lowest, int(states.min())), max(highest, int(states.max()))
            own = np.repeat(np.isin(piece.replicas, training), pieces.shape[2])
            for part in np.split(states[own], range(16, int(own.sum()), 16)):
                channels = to_channels(state_tensor(part))
                squares = squares + channels.square().mean(dim=(-2, -1), dtype=torch.float64).sum(dim=0)
            report(number)
    return Measured(lowest, highest, squares / (pieces.shape[0] * len(training) * pieces.shape[2]))


def smallest_type(stored: np.dtype, lowest: int, highest: int) -> type[np.number]:
    """What holds numbers of a store: the smallest integers for integers in this range, real numbers as they are."""
    return stored.type if stored.kind == "f" else smallest_integer(lowest, highest)


def smallest_integer(lowest: int, highest: int) -> type[np.integer]:
    """The smallest of uint8, int8, int16, int32, int64 that holds these (torch's support of uint16 is partial)."""
    for dtype in (np.uint8, np.int8, np.int16, np.int32):
        if np.iinfo(dtype).min <= lowest and highest <= np.iinfo(dtype).max:
            return dtype
    return np.int64


def configuration_numbers(shape: Sequence[int], replicas: Integer[np.ndarray, " replica"]) -> Int64[Tensor, " n"]:
    """Numbers of all configurations of some replicas, in the order (point, replica, sample)."""
    return torch.from_numpy(np.arange(int(np.prod(shape))).reshape(shape)[:, replicas].ravel())
