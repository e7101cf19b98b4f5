"""Several nets of one architecture, of any kind, trained at once in one process: a deep ensemble.

All members see the same batches in the same order and differ by their first weights, so data, augmentation and
everything else that comes before the nets is paid for once. Members of nets that are lists of layers can share more:
``nets/members.py``.

Source: B. Lakshminarayanan, A. Pritzel & C. Blundell, "Simple and scalable predictive uncertainty estimation using deep
ensembles", NeurIPS 2017: members that differ by initialisation alone are diverse enough to tell what one does not know.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from lattice_ml.nets.members import draw_nets


class Committee(nn.Module):
    """The nets ``[member]``; ``[batch, channel, x, y]`` -> ``[member, batch, output]``.

    Each net has the attributes ``in_channels`` and ``outputs``. Where ``net(x) = net.read(net.pattern(x))`` and
    ``pattern`` knows no weights, it is done once for all.
    """

    def __init__(self, nets: Sequence[nn.Module]) -> None:
        super().__init__()
        self.nets = nn.ModuleList(nets)

    @classmethod
    def initialise(cls, build: Callable[[], nn.Module], members: int, seed: int) -> Committee:
        """``members`` nets of ``build()``; the weights of member m are a function of (seed, m) alone."""
        return cls(draw_nets(build, members, seed))

    @property
    def members(self) -> int:
        return len(self.nets)

    @property
    def template(self) -> nn.Module:
        """A net that shows what all are."""
        return self.nets[0]

    def member(self, m: int) -> nn.Module:
        """Net m itself."""
        return self.nets[m]

    def forward(self, x: Float[Tensor, "batch channel x y"]) -> Float[Tensor, "member batch output"]:
        nets: Any = self.nets
        if not hasattr(self.template, "pattern"):
            return torch.stack([net(x) for net in nets])
        h = nets[0].pattern(x)
        return torch.stack([net.read(h) for net in nets])

    def everywhere(self, x: Float[Tensor, "batch channel x y"]) -> Float[Tensor, "member batch output"]:
        """The mean output over the translations that cells of c × c sites break: f̄(x) = c⁻² sum_{a, b < c} f(x moved by
        (a, b)), which no translation changes where f is one of cells (an attribute ``cell`` of the nets); else f(x)."""
        cell = int(getattr(self.template, "cell", 1))
        moved = [torch.roll(x, (a, b), dims=(-2, -1)) for a in range(cell) for b in range(cell)]
        return torch.stack([self(own) for own in moved]).mean(0)

    def squares(self) -> Float[Tensor, " member"]:
        """sum w² of each member over the weights of its convolutions and dense layers, not the biases."""
        layers = [[m.weight for m in net.modules() if isinstance(m, nn.Conv2d | nn.Linear)] for net in self.nets]
        return torch.stack([torch.stack([weight.square().sum() for weight in own]).sum() for own in layers])

    @torch.no_grad()
    def adopt(self, which: Bool[Tensor, " member"], other: Committee) -> None:
        """Take the weights of the members ``which`` from another committee."""
        for m in torch.nonzero(which)[:, 0].tolist():
            self.nets[m].load_state_dict(other.nets[m].state_dict())
