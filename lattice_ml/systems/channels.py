"""States of the host as tensors, and what nets see of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch

    from lattice_ml.systems.base import System


def state_tensor(states: np.ndarray) -> torch.Tensor:
    """States as a tensor: integers as int32 (torch's support of numpy's uint16 is partial), reals as they are."""
    import torch

    states = np.asarray(states)
    return torch.from_numpy(np.array(states) if states.dtype.kind == "f" else states.astype(np.int32))


def channels_of(system: System, states: np.ndarray) -> torch.Tensor:
    """States ``[..., species, x, y]`` of the host to float32 ``[..., channel, x, y]``."""
    return system.to_channels(state_tensor(states))


def embedded_channels(system: System) -> list[int]:
    """Numbers of the embedded channels among all."""
    return [system.channels.index(name) for name in system.embedded]
