"""Neural networks, one architecture per file; each takes ``[batch, channel, x, y]``."""
