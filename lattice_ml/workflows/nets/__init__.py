"""Which kind of net learns an observable best, and how far beyond its training it holds?"""

from lattice_ml.workflows.nets.workflow import CompareNets

__all__ = ["CompareNets"]
