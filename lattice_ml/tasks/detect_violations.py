"""Is flux conserved everywhere in this configuration?"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Float32, Integer
from torch import Tensor
from torch.nn import functional as F

from lattice_ml.nets.lattice_cnn import LatticeCNN
from lattice_ml.nets.oracle import set_detection
from lattice_ml.systems.base import Point, System
from lattice_ml.tasks.members import MemberTask, require_worms


class DetectViolations(MemberTask):
    """Minimise the cross-entropy of "an open worm is there" (1) against "flux is conserved" (0).

    The net and ``predict`` give the logit, of which the sigmoid is the probability. Scores: ``cross_entropy``,
    ``accuracy``.
    Source: arXiv:2103.14686, Sec. V.
    """

    outputs = ("violated",)

    @staticmethod
    def require(system: System, parameters: tuple[str, ...]) -> None:
        require_worms(parameters)

    @staticmethod
    def targets(
        system: System, states: Integer[np.ndarray, "configuration species x y"], point: Point
    ) -> Float32[np.ndarray, "configuration output"]:
        """1 where the point has open worms, else 0."""
        return np.full((len(states), 1), point.get("worms", 0) > 0, dtype=np.float32)

    @staticmethod
    def oracle(net: LatticeCNN, system: System, point: Point) -> LatticeCNN:
        """A net of the layers of ``flux/oracle_detect`` with the weights that answer exactly everywhere."""
        return set_detection(net)

    def losses(
        self, output: Float[Tensor, "member batch output"], y: Float[Tensor, "*member batch output"]
    ) -> Float[Tensor, "member batch"]:
        return F.binary_cross_entropy_with_logits(output, y.expand_as(output), reduction="none").mean(-1)

    def scores(
        self, prediction: Float[Tensor, "member batch output"], y: Float[Tensor, "*member batch output"]
    ) -> dict[str, Float[Tensor, "member batch"]]:
        right = (prediction > 0) == (y.expand_as(prediction) > 0.5)
        return {"cross_entropy": self.losses(prediction, y), "accuracy": right.to(torch.float32).mean(-1)}
