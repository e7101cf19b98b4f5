"""Fewer configurations of an ensemble, for what needs all of them at once and can do with some: the embedding."""

from __future__ import annotations

import numpy as np
import xarray as xr

from lattice_ml.ground.errors import UserError


def thin(ensemble: xr.Dataset, memory: float | None) -> xr.Dataset:
    """The ensemble, or as many samples of each trajectory, evenly spaced, as an embedding in ``memory`` GiB can take.

    PCA holds the order field of every configuration, float32 ``[configuration, x, y]``, and a centred copy: 8 bytes a
    site. Where not even the last sample of every trajectory fits, the first replicas are taken. Raises ``UserError`` if
    one replica is too much.
    """
    size = ensemble.sizes
    each = 8 * size["x"] * size["y"] * size["point"]  # bytes of one configuration at every point
    if memory is None or int(memory * 2**30) // each >= size["replica"] * size["sample"]:
        return ensemble
    room = int(memory * 2**30) // each
    if room < 1:
        raise UserError(
            f"data.memory = {memory:.3g} GiB is too small to name the phases, which takes one configuration of every "
            f"point at once: give at least data.memory={each / 2**30 * 1.01:.3g}."
        )
    samples = max(1, room // size["replica"])
    last = np.linspace(size["sample"] - 1, 0, samples + 1)[:-1].round().astype(int)[::-1]
    return ensemble.isel(replica=slice(min(size["replica"], room)), sample=np.unique(last))
