"""A finished run of committees, to be asked why."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING

from lattice_ml.ground.errors import UserError
from lattice_ml.workflows.phase_diagram.checks import test_replicas

if TYPE_CHECKING:
    from lattice_ml.workflows.committee.committees import Committees
    from lattice_ml.workflows.explanations.explained import Explained


def best_net(workflow: Committees, folder: Path, wanted: str | None) -> Explained:
    """The net of the best validation loss of the first committee, or of that with the wanted strength of the L2 term,
    e.g. 0.01; raises ``UserError`` if there is none. What it has not seen are the replicas of the test."""
    from lattice_ml.tasks.committee_member import CommitteeMember
    from lattice_ml.tasks.members import load_members
    from lattice_ml.workflows.explanations.explained import Explained

    strengths = {f"{l2:g}": l2 for l2 in workflow.committee.l2}
    name = wanted or next(iter(strengths))
    if name not in strengths:
        raise UserError(f"the run {folder} trained no committee {name!r}: give net=<one of {', '.join(strengths)}>.")
    system, home = workflow.ensemble.system, workflow.home(folder, strengths[name])
    task = load_members(home / "checkpoints" / "last.ckpt", workflow.fresh(system, strengths[name]))
    member = CommitteeMember(task).eval()
    unseen = functools.partial(test_replicas, workflow.data, workflow.ensemble, workflow.seed)
    return Explained(folder, system, member, member, task.outputs, True, unseen)
