"""A trajectory as a film: a GIF, and an MP4 beside it where ffmpeg is there."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.animation import FFMpegWriter, FuncAnimation, PillowWriter
from matplotlib.figure import Figure

from lattice_ml.figures import lattice_map
from lattice_ml.figures.archive import Arrays, load
from lattice_ml.figures.style import RC, WIDTH, styled, texts

DPI = 100


def save(folder: Path, name: str, arrays: Mapping[str, np.ndarray]) -> Path:
    """Write ``<folder>/<name>.npz``, read it back and draw ``<name>.gif`` from it, whose path is returned.

    ``fields`` [time, channel, x, y], ``channels`` [channel] text, ``time`` [time] since the first frame, in
    ``time_unit`` (text), ``title`` text, ``seconds`` that the film takes.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / f"{name}.npz", "wb") as file:
        np.savez_compressed(file, **arrays)  # pyright: ignore[reportArgumentType]
    saved = load(folder / f"{name}.npz")
    rate = len(saved["time"]) / float(saved["seconds"])
    with matplotlib.rc_context(RC):
        film = draw(saved)
        film.save(folder / f"{name}.gif", writer=PillowWriter(fps=rate), dpi=DPI)  # pyright: ignore[reportArgumentType]
        if FFMpegWriter.isAvailable():
            film.save(folder / f"{name}.mp4", writer=FFMpegWriter(fps=rate), dpi=DPI)  # pyright: ignore[reportArgumentType]
    return folder / f"{name}.gif"


@styled
def draw(arrays: Arrays) -> FuncAnimation:
    """The frames of a film; a channel keeps its colours through all of them."""
    fields, channels, time = arrays["fields"], texts(arrays["channels"]), arrays["time"]
    title, unit = texts(arrays["title"])[0], texts(arrays["time_unit"])[0]
    panel = (WIDTH - 0.5) / len(channels)
    figure = Figure(figsize=(WIDTH, 1.3 + lattice_map.panel_height(fields, panel)))
    axes = figure.subplots(1, len(channels), squeeze=False)[0]
    images = []
    for ax, channel, row in zip(axes, channels, fields.swapaxes(0, 1), strict=True):
        images.append(lattice_map.show(ax, row[0], lattice_map.scale(channel, row)))
        lattice_map.bar(figure, images[-1], [ax], lattice_map.label(channel), 20)

    def frame(number: int) -> list:
        for image, field in zip(images, fields[number], strict=True):
            image.set_data(field.T)
        figure.suptitle(f"{title}, time {time[number]:.4g} ({unit})", fontsize=10)
        return images

    return FuncAnimation(figure, frame, frames=len(time))
