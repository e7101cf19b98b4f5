"""How far does a net carry that saw one density? Committees beside the independent truth."""

from lattice_ml.workflows.committee.densities import DensitySaliency
from lattice_ml.workflows.committee.workflow import CommitteeBoundaries

__all__ = ["CommitteeBoundaries", "DensitySaliency"]
