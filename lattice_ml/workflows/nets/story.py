"""Which pictures a comparison of nets is told by."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from lattice_ml.ensembles.family import torus_name
from lattice_ml.figures import captions
from lattice_ml.runs.run import Run
from lattice_ml.workflows.nets import figures as net_figures
from lattice_ml.workflows.nets.results import Trained, told_of


def draw(
    run: Run,
    trained: list[Trained],
    extents: tuple[int, int],
    learned: Mapping[str, np.ndarray],
    targets: Mapping[str, np.ndarray],
    outputs: Iterable[str],
) -> None:
    """Every picture that the evaluations hold something for.

    extents: of the training. learned: values of each parameter in the training. targets: ``[configuration, output]`` of
    the training and of every test lattice, by name.
    """
    task, torus = told_of(trained[0].evaluation, outputs), torus_name(extents)
    net_figures.draw_sizes(run.figures, trained, task, torus)
    net_figures.draw_learning(run.figures, trained, task, torus)
    net_figures.draw_generalisation(run.figures, trained, task, torus)
    if "worms" in learned:
        net_figures.draw_counts(run.figures, trained, task, torus, learned["worms"])
    else:
        net_figures.draw_chemical_potential(
            run.figures, trained, task, extents, run.results["system"]["lam"], learned["mu"]
        )
        net_figures.draw_distributions(run.figures, task, targets)
    captions.tell(run.figures, net_figures.STORY)
