"""The pictures of explanations of a finished run: which arrays go into each, and its caption."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lattice_ml.figures import save
from lattice_ml.figures.captions import caption

if TYPE_CHECKING:
    from lattice_ml.systems.base import Point
    from lattice_ml.workflows.explanations.explained import Explained


def draw_gallery(
    folder: Path,
    found: Explained,
    number: int,
    fields: np.ndarray,
    maps: Mapping[str, np.ndarray],
    output: str,
    point: Point,
) -> None:
    """fields: ``[channel, x, y]``; maps: the same for each method."""
    from lattice_ml.figures.explain import gallery

    where = ", ".join(f"{name} = {value:g}" for name, value in point.items())
    name = f"gallery_{number + 1}"
    arrays = {
        "fields": fields,
        "channels": found.system.channels,
        "methods": list(maps),
        "maps": np.stack(list(maps.values())),
        "title": f"{where}: score of {output}",
    }
    save(folder, name, arrays, gallery.draw)
    caption(
        folder,
        name,
        f"Where the net looked: {output} at {where}",
        "A held-out configuration, and what each method says its score depends on: red raises the score, blue "
        "lowers it. Methods have scales of their own, saliency and SmoothGrad per unit of the channel, the others "
        "in units of the score; Grad-CAM and occlusion speak of all channels together.",
        f"A configuration at {where} and its attribution maps by {', '.join(maps)}.",
    )


def draw_trust(folder: Path, told: Mapping[str, Any]) -> None:
    """told: the rows of ``results["attribution"]``."""
    from lattice_ml.figures.explain import trust

    layers = list(next(iter(told.values()))["cascade"])
    arrays: dict[str, Any] = {
        "methods": list(told),
        "layers": layers,
        "cascade": [[row["cascade"][layer] for layer in layers] for row in told.values()],
    }
    for name in ("infidelity", "sensitivity"):
        arrays[name] = [row[name]["value"] for row in told.values()]
        arrays[f"{name}_error"] = [
            np.nan if row[name]["error"] is None else row[name]["error"] for row in told.values()
        ]
    save(folder, "trust", arrays, trust.draw)
    caption(
        folder,
        "trust",
        "Which method to believe",
        "Infidelity: 0 if the map predicts how the score changes when a rectangle is set to the mean, 1 if it "
        "predicts nothing. Sensitivity: the largest relative change of the map under small changes of the input. "
        "Below: rank correlation with the map of the same net with weights drawn anew; a method that stays high "
        "shows the input, not what was learned.",
        "Infidelity, sensitivity and randomisation check of the attribution methods.",
    )
