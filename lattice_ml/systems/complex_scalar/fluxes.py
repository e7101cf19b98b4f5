"""A state of integers on links, and the two sums over the links of a site that weights and conservation depend on."""

from __future__ import annotations

import numpy as np

K_T, K_X, L_T, L_X = range(4)
"""Numbers of the species: fluxes k and unconstrained l on links in time and in space."""
TIME, SPACE = -2, -1
"""Axes of a state ``[..., species, x, y]``: the store's x is time here, and its y is space."""


def divergence(states: np.ndarray) -> np.ndarray:
    """d_x of states ``[..., species, x, y]``: flux that leaves a site minus what enters it, int32 ``[..., x, y]``."""
    k_t, k_x = (states[..., n, :, :].astype(np.int32) for n in (K_T, K_X))
    return k_t - np.roll(k_t, 1, TIME) + k_x - np.roll(k_x, 1, SPACE)


def site_sums(states: np.ndarray) -> np.ndarray:
    """f_x of states ``[..., species, x, y]``, int32 ``[..., x, y]``: |k| + 2 l summed over the four links of a site."""
    links = (
        np.abs(states[..., k, :, :].astype(np.int32)) + 2 * states[..., k + 2, :, :].astype(np.int32)
        for k in (K_T, K_X)
    )
    in_time, in_space = links
    return in_time + np.roll(in_time, 1, TIME) + in_space + np.roll(in_space, 1, SPACE)
