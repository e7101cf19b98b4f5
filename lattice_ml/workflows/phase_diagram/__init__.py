"""From an empty folder to a phase diagram with its reasons."""

from lattice_ml.workflows.phase_diagram.workflow import PhaseDiagram

__all__ = ["PhaseDiagram"]
