"""What a variational encoder is asked of a configuration: a profile at a position, a correlation at a distance.

A position on a torus has no beginning: a query is given as waves, cos(2 pi k r / L) and, where the sign of r matters,
sin(2 pi k r / L), k = 1 … harmonics.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, Protocol

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from lattice_ml.ground.errors import UserError
from lattice_ml.systems.base import System

Frame = Literal["lab", "wave"]


class Asked(NamedTuple):
    """Questions to a batch of observations with their true answers."""

    query: Float[Tensor, "batch question query"]
    answer: Float[Tensor, "batch question output"]


class Question(Protocol):
    """What is asked of an observation x, whose batch also holds y, which the net does not see."""

    @property
    def queries(self) -> int:
        """Numbers that make up a query."""
        ...

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the numbers that make up an answer."""
        ...

    def draw(self, x: Tensor, y: Tensor) -> Asked:
        """Some questions, drawn by torch's generator: for training."""
        ...

    def every(self, x: Tensor, y: Tensor) -> Asked:
        """All questions, or a fixed grid of them: for validation and figures."""
        ...


class Profile:
    """The mean over y of every channel at a position x: <I_c(x)> = 1/Ly sum_y I_c(x, y).

    frame: ``lab``, where the answer depends on where a band stands; or ``wave``, where every profile is first moved so
    that the k = 1 mode of the system's last channel (the density of the Active Ising Model) has its crest at x = 0, to
    the nearest site. questions: positions drawn for each configuration of a training batch. harmonics: of the query.
    """

    def __init__(self, system: System, frame: Frame = "lab", questions: int = 16, harmonics: int = 6) -> None:
        if frame not in ("lab", "wave"):
            raise UserError(f"frame = {frame!r} is no frame: give question.frame=lab or wave.")
        _require_counts(questions, harmonics)
        self.frame, self.questions, self.harmonics = frame, questions, harmonics
        self.outputs, self.queries = tuple(system.channels), 2 * harmonics

    @property
    def axis(self) -> str:
        return "position x" if self.frame == "lab" else "position from the crest"

    def draw(self, x: Float[Tensor, "batch channel x y"], y: Tensor) -> Asked:
        return self._at(x, torch.randint(x.shape[2], (len(x), self.questions), device=x.device))

    def every(self, x: Float[Tensor, "batch channel x y"], y: Tensor) -> Asked:
        return self._at(x, torch.arange(x.shape[2], device=x.device).expand(len(x), -1))

    def _at(self, x: Tensor, position: Int64[Tensor, "batch question"]) -> Asked:
        profile = x.mean(dim=-1)
        extent = profile.shape[-1]
        where = position if self.frame == "lab" else (position + crest(profile[:, -1])[:, None]) % extent
        answer = profile.gather(2, where[:, None].expand(-1, profile.shape[1], -1)).transpose(1, 2)
        angles = _angles(position, extent, self.harmonics)
        return Asked(torch.cat((angles.cos(), angles.sin()), dim=-1), answer)


class Correlation:
    """The correlation of every channel with itself at a distance r along x: G_c(r) = <I_c(x, y) I_c(x + r, y)>.

    The mean over all sites, nothing subtracted; r = 1 … Lx / 2.

    For spins G(infinity) = m², and G(1) averaged over both axes is -E / 2N: energy and order are what there is to know.
    questions: distances drawn for each configuration of a training batch. harmonics: of the query.
    """

    axis = "distance r along x"

    def __init__(self, system: System, questions: int = 8, harmonics: int = 8) -> None:
        _require_counts(questions, harmonics)
        self.questions, self.queries = questions, harmonics
        self.outputs = tuple(f"{channel} at 0 and r" for channel in system.channels)

    def draw(self, x: Float[Tensor, "batch channel x y"], y: Tensor) -> Asked:
        return self._at(x, torch.randint(1, x.shape[2] // 2 + 1, (len(x), self.questions), device=x.device))

    def every(self, x: Float[Tensor, "batch channel x y"], y: Tensor) -> Asked:
        return self._at(x, torch.arange(1, x.shape[2] // 2 + 1, device=x.device).expand(len(x), -1))

    def _at(self, x: Tensor, distance: Int64[Tensor, "batch question"]) -> Asked:
        extent = x.shape[2]
        power = torch.fft.rfft(x, dim=2).abs().square().mean(dim=-1)
        correlation = torch.fft.irfft(power, n=extent, dim=2) / extent
        answer = correlation.gather(2, distance[:, None].expand(-1, x.shape[1], -1)).transpose(1, 2)
        return Asked(_angles(distance, extent, self.queries).cos(), answer)


def crest(profile: Float[Tensor, "batch x"]) -> Int64[Tensor, " batch"]:
    """The site nearest to the crest of the k = 1 mode: L / 2 pi times the phase of sum_x p(x) exp(2 pi i x / L)."""
    extent = profile.shape[-1]
    angles = 2 * np.pi * torch.arange(extent, device=profile.device) / extent
    phase = torch.atan2(profile @ angles.sin(), profile @ angles.cos())
    return (phase * extent / (2 * np.pi)).round().long() % extent


def _angles(position: Tensor, extent: int, harmonics: int) -> Float[Tensor, "batch question harmonic"]:
    k = torch.arange(1, harmonics + 1, device=position.device)
    return 2 * np.pi * k * position[..., None] / extent


def _require_counts(questions: int, harmonics: int) -> None:
    if questions < 1 or harmonics < 1:
        raise UserError(
            f"questions = {questions}, harmonics = {harmonics} ask nothing: give at least 1 of each, e.g. "
            "question.questions=16."
        )
