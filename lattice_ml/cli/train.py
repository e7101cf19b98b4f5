"""Train a net on a lattice system and say what it found: ``python train.py experiment=aim_rho3``."""

from __future__ import annotations

from lattice_ml.cli.config import Job, validate
from lattice_ml.cli.entry import entry


@entry("train", validate)
def main(job: Job) -> None:
    """Run the experiment's workflow from an empty folder, or from where it was interrupted."""
    job.check_classes()
    job.perform()
