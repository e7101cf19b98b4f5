"""Runs as pages: ``report.html`` of one run, ``index.html`` that compares many; self-contained, without a network."""

from lattice_ml.report.index import write_index
from lattice_ml.report.numbers import duration, with_error
from lattice_ml.report.page import write

__all__ = ["duration", "with_error", "write", "write_index"]
