"""Names of the first edition that configurations and run folders still hold, and what they are called today."""

from __future__ import annotations

from typing import Any

ROOMS = {
    "lattice_ml.checkpoints.": "lattice_ml.ground.checkpoints.",
    "lattice_ml.training_lines.": "lattice_ml.runs.training_lines.",
}
WORKFLOWS = {
    "lattice_ml.workflows.phase_diagram.find_phase_diagram": "lattice_ml.workflows.phase_diagram.PhaseDiagram",
    "lattice_ml.workflows.phase_committee.find_boundaries": "lattice_ml.workflows.committee.CommitteeBoundaries",
    "lattice_ml.workflows.saliency_of_densities.look_at_densities": "lattice_ml.workflows.committee.DensitySaliency",
    "lattice_ml.workflows.compare_nets.compare_nets": "lattice_ml.workflows.nets.CompareNets",
    "lattice_ml.workflows.latents.find_latents": "lattice_ml.workflows.latents.Latents",
    "lattice_ml.workflows.queries.answer_queries": "lattice_ml.workflows.latents.Queries",
    "lattice_ml.workflows.pendulum.rediscover_pendulum": "lattice_ml.workflows.latents.Pendulum",
    "lattice_ml.workflows.unsupervised.find_without_labels": "lattice_ml.workflows.unsupervised.WithoutLabels",
    "lattice_ml.workflows.label_free.find_transitions": "lattice_ml.workflows.unsupervised.LabelFree",
    "lattice_ml.workflows.white_boxes.fit_white_boxes": "lattice_ml.workflows.white_boxes.WhiteBoxes",
    "lattice_ml.workflows.flock_physics.describe_flock": "lattice_ml.workflows.flocks.FlockPhysics",
    "lattice_ml.workflows.vary_activity.vary_activity": "lattice_ml.workflows.flocks.VaryActivity",
}
DROPPED = ("trial", "trial_ensembles", "sampled")
"""Settings of ``workflow`` that are the workflow's own methods now."""


def renamed(plain: Any) -> Any:
    """The tree of plain values with today's names."""
    if isinstance(plain, dict):
        tree = {key: renamed(value) for key, value in plain.items()}
        target = tree.get("_target_")
        if isinstance(target, str):
            if target in WORKFLOWS:
                tree = {key: value for key, value in tree.items() if key not in DROPPED}
                tree["_target_"] = WORKFLOWS[target]
            for old, new in ROOMS.items():
                if target.startswith(old):
                    tree["_target_"] = new + target.removeprefix(old)
        return tree
    return [renamed(value) for value in plain] if isinstance(plain, list) else plain
