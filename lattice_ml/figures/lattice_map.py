"""A field on the torus as a picture: x to the right (the drift is along x), y upwards, one pixel per site."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

SYMBOLS = {"magnetisation": "$m_i$", "density": r"$\rho_i$"}


def label(channel: str) -> str:
    """A channel's name and symbol."""
    return f"{channel} {SYMBOLS.get(channel, '')}".strip()


def signed(channel: str, field: np.ndarray) -> bool:
    """Whether zero is the middle of a channel's scale: the magnetisation, and whatever takes both signs."""
    return channel == "magnetisation" or bool((field < 0).any())


def scale(channel: str, fields: np.ndarray) -> tuple[str, float, float]:
    """(colour map, lowest, highest) that one channel shares in all pictures of a row.

    Blue to red through white at zero for a signed channel, light to dark from zero for one that is never negative.
    The scale ends at the 99.5th percentile, so that one crowded site does not bleach the rest.
    """
    top = float(np.percentile(np.abs(fields), 99.5)) or 1.0
    return ("RdBu_r", -top, top) if signed(channel, fields) else ("BuPu", 0.0, top)


def show(ax: Axes, field: np.ndarray, look: tuple[str, float, float]) -> AxesImage:
    """Draw ``field`` [x, y] with the look that `scale` gave."""
    colours, lowest, highest = look
    width, height = field.shape
    ax.grid(False)
    for spine in ax.spines.values():
        spine.set_visible(True)
    ax.set_xticks([0, width])
    ax.set_yticks([0, height])
    box = (0, width, 0, height)
    return ax.imshow(field.T, origin="lower", cmap=colours, vmin=lowest, vmax=highest, extent=box, rasterized=True)


def bar(figure: Figure, image: AxesImage, axes: list[Axes], name: str, aspect: float) -> None:
    """The colour scale of ``image``, below the panels that share it: there it fits whatever the torus' proportions."""
    scale_bar = figure.colorbar(image, ax=axes, location="bottom", aspect=aspect, pad=0.02, label=name)
    scale_bar.outline.set_linewidth(0.5)  # pyright: ignore[reportCallIssue]


def panel_height(fields: np.ndarray, width: float) -> float:
    """Inches that a panel of this width needs for fields [..., x, y], so that sites are square."""
    return width * max(fields.shape[-1] / fields.shape[-2], 0.2)
