"""What a decision tree asks, line by line."""

from __future__ import annotations

from matplotlib.figure import Figure

from lattice_ml.figures.archive import Arrays
from lattice_ml.figures.style import WIDTH, styled, texts


@styled
def draw(arrays: Arrays) -> Figure:
    """``of`` [tree] text: what it decides; ``rules`` [tree] text of several lines; both are written out as they
    are."""
    blocks = [f"{name}:\n{rules}" for name, rules in zip(texts(arrays["of"]), texts(arrays["rules"]), strict=True)]
    text = "\n".join(blocks)
    lines = text.splitlines()
    size = min(9.0, WIDTH * 72 / (0.62 * max(map(len, lines))))
    figure = Figure(figsize=(WIDTH, 0.4 + len(lines) * size * 1.35 / 72))
    figure.text(0.02, 0.98, text, family="DejaVu Sans Mono", size=size, va="top", linespacing=1.2)
    return figure
