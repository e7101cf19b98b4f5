"""What are particle number density and field strength of this flux configuration?"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Float32, Integer
from torch import Tensor

from lattice_ml.ground.errors import UserError
from lattice_ml.ground.ranges import Count, NonNegative, Positive
from lattice_ml.nets.lattice_cnn import LatticeCNN
from lattice_ml.nets.members import Members
from lattice_ml.nets.oracle import set_regression
from lattice_ml.systems.base import Point, System
from lattice_ml.tasks.members import MemberTask, Schedule


class RegressObservables(MemberTask):
    """Minimise the squared error of (n, |phi|²), n = (1/N) sum_x k_{x,t} and |phi|² = (1/N) sum_x W(f_x + 2)/W(f_x).

    standardise: the net's outputs are (target - mean) / standard deviation over its own training set, and so is the
    loss, the mean over outputs. Scores are in physical units always: ``mse`` (mean over outputs), ``mse_n``,
    ``mse_phi2``.

    Source: arXiv:2103.14686, Sec. IV.
    """

    outputs = ("n", "phi2")

    def __init__(
        self,
        net: Members,
        system: System,
        lr: Positive = 1e-2,
        weight_decay: NonNegative = 0.0,
        amsgrad: bool = True,
        schedule: Schedule = "cosine",
        patience: Count = 25,
        standardise: bool = True,
    ) -> None:
        super().__init__(net, system, lr, weight_decay, amsgrad, schedule, patience)
        self.standardise = standardise

    @staticmethod
    def require(system: System, parameters: tuple[str, ...]) -> None:
        if not set(RegressObservables.outputs) <= set(system.watched):
            raise UserError(
                f"{system.name} has no n and phi2 to regress: give system=complex_scalar and its ensembles."
            )

    @staticmethod
    def targets(
        system: System, states: Integer[np.ndarray, "configuration species x y"], point: Point
    ) -> Float32[np.ndarray, "configuration output"]:
        """(n, |phi|²) of every configuration, computed in float64."""
        found = system.observables(states, point)
        return np.stack([found[name] for name in RegressObservables.outputs], axis=-1).astype(np.float32)

    @staticmethod
    def oracle(net: LatticeCNN, system: Any, point: Point) -> LatticeCNN:
        """A net of the layers of ``flux/oracle_regress`` with the weights that answer exactly at eta and lambda."""
        return set_regression(net, point["eta"], system.lam)

    def setup(self, stage: str) -> None:
        if stage == "fit" and self.standardise:
            own = self.trainer.datamodule.train_targets().double()  # type: ignore[attr-defined]
            spread = own.std(1, unbiased=False)
            self.shift.copy_(own.mean(1))
            self.scale.copy_(torch.where(spread > 0, spread, 1.0))

    def losses(
        self, output: Float[Tensor, "member batch output"], y: Float[Tensor, "*member batch output"]
    ) -> Float[Tensor, "member batch"]:
        return (output - (y - self.shift[:, None]) / self.scale[:, None]).square().mean(-1)

    def scores(
        self, prediction: Float[Tensor, "member batch output"], y: Float[Tensor, "*member batch output"]
    ) -> dict[str, Float[Tensor, "member batch"]]:
        squared = (prediction - y).square()
        return {"mse": squared.mean(-1), "mse_n": squared[..., 0], "mse_phi2": squared[..., 1]}
