"""Phases and transitions without labels."""

from lattice_ml.workflows.unsupervised.label_free import LabelFree
from lattice_ml.workflows.unsupervised.workflow import WithoutLabels

__all__ = ["LabelFree", "WithoutLabels"]
