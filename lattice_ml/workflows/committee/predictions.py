"""What committees say of configurations: asked once, and kept."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np

from lattice_ml.runs.run import Run
from lattice_ml.workflows.committee.parts import Part

if TYPE_CHECKING:
    from lattice_ml.tasks.classify_committee import ClassifyCommittee

PREDICTIONS = "predictions.npz"
"""Of a committee whose training is over: the probabilities of every member for every configuration of every part."""


@runtime_checkable
class ReadsOtherTori(Protocol):
    """A net that reads other tori than that of its training, and says which do not fit."""

    def check_extents(self, extent_x: int, extent_y: int) -> None:
        """Raise ``UserError`` on a torus that it cannot read."""


def ask(run: Run, kept: Path, task: ClassifyCommittee, parts: Sequence[Part]) -> dict[str, np.ndarray]:
    """``probabilities`` for every part that these nets can read, by its name; from the file ``kept`` if it is there."""
    from lattice_ml.figures.archive import load

    if kept.exists():
        return load(kept)
    found = {}
    for part in parts:
        if fits(task, part):
            run.console.print(f"asking about {part.name}", highlight=False)
            found[part.name] = probabilities(task, part)
    save_predictions(kept, found)
    return found


def fits(task: ClassifyCommittee, part: Part) -> bool:
    """Can these nets read the part's torus? Those that flatten read their own alone."""
    return part.system.extents == task.system.extents or isinstance(task.net.template, ReadsOtherTori)


def probabilities(task: ClassifyCommittee, part: Part) -> np.ndarray:
    """Float32 ``[member, point, replica, sample, class]``; one point at a time is read."""
    ordered = part.ensemble["configurations"].transpose("point", "replica", "sample", "species", "x", "y")
    found = [task.probabilities(point.to_numpy().reshape(-1, *ordered.shape[3:])) for point in ordered]
    return np.stack(found, axis=1).reshape(task.net.members, *ordered.shape[:3], -1)


def save_predictions(path: Path, found: dict[str, np.ndarray]) -> None:
    """Write them whole or not at all."""
    import io

    from lattice_ml.ground.files import write_file

    content = io.BytesIO()
    np.savez_compressed(content, allow_pickle=False, **found)
    write_file(path, content.getvalue())
