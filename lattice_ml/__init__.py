"""lattice_ml: from the rules of a lattice system to its phase diagram, with the reasons shown."""

__version__ = "0.1.0"
