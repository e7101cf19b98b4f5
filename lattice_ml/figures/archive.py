"""The arrays behind a figure: saved first, and drawn from what was saved, so that anyone can draw it again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Arrays = Mapping[str, np.ndarray]
DPI = 220  # a figure 4.8 inches wide has 1,056 pixels: sharp on a phone and in a printed column


def save(folder: Path | str, name: str, arrays: Mapping[str, object], draw: Callable[[Arrays], Figure]) -> Path:
    """Write ``<folder>/<name>.npz``, read it back, draw ``<folder>/<name>.png`` from it and return the picture's path.

    ``arrays`` holds anything that `numpy.asarray` turns into an array of numbers, truth values or text; an array of
    Python objects would need pickle and is refused with a `TypeError`. To draw a saved figure again::

        save("figures", "pca", load("figures/pca.npz"), pca.draw)
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    saved = {key: np.asarray(value) for key, value in arrays.items()}
    for key, array in saved.items():
        if array.dtype.hasobject:
            raise TypeError(f"figure {name}: array {key!r} holds Python objects; give numbers or text of one shape")
    # Opened by hand: numpy adds ".npz" to a path whose name ends otherwise ("saliency_0.01").
    with open(folder / f"{name}.npz", "wb") as file:
        np.savez_compressed(file, **saved)  # pyright: ignore[reportArgumentType]
    figure = draw(load(folder / f"{name}.npz"))
    picture = folder / f"{name}.png"
    figure.savefig(picture, format="png", dpi=DPI, metadata={"Software": None})
    return picture


def load(path: Path | str) -> dict[str, np.ndarray]:
    """The arrays of a figure's ``.npz`` by name; pickled content raises `ValueError` and is never run."""
    with np.load(path, allow_pickle=False) as archive:
        return {key: archive[key] for key in archive.files}
