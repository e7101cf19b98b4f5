"""The labels of a run, kept: found once, and the same ever after, on whatever machine the run goes on.

UMAP and the clusters are the same bits for the same bits of input on one machine, but another processor rounds
differently. A training that resumes elsewhere must not go on with other labels, and the processes of one training must
not differ in theirs.
"""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lattice_ml.ground.boundary_rows import today
from lattice_ml.ground.files import write_file

if TYPE_CHECKING:
    from lattice_ml.phases.label import Labels

ARRAYS = ("labels", "phase", "cluster", "group", "shares")


def save_labels(path: Path, labels: Labels) -> None:
    """Write the labels as ``.npz``, whole or not at all: the arrays, and the rest as JSON text."""
    fields = asdict(labels)
    arrays = {name: fields.pop(name) for name in ARRAYS}
    content = io.BytesIO()
    np.savez_compressed(content, allow_pickle=False, **arrays, rest=np.array(json.dumps(fields)))
    write_file(path, content.getvalue())


def load_labels(path: Path) -> Labels | None:
    """The labels of ``save_labels``, equal in every bit; None if there are none or the file is damaged."""
    from lattice_ml.phases.label import Labels

    try:
        with np.load(path, allow_pickle=False) as archive:
            rest = json.loads(str(archive["rest"]))
            rest["transitions"] = [today(row) for row in rest["transitions"]]
            return Labels(**{name: archive[name] for name in ARRAYS}, **{**rest, "phases": tuple(rest["phases"])})
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile):
        return None
