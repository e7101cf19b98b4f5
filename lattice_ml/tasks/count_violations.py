"""How many open worms are in this configuration?"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Float32, Integer
from torch import Tensor

from lattice_ml.nets.lattice_cnn import LatticeCNN
from lattice_ml.nets.oracle import set_counting
from lattice_ml.systems.base import Point, System
from lattice_ml.tasks.members import MemberTask, require_worms


class CountViolations(MemberTask):
    """Minimise the squared error of the number of open worms, N = 1/2 sum_x |d_x|.

    Scores: ``mse``, and ``accuracy``, the share of configurations whose rounded prediction is N.
    Source: arXiv:2103.14686, Sec. VI.
    """

    outputs = ("worms",)

    @staticmethod
    def require(system: System, parameters: tuple[str, ...]) -> None:
        require_worms(parameters)

    @staticmethod
    def targets(
        system: System, states: Integer[np.ndarray, "configuration species x y"], point: Point
    ) -> Float32[np.ndarray, "configuration output"]:
        """The number of open worms of the point."""
        return np.full((len(states), 1), point.get("worms", 0), dtype=np.float32)

    @staticmethod
    def oracle(net: LatticeCNN, system: System, point: Point) -> LatticeCNN:
        """A net of the layers of ``flux/oracle_count`` with the weights that answer exactly everywhere."""
        return set_counting(net)

    def losses(
        self, output: Float[Tensor, "member batch output"], y: Float[Tensor, "*member batch output"]
    ) -> Float[Tensor, "member batch"]:
        return (output - y).square().mean(-1)

    def scores(
        self, prediction: Float[Tensor, "member batch output"], y: Float[Tensor, "*member batch output"]
    ) -> dict[str, Float[Tensor, "member batch"]]:
        right = prediction.round() == y
        return {"mse": (prediction - y).square().mean(-1), "accuracy": right.to(torch.float32).mean(-1)}
