"""Steps that workflows with an encoder share: the ensemble, its held-out part, what latents tell, how many to have."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

import numpy as np

from lattice_ml.data.settings import DataSettings
from lattice_ml.ensembles.ensemble import Ensemble
from lattice_ml.runs.run import Run
from lattice_ml.systems.channels import channels_of
from lattice_ml.workflows.common.protocol import protocol_of
from lattice_ml.workflows.latents.figures import draw_dimensions, draw_information, draw_plane

if TYPE_CHECKING:
    import torch
    import xarray as xr

    from lattice_ml.data.configurations import Configurations
    from lattice_ml.nets.posterior import Posterior
    from lattice_ml.systems.base import System


class Encoder(Protocol):
    """A task whose net has latents."""

    def posteriors(self, x: torch.Tensor) -> Posterior: ...


class HeldOut(NamedTuple):
    """Configurations of replicas that no weight was fitted to: the ensemble, states ``[n, species, x, y]``, channels
    ``[n, channel, x, y]``, the known quantities ``[n]`` each, and their trajectories ``[n]``."""

    ensemble: xr.Dataset
    states: np.ndarray
    channels: torch.Tensor
    known: dict[str, np.ndarray]
    groups: np.ndarray


def sample(ensemble: Ensemble, run: Run, force: bool) -> xr.Dataset:
    """The ensemble, sampled as far as it is missing; refuses one that must prove its equilibration and does not.

    force: take it all the same.
    """
    from lattice_ml.ensembles.equilibration import require_equilibrated

    sampled = ensemble.sample_one()
    require_equilibrated(ensemble.path, force=force)
    run.results["protocol"] = {"ensemble": protocol_of(sampled)}
    return sampled


def build_configurations(settings: DataSettings, system: System, ensemble: xr.Dataset, seed: int) -> Configurations:
    """The ensemble as batches with the states themselves, dealt by replica; seed: of the dealing and the batches."""
    from lattice_ml.data.configurations import Configurations

    assert settings.split is not None  # checked before any work
    size: dict[str, Any] = {} if settings.batch_size is None else {"batch_size": settings.batch_size}
    return Configurations(
        ensemble,
        system,
        split=list(settings.split),
        augment=settings.augmentation(),
        seed=seed,
        memory=settings.memory,
        **size,
    )


def hold_out(system: System, ensemble: xr.Dataset, data: Configurations, most: int) -> HeldOut:
    """The validation and test replicas, of which every s-th sample is read if they hold more than ``most``."""

    from lattice_ml.explain.quantities import quantities, trajectories

    held = ensemble.isel(replica=np.sort(np.concatenate([data.replicas["val"], data.replicas["test"]])))
    count = int(np.prod([held.sizes[name] for name in ("point", "replica", "sample")]))
    step = -(-count // most)
    held = held.isel(sample=slice(None, None, min(step, held.sizes["sample"])))
    states = held["configurations"].transpose("point", "replica", "sample", "species", "x", "y").to_numpy()
    states = states.reshape(-1, *states.shape[3:])
    channels = channels_of(system, states)
    return HeldOut(held, states, channels, quantities(system, held), trajectories(held))


def tell_latents(run: Run, task: Encoder, held: HeldOut, method: Literal["gmm", "ksg"], seed: int) -> dict[str, Any]:
    """Tables of mutual information and a picture of the latents; returns metrics: KL of each, how many are in use.

    method: estimator of mutual information. seed: of it, and of the draws from the posteriors.
    """
    import torch

    from lattice_ml.ensembles.store import points_of
    from lattice_ml.explain.latents import ACTIVE, entangled, informed, tabulated

    found = task.posteriors(held.channels)
    torch.manual_seed(seed)
    drawn, divergence = found.sample().numpy(), found.divergence().mean(0).numpy()
    table = informed(drawn, held.known, held.groups, method, seed)
    check = table if method == "ksg" else informed(drawn, held.known, held.groups, "ksg", seed)
    between = entangled(drawn, held.groups, "ksg", seed)
    varied = {name: held.known[name] for name in points_of(held.ensemble)[0] if name in held.known}
    given = tabulated(varied, held.known, held.groups, method, seed) if varied else None
    run.results["information"] = {
        method: table.summary(),
        "ksg": check.summary(),
        "between_latents": between.summary(),
        **({"of_control_parameters": given.summary()} if given else {}),
    }
    draw_information(
        run.figures,
        "information",
        table,
        "What each latent tells",
        f"Mutual information (estimator {method}) of every latent, drawn from its posterior, with the control "
        f"parameters that vary and the observables, on {len(drawn):,} held-out configurations; errors from "
        "whole trajectories." + (f" Beyond the line, what {' and '.join(varied)} tell of the same." if varied else ""),
        given,
    )
    if drawn.shape[1] > 1:
        draw_information(
            run.figures,
            "entanglement",
            between,
            "How entangled the latents are",
            "Mutual information between latents (estimator ksg): zero off the diagonal would be disentangled.",
        )
    axes = list(held.known)
    across, upward = axes[-1], next((name for name in ("magnetisation", "n") if name in axes), axes[0])
    draw_plane(
        run.figures,
        np.stack((held.known[across], held.known[upward]), axis=1),
        [across, upward],
        found.mean.numpy(),
        [f"z{k + 1} (KL {own:.2f})" for k, own in enumerate(divergence)],
        f"Mean of every latent for held-out configurations over {across} and {upward}.",
    )
    return {
        "latents_in_use": {"value": int((divergence > ACTIVE).sum()), "error": None, "n": len(drawn)},
        **{f"KL_of_z{k + 1}_in_nats": {"value": float(own), "error": None} for k, own in enumerate(divergence)},
    }


def scan_dimensions(
    run: Run,
    dimensions: Sequence[int],
    fit: Callable[[int, Path], tuple[Encoder, list[dict[str, float]]]],
    held: HeldOut,
    score: str,
    label: str,
    seed: int,
) -> None:
    """Train with each number of latents and say what it buys; once each, whatever happens.

    fit: trains a task with that many latents in a folder, and returns it with the metrics of every epoch. score: the
    metric of the validation that is compared, called ``label``. seed: of the draws from the posteriors.
    """
    import torch

    from lattice_ml.explain.latents import ACTIVE, informed
    from lattice_ml.ground.files import write_file

    rows = []
    for dimension in dimensions:
        folder = run.folder / "nets" / f"latents-{dimension}"
        kept = folder / "told.json"
        if not kept.is_file():
            run.console.print(f"{dimension} latent(s)", highlight=False)
            task, history = fit(dimension, folder)
            best = min(history, key=lambda row: row["val/loss"])
            found = task.posteriors(held.channels)
            torch.manual_seed(seed)
            table = informed(found.sample().numpy(), held.known, held.groups, "ksg", seed)
            most = table.value.argmax(axis=0)
            told = {
                "latents": dimension,
                "loss": float(best[score]),
                "kl": float(best["val/kl"]),
                "in_use": int((found.divergence().mean(0) > ACTIVE).sum()),
                "information": {
                    name: {"value": float(table.value[k, j]), "error": float(np.nan_to_num(table.error[k, j]))}
                    for j, (name, k) in enumerate(zip(table.columns, most, strict=True))
                },
            }
            write_file(kept, json_bytes(told))
        rows.append(read(kept))
    run.results["dimensions"] = rows
    draw_dimensions(run.figures, rows, label)


def json_bytes(content: Any) -> bytes:
    import json

    return f"{json.dumps(content, indent=1, allow_nan=False)}\n".encode()


def read(path: Any) -> dict[str, Any]:
    import json

    return json.loads(path.read_text(encoding="utf-8"))
