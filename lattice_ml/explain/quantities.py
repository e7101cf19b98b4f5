"""The known quantities of configurations, against which latents are held: control parameters, observables, the band."""

from __future__ import annotations

import numpy as np
import xarray as xr
from jaxtyping import Float, Int64, Integer

from lattice_ml.ensembles.store import points_of
from lattice_ml.systems.base import System
from lattice_ml.systems.channels import channels_of


def quantities(system: System, ensemble: xr.Dataset) -> dict[str, Float[np.ndarray, " n"]]:
    """Name -> a number for every configuration, in the order (point, replica, sample).

    Those control parameters that vary, the system's observables, and, of a system with a density, ``band``. What does
    not vary is left out.
    """
    parts: dict[str, list[np.ndarray]] = {}
    for number, point in enumerate(points_of(ensemble)):
        states = ensemble["configurations"][number].to_numpy()
        states = states.reshape(-1, *states.shape[2:])
        found = {**system.observables(states, point), **band(system, states)}
        found |= {name: np.full(len(states), float(value)) for name, value in point.items()}
        for name, values in found.items():
            parts.setdefault(name, []).append(np.asarray(values, dtype=np.float64))
    joined = {name: np.concatenate(values) for name, values in parts.items()}
    return {name: values for name, values in joined.items() if np.ptp(values) > 0}


def trajectories(ensemble: xr.Dataset) -> Int64[np.ndarray, " n"]:
    """The number of each configuration's trajectory, in the order (point, replica, sample)."""
    points, replicas, samples = (ensemble.sizes[name] for name in ("point", "replica", "sample"))
    return np.repeat(np.arange(points * replicas), samples)


def band(system: System, states: Integer[np.ndarray, "n species x y"]) -> dict[str, Float[np.ndarray, " n"]]:
    """Where the band of an active system stands and how wide it is; nothing for a system without a density.

    With m(x) and rho(x) the means over y of magnetisation and density:

    - ``band_cos`` and ``band_sin``: real and imaginary part of sum_x rho(x) exp(2 pi i x / Lx) / sum_x rho(x). The
      modulus is the observable ``density_band``, the phase the place of the crest: it means nothing where there is no
      band, and there the two are near 0;
    - ``band_width``: (sum_x m)² / (Lx sum_x m²), the share of the columns that carry the magnetisation: w for a slab of
      width w Lx in an unmagnetised gas, 1 for a uniform liquid, near 0 in a gas.
    """
    if "density" not in system.channels:
        return {}
    channels = channels_of(system, states).numpy().astype(np.float64).mean(axis=-1)
    m, rho = (channels[:, system.channels.index(name)] for name in ("magnetisation", "density"))
    mode = rho @ np.exp(2j * np.pi * np.arange(rho.shape[1]) / rho.shape[1]) / rho.sum(axis=1)
    width = m.sum(axis=1) ** 2 / np.maximum(m.shape[1] * (m**2).sum(axis=1), 1e-300)
    return {"band_cos": mode.real, "band_sin": mode.imag, "band_width": width}
