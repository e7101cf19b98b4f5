"""The physics: one folder per lattice system, all of one shape (see ``base.py``)."""
