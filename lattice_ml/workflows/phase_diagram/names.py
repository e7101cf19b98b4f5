"""What every workflow on phases begins with: names without labels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lattice_ml.phases.label_file import load_labels, save_labels
from lattice_ml.phases.settings import Naming
from lattice_ml.runs.run import Run

if TYPE_CHECKING:
    import xarray as xr

    from lattice_ml.phases.label import Labels
    from lattice_ml.systems.base import System

LABELS = "labels.npz"
"""Of a run: what the training learns. See ``phases/label_file.py``."""


def name_phases(naming: Naming, run: Run, system: System, ensemble: xr.Dataset, memory: float | None = None) -> Labels:
    """PCA, UMAP, clusters, names: labels and transitions with no human in between.

    memory: GiB; of a larger ensemble fewer configurations are embedded.

    A run finds its labels once: interrupted later, it goes on with those that it found.
    """
    from lattice_ml.data.thin import thin
    from lattice_ml.phases.embed import embed
    from lattice_ml.phases.label import name_clusters
    from lattice_ml.workflows.phase_diagram import label_figures

    kept = load_labels(run.folder / LABELS)
    if kept is not None:
        run.console.print(f"going on with {run.folder / LABELS}", highlight=False, soft_wrap=True)
        run.results["labels"] = kept.summary()
        return kept
    whole, ensemble = ensemble, thin(ensemble, memory)
    if ensemble is not whole:
        few, many = (part["configurations"].isel(species=0, x=0, y=0).size for part in (ensemble, whole))
        run.console.print(f"data.memory leaves room to embed {few:,} of {many:,} configurations", highlight=False)
    embedding = embed(ensemble, system, **naming.model_dump())
    label_figures.draw_components(run.figures, embedding.ratios, embedding.components)
    label_figures.draw_plane(
        run.figures, system, ensemble, embedding, np.full(len(embedding.plane), -1)
    )  # if naming fails
    labels = name_clusters(embedding, ensemble, system, seed=naming.seed)
    label_figures.draw_plane(run.figures, system, ensemble, embedding, labels.phase.ravel())
    label_figures.draw_labels(run.figures, system, ensemble, labels)
    save_labels(run.folder / LABELS, labels)  # last: with them the step is done
    run.results["labels"] = labels.summary()
    return labels
