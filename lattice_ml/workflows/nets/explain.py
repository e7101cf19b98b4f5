"""What the trained nets do with a configuration: how equivariant they are, and what their first layers see."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from lattice_ml.ensembles.family import torus_name
from lattice_ml.runs.run import Run
from lattice_ml.systems.channels import channels_of
from lattice_ml.workflows.common.protocol import torus_of
from lattice_ml.workflows.nets.data import Test
from lattice_ml.workflows.nets.results import Trained, largest
from lattice_ml.workflows.nets.training import folder_of

if TYPE_CHECKING:
    from lattice_ml.workflows.nets.workflow import CompareNets


def explain(workflow: CompareNets, run: Run, trained: list[Trained], tests: list[Test]) -> None:
    """Equivariance of the first instance of every net; what the first layers of the first one make of a violation."""

    from lattice_ml.nets.equivariance import equivariance_error
    from lattice_ml.tasks.members import load_members
    from lattice_ml.workflows.nets import maps as net_maps

    system = workflow.ensemble.system
    own = next((test.dataset for test in tests if torus_of(test.dataset) == torus_name(system.extents)), None)
    if own is None:
        return
    nets = workflow.nets(system)
    number = int(np.argmax(own["worms"].values == 1)) if "worms" in own.coords else -1  # a single worm is clearest
    states = own["configurations"][number].to_numpy().reshape(-1, len(system.species), *system.extents)[:16]
    x = channels_of(system, states)
    maps: dict[str, np.ndarray] = {}
    run.results["equivariance_error"] = {}
    for number, one in enumerate(largest(trained)):
        last = folder_of(run.folder, workflow.once, one.name, one.samples) / "checkpoints" / "last.ckpt"
        net = load_members(last, workflow.instances(one.name, nets[one.name], system)).best.member(0).eval()
        found = equivariance_error(net, x)
        run.results["equivariance_error"][one.name] = found.relative
        maps[one.name] = (found.map / found.scale.clamp_min(1e-30)).amax(-1).numpy()
        if number == 0 and "worms" in one.evaluation.points:
            net_maps.draw_feature_maps(run.figures, states[0], net_maps.first_maps(net, x[:1]), one.name)
    net_maps.draw_equivariance(run.figures, maps, torus_name(system.extents))
