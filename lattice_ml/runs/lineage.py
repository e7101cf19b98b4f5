"""Which ensemble a run learned from and which model came out, as artifacts of Weights & Biases.

    ensemble (dataset) --used by--> run --logs--> model

An ensemble is a reference: its path, its identity and the checksum of its metadata, and none of its gigabytes. The
identity (system, plan, seed, sampler) fixes every bit: stores with the same identity hold the same configurations,
wherever they lie.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lattice_ml.ensembles.ensemble import Ensemble
from lattice_ml.runs.run import Run

if TYPE_CHECKING:
    import wandb

IDENTITY = ("schema", "system", "plan", "sampler")
"""Attributes of a store that say what it holds; the others say who wrote it, when, with which version."""

PROVENANCE = ("package_version", "commit", "created")


def use_ensembles(run: wandb.Run, ensembles: Mapping[str, Ensemble]) -> None:
    """Declare the run's ensembles as its inputs; one that is not there, or not readable, is passed over."""
    for key, ensemble in ensembles.items():
        for path in ensemble.paths:
            artifact = ensemble_artifact(path, key)
            if artifact is not None:
                _use(run, artifact)


def ensemble_artifact(store: Path, role: str) -> wandb.Artifact | None:
    """A reference to a store; ``role``: ensemble, survey or extrapolation. None if there is no readable store."""
    import wandb

    metadata = (store / "zarr.json").absolute()
    try:
        content = metadata.read_bytes()
        attributes = json.loads(content)["attributes"]
        name = attributes["plan"]["name"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    identity = {key: attributes.get(key) for key in IDENTITY}
    artifact = wandb.Artifact(
        _allowed(f"ensemble-{name}"),
        type="dataset",
        description=f"{role} of lattice_ml at {store.absolute()}; open it with xarray.open_zarr",
        metadata={
            "role": role,
            "path": str(store.absolute()),
            "zarr.json sha256": hashlib.sha256(content).hexdigest(),
            "identity sha256": hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest(),
            "identity": json.dumps(identity, sort_keys=True),  # as text: W&B shortens long lists
            **{key: attributes[key] for key in PROVENANCE if key in attributes},
        },
    )
    artifact.add_reference(metadata.as_uri(), name="zarr.json", checksum=True)
    return artifact


def log_model(run: wandb.Run, finished: Run) -> None:
    """Log the best checkpoint and the configuration that it was trained with, if there is a checkpoint."""
    import wandb

    checkpoint = finished.checkpoints / "best.ckpt"
    if not checkpoint.is_file():
        return
    artifact = wandb.Artifact(
        _allowed(f"model-{finished.name}-{finished.folder.name}"),
        type="model",
        description="best checkpoint by validation loss, of the task and net in config.yaml",
        metadata={"sha256": hashlib.sha256(checkpoint.read_bytes()).hexdigest(), "seed": finished.seed},
    )
    # Immutable: uploaded from the run folder, not from a copy that W&B would leave in the home directory.
    for path in (checkpoint, finished.folder / "config.yaml"):
        artifact.add_file(str(path.absolute()), policy="immutable", skip_cache=True)
    run.log_artifact(artifact, aliases=["best"])


def _use(run: wandb.Run, artifact: wandb.Artifact) -> Any:
    """Log the artifact and mark it as used.

    ``use_artifact`` does just this, but refuses when offline, since an artifact given by its name would have to be
    fetched. One given as an object need not: it is written down as used, which `wandb sync` then tells the server.
    """
    if not run.offline:
        return run.use_artifact(artifact)
    return run._log_artifact(artifact, is_user_created=True, use_after_commit=True)


def _allowed(name: str) -> str:
    """Artifact names are letters, digits, dashes, underscores and dots, 128 at most."""
    return re.sub(r"[^\w.-]", "-", name, flags=re.ASCII)[:128]
