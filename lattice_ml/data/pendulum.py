"""Damped pendula: a physical system whose few numbers are known, on which the variational encoder is tested.

    x(t) = A_0 exp(-b t / 2m) cos(omega t),    omega = sqrt(kappa / m) sqrt(1 - b² / (4 m kappa)),

A_0 = 1 m, m = 1 kg; spring constant kappa in 5 … 10 kg/s², damping b in 0.5 … 1 kg/s. Seen at 50 times from 0 to 5 s;
asked for x at any time from 0 to 10 s. Two numbers, omega and b / 2m, are all there is to know.

Training pendula are drawn from intervals that reach 20 % further at either end, as in the authors' code.
Source: R. Iten et al., Phys. Rev. Lett. 124, 010508 (2020), arXiv:1807.10300;
github.com/eth-nn-physics/nn_physical_concepts.
"""

from __future__ import annotations

import lightning as L
import numpy as np
import torch
from jaxtyping import Float, Float32
from torch import Tensor

from lattice_ml.data.dealing import AUGMENT, stream_seed
from lattice_ml.data.questions import Asked, Question
from lattice_ml.data.resident import IndexBatch, OrderedBatches, ShuffledBatches
from lattice_ml.ground.errors import UserError

DAMPING, SPRING = (0.5, 1.0), (5.0, 10.0)
"""Intervals of b (kg/s) and kappa (kg/s²)."""
SEEN, ASKED = 5.0, 10.0
"""Seconds that are seen, and within which questions lie."""
TIMES = 50
MARGIN = 0.2


def rates(parameters: Float[Tensor, "pendulum 2"]) -> tuple[Float[Tensor, " pendulum"], Float[Tensor, " pendulum"]]:
    """(omega, b / 2m) in 1/s of (b, kappa)."""
    b, kappa = parameters.unbind(1)
    return (kappa - b.square() / 4).sqrt(), b / 2


def swing(
    parameters: Float[Tensor, "pendulum 2"], t: Float[Tensor, "*pendulum time"]
) -> Float[Tensor, "pendulum time"]:
    """x(t) in metres of pendula (b, kappa)."""
    omega, decay = rates(parameters)
    return torch.exp(-decay[:, None] * t) * torch.cos(omega[:, None] * t)


class WhereWillItBe:
    """The pendulum's question: x at a time t. The query is t - 5 s, the answer x in metres.

    questions: times drawn for each pendulum of a training batch; figures and validation ask at 101 equal steps.
    """

    queries = 1
    outputs = ("x",)

    def __init__(self, questions: int = 16) -> None:
        self.questions = questions

    def draw(self, x: Tensor, y: Float[Tensor, "batch 2"]) -> Asked:
        return self._at(y, ASKED * torch.rand(len(y), self.questions, device=y.device))

    def every(self, x: Tensor, y: Float[Tensor, "batch 2"]) -> Asked:
        return self._at(y, torch.linspace(0, ASKED, 101, device=y.device).expand(len(y), -1))

    def _at(self, parameters: Tensor, t: Tensor) -> Asked:
        return Asked((t - ASKED / 2)[..., None], swing(parameters, t)[..., None])


class PendulumData(L.LightningDataModule):
    """Batches (x ``[batch, 50]`` in metres, (b, kappa) ``[batch, 2]``), float32, drawn uniformly by the seed.

    pendula: for training; a tenth as many for validation and for the test, at least 500, these from the intervals
    themselves. batch_size: of training. Raises ``UserError`` without pendula.
    """

    def __init__(self, pendula: int = 20_000, batch_size: int = 256, seed: int = 0) -> None:
        super().__init__()
        if pendula < 1 or batch_size < 1:
            raise UserError(f"pendula = {pendula} in batches of {batch_size} is no data: give e.g. data.pendula=20000.")
        self.batch_size, self.seed = batch_size, seed
        sizes = {"train": pendula, "val": max(500, pendula // 10), "test": max(500, pendula // 10)}
        generator = np.random.default_rng(stream_seed(seed, AUGMENT))
        parts = [draw(generator, size, MARGIN if side == "train" else 0.0) for side, size in sizes.items()]
        self.parameters = torch.from_numpy(np.concatenate(parts))
        self.series = swing(self.parameters, torch.linspace(0, SEEN, TIMES)[None])
        self.index = dict(zip(sizes, torch.arange(len(self.parameters)).split(list(sizes.values())), strict=True))

    @property
    def shape(self) -> tuple[int]:
        return (TIMES,)

    def side(self, name: str) -> tuple[Float[Tensor, "n 50"], Float[Tensor, "n 2"]]:
        """Series and parameters of ``train``, ``val`` or ``test``."""
        return self.series[self.index[name]], self.parameters[self.index[name]]

    def scale(self) -> Float[Tensor, ""]:
        """1 m: the amplitude of all pendula."""
        return torch.ones(())

    def answer_scale(self, question: Question) -> Float[Tensor, " output"]:
        return torch.ones(len(question.outputs))

    def train_dataloader(self) -> ShuffledBatches:
        return ShuffledBatches(self.index["train"], self.batch_size, self.seed)

    def val_dataloader(self) -> OrderedBatches:
        return OrderedBatches(self.index["val"], 1000)

    def on_after_batch_transfer(self, batch: IndexBatch, dataloader_idx: int) -> tuple[Tensor, Tensor]:
        index = batch.index[batch.rows]
        return self.series.to(index.device)[index], self.parameters.to(index.device)[index]


def draw(generator: np.random.Generator, pendula: int, margin: float) -> Float32[np.ndarray, "pendulum 2"]:
    """(b, kappa) uniform in their intervals, each end moved outwards by the share ``margin`` of itself."""
    low, high = ((1 + sign * margin) * np.array([DAMPING[end], SPRING[end]]) for end, sign in ((0, -1), (1, 1)))
    return generator.uniform(low, high, (pendula, 2)).astype(np.float32)
