"""Every picture, drawn from saved arrays and nothing else: ``figures/<name>.npz`` beside ``figures/<name>.png``.

One module per picture, named as the figure is, in a folder per question, each with ``draw(arrays) -> Figure`` whose
docstring lists the arrays; `archive.save` writes the arrays and draws what it reads back. Nothing here computes
physics.
"""

from lattice_ml.figures.archive import load, save

__all__ = ["load", "save"]
