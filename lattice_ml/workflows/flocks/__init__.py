"""The physics of flocks without learning: binodals, bands, fluctuations, and boundaries under other rules."""
