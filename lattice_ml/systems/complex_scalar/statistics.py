"""Numbers of a flux configuration that a physicist would read off: how its links, sites and plaquettes are filled.

Each is a mean over the N sites of the torus, so that lattices of any extents are compared:

- ``abs_k_t``, ``abs_k_x``: < |k| > on links in time and in space; ``mean_l``: < l > of both directions;
- ``k_t_plus``, ``k_t_minus``: shares of the links in time with k > 0 and k < 0, flux that runs along and against time;
- ``f_0``, ``f_2``, ``f_4``, ``f_6``, ``f_8``: shares of the sites with f_x = 0, 2, 4, 6, and f_x >= 8. The estimator
  of |phi|² is sum_f p(f) W(f + 2) / W(f), linear in them where f < 8; odd f, at the ends of open worms, count with
  the even one below;
- ``curl``: < |c_x| >, c_x = k_t(r) + k_x(r + t) - k_t(r + x) - k_x(r), the circulation around a plaquette, and
  ``curl_share``, the share of plaquettes where it is not 0. A closed loop around one plaquette makes c = 4 there and
  -1 beside it.

Source of f_x and the estimator: ``physics``; the circulation is the lattice curl of a vector field on links.
"""

from __future__ import annotations

import numpy as np

from lattice_ml.systems.complex_scalar.fluxes import K_T, K_X, L_T, L_X, SPACE, TIME, site_sums

LARGEST_F = 8


def link_statistics(states: np.ndarray) -> dict[str, np.ndarray]:
    """The statistics of integer states ``[..., species, x, y]`` (x is time), each float64 ``[...]``."""
    k_t, k_x, l_t, l_x = (states[..., n, :, :].astype(np.int32) for n in (K_T, K_X, L_T, L_X))
    f = np.minimum(site_sums(states), LARGEST_F) // 2
    curl = k_t + np.roll(k_x, -1, TIME) - np.roll(k_t, -1, SPACE) - k_x

    def mean(values: np.ndarray) -> np.ndarray:
        return values.mean(axis=(TIME, SPACE), dtype=np.float64)

    return {
        "abs_k_t": mean(np.abs(k_t)),
        "abs_k_x": mean(np.abs(k_x)),
        "mean_l": mean(l_t + l_x) / 2,
        "k_t_plus": mean(k_t > 0),
        "k_t_minus": mean(k_t < 0),
        **{f"f_{2 * half}": mean(f == half) for half in range(LARGEST_F // 2 + 1)},
        "curl": mean(np.abs(curl)),
        "curl_share": mean(curl != 0),
    }
