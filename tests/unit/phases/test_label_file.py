"""Labels that are read are the labels that were written, or none."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np

from lattice_ml.phases.label import Labels
from lattice_ml.phases.label_file import load_labels, save_labels


def labels() -> Labels:
    generator = np.random.default_rng(0)
    four = [generator.integers(0, 3, (4, 2, 3)) for _ in range(4)]
    row = {"rho0": 3.0, "transition": "L|L+G", "control": "T", "value": 0.1 + 0.2, "error": None, "method": "umap"}
    return Labels(("L", "L+G", "G"), *four, generator.random((4, 3)), [row], {"L": {"m": 1 / 3}})


def test_every_bit_comes_back(tmp_path: Path) -> None:
    written = labels()
    save_labels(tmp_path / "labels.npz", written)
    read = load_labels(tmp_path / "labels.npz")
    assert read is not None
    for field in fields(Labels):
        mine, theirs = getattr(read, field.name), getattr(written, field.name)
        assert type(mine) is type(theirs)
        if isinstance(theirs, np.ndarray):
            assert mine.dtype == theirs.dtype
        np.testing.assert_array_equal(mine, theirs)
    assert read.summary() == written.summary()


def test_a_file_that_is_absent_damaged_or_another_is_no_labels(tmp_path: Path) -> None:
    path = tmp_path / "labels.npz"
    assert load_labels(path) is None
    save_labels(path, labels())
    path.write_bytes(path.read_bytes()[:-200])
    assert load_labels(path) is None
    np.savez(path, labels=np.zeros(3))
    assert load_labels(path) is None
    np.savez(path, labels=np.array([object()], dtype=object))  # pickled, and never unpickled
    assert load_labels(path) is None
