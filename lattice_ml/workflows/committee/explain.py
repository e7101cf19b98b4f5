"""Where the nets of a committee look, and what they begin with: Figs. 4, 7 and 8 of Casert et al., in numbers too."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import nn

from lattice_ml.ensembles import progress
from lattice_ml.runs.run import Run
from lattice_ml.tasks.committee_member import CommitteeMember

if TYPE_CHECKING:
    from lattice_ml.workflows.committee.parts import Judged, Part

SHOWN = 0.56
"""The temperature of the configuration in the picture, as in the paper's Fig. 4, or the nearest that there is."""


def explain(run: Run, test: Part, judged: Sequence[Judged]) -> None:
    """Saliency, first kernels and the architecture of every committee's best net; numbers over all nets.

    test: replicas that no net was trained on. Systems without a density have no bands to look at, and no such pictures.
    """
    from lattice_ml.ensembles.store import points_of
    from lattice_ml.explain.attribution import saliency
    from lattice_ml.workflows.common import net_pictures

    system = test.system
    first = judged[0].task.best.template
    net_pictures.draw_architecture(
        run.figures, copy.deepcopy(first), len(system.channels), system.extents, type(first).__name__
    )
    best = {one.l2: CommitteeMember(one.task).eval() for one in judged}
    kernels = net_pictures.draw_kernels(
        run.figures,
        {f"λ = {l2:g}": first_layer(own).weight.detach().cpu().numpy() for l2, own in best.items()},
        system.channels,
    )
    run.results["kernels"] = kernels
    if "density" not in system.channels:
        return
    phase = system.phases[len(system.phases) // 2]
    point = int(np.argmin(np.abs(test.ensemble[system.control].values - SHOWN)))
    states = test.ensemble["configurations"][point].transpose("replica", "sample", ...).to_numpy()
    states = states.reshape(-1, *states.shape[2:])
    maps = {f"λ = {l2:g}": saliency(own, states[-1], phase) for l2, own in best.items()}
    net_pictures.draw_saliency_nets(run.figures, system, states[-1], maps, phase, points_of(test.ensemble)[point])
    run.results["saliency"] = {f"{one.l2:g}": edges(one, states, phase) for one in judged}


def first_layer(alone: CommitteeMember) -> nn.Conv2d:
    """The first convolution of a net."""
    return next(layer for layer in alone.net.modules() if isinstance(layer, nn.Conv2d))


def edges(one: Judged, states: np.ndarray, phase: str) -> dict[str, Any]:
    """``explain.edges.judge_saliency`` of every net of a committee: each number's mean over nets with the standard
    deviation between them, and the share of nets whose maps lie on the edges of the band at p < 0.01."""
    from lattice_ml.explain.edges import judge_saliency

    found = []
    with progress.show(f"judging saliency, lambda = {one.l2:g}", one.task.net.members) as report:
        for m in range(one.task.net.members):
            found.append(judge_saliency(CommitteeMember(one.task, m).eval(), states, phase, draws=1, seed=m))
            report(m + 1)
    told: dict[str, Any] = {}
    for name in found[0]:
        values = np.array([row[name]["value"] for row in found])
        error = float(values.std(ddof=1)) if len(values) > 1 else None
        told[name] = {"value": float(values.mean()), "error": error, "n": len(values)}
    told["on_edges"] = float(np.mean([row["columns"]["p"] < 0.01 for row in found]))
    return told
