"""The physics of flocks without learning: binodals, bands, fluctuations, and boundaries under other rules."""

from lattice_ml.workflows.flocks.activity import VaryActivity
from lattice_ml.workflows.flocks.physics import FlockPhysics

__all__ = ["FlockPhysics", "VaryActivity"]
